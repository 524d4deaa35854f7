"""Which session a client is given that asks for one (wire-openai-realtime §0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

import attrs

from aimock_protocols.canonical import ErrorReply, Stamp
from aimock_protocols.openai_platform import refusal
from aimock_protocols.openai_realtime import client_keys
from aimock_protocols.openai_realtime.beta import beta
from aimock_protocols.openai_realtime.config import (
    DEFAULT_MODEL,
    conversation_defaults,
    transcription_defaults,
    translation_defaults,
)
from aimock_protocols.openai_realtime.events import Dialect, Mint, azure, modern, told
from aimock_protocols.openai_realtime.session import Session
from aimock_protocols.openai_realtime.setting import Setting
from aimock_protocols.openai_realtime.translation import TranslationSession
from aimock_protocols.sessions import Close, Connecting, Move
from aimock_protocols.sessions import Session as AnySession

_SPOKEN = "realtime"
_KEY = "openai-insecure-api-key."
_BETA_OFFER = "openai-beta.realtime-v1"
_BETA_HEADER = "realtime=v1"
_TRANSLATOR = "gpt-realtime-translate"
_REFUSED = 4000

_BETA_DISABLED = refusal(
    "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
    code="beta_api_shape_disabled",
).reply
_NO_MODEL = refusal("You must provide a model parameter.", code="missing_model").reply


def connect(connecting: Connecting) -> AnySession:
    """The session that path, query, headers and subprotocols ask for. Raises WireError for a key that has expired."""
    head, stamp = connecting.head, connecting.stamp
    query = dict(parse_qsl(head.query, keep_blank_values=True))
    offered = [offer.strip() for offer in head.headers.get("sec-websocket-protocol", "").split(",")]
    subprotocol = _SPOKEN if _SPOKEN in offered else None
    is_beta = _BETA_OFFER in offered or _BETA_HEADER in head.headers.get("openai-beta", "")
    if is_beta and not connecting.options.has_beta:
        return RefusedSession(_BETA_DISABLED, subprotocol)
    secret = client_keys.recalled(_key(head.headers, offered), connecting.memory, stamp.created)
    is_translation = head.path.endswith("/translations")
    transcribes = query.get("intent") == "transcription"
    model = query.get("model") or query.get("deployment") or (secret.model if secret else "")
    if not (model or transcribes or "call_id" in query or secret) and connecting.is_strict:
        return RefusedSession(_NO_MODEL, subprotocol)
    model = model or (_TRANSLATOR if is_translation else DEFAULT_MODEL)
    if secret is not None:
        config = secret.config
    elif is_translation:
        config = translation_defaults()
    else:
        config = transcription_defaults() if transcribes else conversation_defaults(model)
    setting = Setting(
        config,
        model,
        _dialect(is_beta, head.path),
        connecting.options,
        is_open=model.startswith("grok-"),
        is_beta=is_beta,
    )
    kind = TranslationSession if config["type"] == "translation" else Session
    return kind(setting, stamp, subprotocol)


def _dialect(is_beta: bool, path: str) -> Dialect:
    if is_beta:
        return beta
    return azure if path.startswith("/openai/") else modern


def _key(headers: Mapping[str, str], offered: Iterable[str]) -> str | None:
    """The key that a client comes with: in a header, or as browsers must, among the subprotocols."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    return next((offer.removeprefix(_KEY) for offer in offered if offer.startswith(_KEY)), None)


@attrs.define(eq=False)
class RefusedSession:
    """A session that is open only to say why it is not."""

    error: ErrorReply
    subprotocol: str | None
    is_binary: bool = False

    def opened(self, stamp: Stamp) -> Iterable[Move]:
        return (told(Mint(stamp, 0).error(self.error)), Close(_REFUSED, f"{self.error.type}.{self.error.code}"))

    def received(self, message: str | bytes, stamp: Stamp) -> Iterable[Move]:
        return ()
