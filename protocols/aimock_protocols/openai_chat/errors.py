"""Errors in the envelopes of those who speak OpenAI's dialect (wire-openai-chat §10, §14 to §16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp
from aimock_protocols.openai_chat.envelope import Telling
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_dialects.dialect import ABSENT, Dialect, Fact, Layout, filled

_RPC = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_FACTS: dict[Fact, Callable[[ErrorReply], Any]] = {
    Fact.ERROR_MESSAGE: lambda error: error.message,
    Fact.ERROR_PARAM: lambda error: error.param,
    Fact.ERROR_PARAM_IF_ANY: lambda error: ABSENT if error.param is None else error.param,
    Fact.ERROR_CODE: lambda error: error.code,
    Fact.ERROR_CODE_OR_TYPE: lambda error: error.code,
    Fact.ERROR_CODE_IF_ANY: lambda error: ABSENT if error.code is None else error.code,
    Fact.ERROR_CODE_OR_STATUS: lambda error: str(error.status) if error.code is None else error.code,
    Fact.ERROR_STATUS: lambda error: error.status,
    Fact.ERROR_CODE_OR_STATUS_NUMBER: lambda error: error.status if error.code is None else error.code,
    Fact.ERROR_RPC: lambda error: _RPC.get(error.status, "UNKNOWN"),
    Fact.ERROR_METADATA: lambda error: ABSENT if error.metadata is None else error.metadata,
    Fact.ERROR_HINT: lambda error: ABSENT if error.hint is None else error.hint,
}


def envelope_of(error: ErrorReply, dialect: Dialect) -> bytes:
    """The body that tells an error."""
    layout = dialect.errors.get(error.status, dialect.error)
    if isinstance(error.code, str):
        layout = dialect.errors.get(error.code, layout)
    return orjson.dumps(_filled(layout, error, dialect, _of_nobody))


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """An error inside a stream: one event, after which nothing follows."""
    dialect = shape.dialect
    layout = dialect.error if dialect.streamed_error is None else dialect.streamed_error
    told = _filled(layout, error, dialect, Telling(Reply(), shape, stamp))
    return Frame(sse.encode(orjson.dumps(told), dialect.error_event), FrameKind.CLOSE)


def _filled(layout: Layout, error: ErrorReply, dialect: Dialect, tell: Callable[[Any], Any]) -> Any:
    def answer(what: Any) -> Any:
        if what is Fact.ERROR_TYPE or (what is Fact.ERROR_CODE_OR_TYPE and error.code is None):
            return error.type or dialect.error_types.get(error.status, "server_error")
        return _FACTS[what](error) if what in _FACTS else tell(what)

    return filled(layout, answer)


def _of_nobody(what: Any) -> Any:
    raise KeyError(what)
