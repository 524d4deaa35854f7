"""Chat completions as one provider has them: an object that is a protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import attrs
import orjson

from aimock_protocols.canonical import (
    Allowance,
    ChatRequest,
    ErrorReply,
    Headers,
    Keepalive,
    SideRequest,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.openai_chat.collapse import collapse, parse, read_stream
from aimock_protocols.openai_chat.decode import decode
from aimock_protocols.openai_chat.encode import encode
from aimock_protocols.openai_chat.errors import envelope_of, error_frame
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_chat.shape import shape as chat_shape
from aimock_protocols.openai_chat.stream import frames
from aimock_protocols.openai_dialects.dialect import Dialect, Fact, filled
from aimock_protocols.openai_platform import rate_limited, rate_limits
from aimock_protocols.retrying import retry_headers

_UNBUFFERED: Headers = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


@attrs.frozen(eq=False)
class Speaker:
    """One who speaks a dialect."""

    name: str
    dialect: Dialect

    heeds: tuple[str, ...] = ()
    decode = staticmethod(decode)
    encode = staticmethod(encode)
    parse = staticmethod(parse)
    frames = staticmethod(frames)
    collapse = staticmethod(collapse)
    read_stream = staticmethod(read_stream)
    error_frame = staticmethod(error_frame)
    rate_limited = staticmethod(rate_limited)

    def shape(self, request: ChatRequest) -> Shape:
        return chat_shape(request, self.dialect)

    @property
    def whole_headers(self) -> Headers:
        return (("content-type", "application/json"), *self.dialect.headers)

    @property
    def stream_headers(self) -> Headers:
        return (("content-type", self.dialect.stream_type), *_UNBUFFERED, *self.dialect.headers)

    @property
    def keepalive(self) -> Keepalive | None:
        return self.dialect.keepalive

    def fresh_headers(self, stamp: Stamp) -> Headers:
        return tuple((name, mint.id(stamp, name)) for name, mint in self.dialect.minted_headers)

    def rate_limits(self, allowance: Allowance, now: float) -> Headers:
        return rate_limits(allowance, now) if self.dialect.tells_quotas else ()

    def error(self, error: ErrorReply, stamp: Stamp) -> WireResponse:
        headers = self.whole_headers + retry_headers(error)
        return WireResponse(error.status, headers, envelope_of(error, self.dialect))

    def list_models(self, request: SideRequest) -> WireResponse:
        """All models, in the order in which fixtures name them."""
        models = [self._model(name) for name in request.models]
        return self._told(filled(self.dialect.models, {Fact.MODELS: models}.__getitem__))

    def retrieve_model(self, request: SideRequest) -> WireResponse:
        """One model; its name may hold slashes, percent-encoded or not. Raises WireError if there is none."""
        name = unquote(request.params["model"]).removeprefix("models/")
        if name not in request.models:
            message = self.dialect.unknown_model.format(name=name)
            raise WireError(ErrorReply(message, "invalid_request_error", "model", "model_not_found", 404))
        return self._told(self._model(name))

    def _model(self, name: str) -> Any:
        place = {Fact.MODEL_NAME: name, Fact.GEMINI_MODEL: f"models/{name}"}
        return filled(self.dialect.model, place.__getitem__)

    def _told(self, value: Any) -> WireResponse:
        return WireResponse(200, self.whole_headers, orjson.dumps(value))
