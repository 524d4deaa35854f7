"""Requests without anything to answer: they load a model, or unload it (wire-ollama §3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from aimock_protocols import rfc3339
from aimock_protocols.canonical import Stamp, WireResponse
from aimock_protocols.ollama.fields import is_unload
from aimock_protocols.ollama.platform import WHOLE_HEADERS


def loading(sent: dict[str, Any], said: dict[str, Any]) -> Callable[[Stamp], WireResponse]:
    """What answers such a request: `said` is the empty answer. Always whole."""
    reason = "unload" if is_unload(sent) else "load"

    def answer(stamp: Stamp) -> WireResponse:
        told = {"model": sent["model"], "created_at": rfc3339.in_microseconds(stamp.created), **said}
        told |= {"done": True, "done_reason": reason}
        return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))

    return answer
