"""What OpenAI's SDK holds server events of Realtime to be, held strictly."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, get_args

from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from openai.types.realtime.realtime_translation_server_event import RealtimeTranslationServerEvent


@functools.cache
def _models(is_translation: bool) -> dict[str, Any]:
    """The SDK's classes by the `type` of their events."""
    union = get_args(RealtimeTranslationServerEvent if is_translation else RealtimeServerEvent)[0]
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(union)}


def all_valid(events: Iterable[dict[str, Any]], *, is_translation: bool = False) -> None:
    """Fails for the first event that is none of the types."""
    for event in events:
        _models(is_translation)[event["type"]].model_validate(event)
        assert event["event_id"].startswith("event_")
