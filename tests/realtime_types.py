"""What OpenAI's SDK holds server events of Realtime to be, held strictly."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from openai.types.realtime.realtime_translation_server_event import RealtimeTranslationServerEvent
from pydantic import TypeAdapter


@functools.cache
def _types(is_translation: bool) -> TypeAdapter[Any]:
    return TypeAdapter(RealtimeTranslationServerEvent if is_translation else RealtimeServerEvent)


def all_valid(events: Iterable[dict[str, Any]], *, is_translation: bool = False) -> None:
    """Fails for the first event that is none of the types."""
    for event in events:
        parsed = _types(is_translation).validate_python(event)
        assert parsed.type == event["type"]
        assert event["event_id"].startswith("event_")
