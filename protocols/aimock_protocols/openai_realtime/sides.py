"""The REST routes that clients call before they connect: keys for browsers, and calls by other ways than a WebSocket
(wire-openai-realtime §7)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.json_bodies import is_writable
from aimock_protocols.openai_platform import WHOLE_HEADERS, read_object, refusal
from aimock_protocols.openai_realtime import checks, client_keys
from aimock_protocols.openai_realtime.beta import beta_session
from aimock_protocols.openai_realtime.config import (
    DEFAULT_MODEL,
    OWN,
    Config,
    conversation_defaults,
    transcription_defaults,
    translation_defaults,
    updated,
)
from aimock_protocols.openai_realtime.setting import LIFETIME
from aimock_protocols.openai_realtime.spellings import modern

_EXPIRY = checks.record({"anchor": checks.choice("created_at"), "seconds": checks.integer(10, 7200)})
_KEPT_SECONDS = 600
_BETA_SECONDS = 60
_KINDS = {"realtime": "realtime.session", "transcription": "realtime.transcription_session"}


def create_client_secret(request: SideRequest) -> WireResponse:
    """`POST /v1/realtime/client_secrets`. Raises WireError."""
    sent = _sent(request)
    told = checks.an_object(sent.get("session", {}), "session")
    model = _model(told, DEFAULT_MODEL)
    kind = checks.choice(*_KINDS)(told.get("type", "realtime"), "session.type")
    start = transcription_defaults() if kind == "transcription" else conversation_defaults(model)
    own = {"object": _KINDS[kind]} | ({"model": model} if kind == "realtime" else {})
    return _minted(request, updated(start, modern(told), needs_type=False), model, own, _seconds(sent))


def create_translation_secret(request: SideRequest) -> WireResponse:
    """`POST /v1/realtime/translations/client_secrets`. Raises WireError."""
    sent = _sent(request)
    told = checks.an_object(sent.get("session", {}), "session")
    model = _model(told, "gpt-realtime-translate")
    config = updated(translation_defaults(), told, needs_type=False)
    return _minted(request, config, model, {"model": model}, _seconds(sent))


def create_beta_session(request: SideRequest) -> WireResponse:
    """`POST /v1/realtime/sessions`: the Beta's way to a key. Raises WireError."""
    sent = _sent(request)
    model = _model(sent, DEFAULT_MODEL)
    config = updated(conversation_defaults(model), _without_secret(sent), needs_type=False)
    return _beta_minted(request, config, model, "realtime.session")


def create_transcription_session(request: SideRequest) -> WireResponse:
    """`POST /v1/realtime/transcription_sessions`. Raises WireError."""
    told = {name: value for name, value in _without_secret(_sent(request)).items() if name != "output_modalities"}
    config = updated(transcription_defaults(), told, needs_type=False)
    return _beta_minted(request, config, "", "realtime.transcription_session")


def create_call(request: SideRequest) -> WireResponse:
    """`POST /v1/realtime/calls`. Raises WireError: there is no WebRTC here."""
    raise refusal("WebRTC is not simulated: connect by WebSocket.", code="webrtc_not_simulated", status=501)


def act_on_call(request: SideRequest) -> WireResponse:
    """`POST /v1/realtime/calls/{call}/accept`, `/reject`, `/refer` and `/hangup`: as told, of a call that nobody
    made."""
    return WireResponse(200, WHOLE_HEADERS, b"")


def _sent(request: SideRequest) -> dict[str, Any]:
    """The body; none is an empty one. Raises WireError."""
    if not request.body:
        return {}
    sent = read_object(request.body)
    if not is_writable(sent):
        raise refusal("The request is nested too deeply.")
    return sent


def _model(told: dict[str, Any], default: str) -> str:
    return str(checks.nullable(checks.text)(told.get("model"), "session.model") or default)


def _seconds(sent: dict[str, Any]) -> int:
    expiry = checks.nullable(_EXPIRY)(sent.get("expires_after"), "expires_after") or {}
    return int(expiry.get("seconds", _KEPT_SECONDS))


def _without_secret(sent: dict[str, Any]) -> dict[str, Any]:
    """What the Beta said flatly, where the lifetime of the key stood with the session's settings."""
    return modern({name: value for name, value in sent.items() if name not in OWN})


def _minted(request: SideRequest, config: Config, model: str, own: Config, seconds: int) -> WireResponse:
    expires_at = int(request.stamp.created) + seconds
    session = {"id": request.stamp.alphanumeric(21, "session"), **own, **config}
    session["id"] = f"sess_{session['id']}"
    session["expires_at"] = expires_at if config["type"] == "translation" else int(request.stamp.created) + LIFETIME
    value = _keep(request, config, model, expires_at)
    return _answer({"value": value, "expires_at": expires_at, "session": session})


def _beta_minted(request: SideRequest, config: Config, model: str, kind: str) -> WireResponse:
    expires_at = int(request.stamp.created) + _BETA_SECONDS
    secret = {"value": _keep(request, config, model, expires_at), "expires_at": expires_at}
    own = {"id": f"sess_{request.stamp.alphanumeric(21, 'session')}", "object": kind, "model": model, "expires_at": 0}
    return _answer(beta_session(own | config) | {"client_secret": secret})


def _keep(request: SideRequest, config: Config, model: str, expires_at: int) -> str:
    secret = client_keys.Secret(config, model, expires_at)
    return client_keys.mint(secret, request.memory, request.stamp, len(request.body))


def _answer(told: dict[str, Any]) -> WireResponse:
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))
