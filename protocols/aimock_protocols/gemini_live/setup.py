"""What a session is set up with, by its first message (wire-gemini-live §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.gemini.decode import conversation
from aimock_protocols.gemini.fields import enum, many, one
from aimock_protocols.gemini.platform import refusal
from aimock_protocols.gemini.shape import prompt_tokens
from aimock_protocols.hearing import Hearing

_MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO")
_SPOKEN = ("TEXT", "AUDIO")

_START_SENSITIVITIES = ("START_SENSITIVITY_UNSPECIFIED", "START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW")
_END_SENSITIVITIES = ("END_SENSITIVITY_UNSPECIFIED", "END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW")
_HANDLINGS = ("ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION")
_THRESHOLDS = {"START_SENSITIVITY_LOW": 1.0}
_THRESHOLD = 0.5
_SILENCES_MS = {"END_SENSITIVITY_LOW": 1000}
_SILENCE_MS = 500
"""What is meant by sensitivities; the service does not tell."""


@attrs.frozen
class Detection:
    """How the activity of the user is told from silence."""

    is_automatic: bool = True
    """Else the client says when it begins and ends."""
    interrupts: bool = True
    """Whether the model stops when the user begins."""
    threshold: float = _THRESHOLD
    onset_ms: int = 0
    silence_ms: int = _SILENCE_MS

    def hearing(self) -> Hearing:
        return Hearing(self.threshold, silence_duration_ms=self.silence_ms, onset_ms=self.onset_ms)


@attrs.frozen
class Setup:
    """A session's settings."""

    model: str
    """As sent: `models/…`, `publishers/google/models/…`, `projects/…`."""
    settings: Mapping[str, Any]
    """All else that was sent: of a generateContent request it would be all but the contents."""
    speaks: bool = False
    """Whether answers are audio, else text."""
    transcribes_input: bool = False
    transcribes_output: bool = False
    is_resumable: bool = False
    """Whether handles are told by which the session can be taken up again."""
    handle: str | None = None
    """That of the session which is taken up."""
    is_transparent: bool = False
    """Whether handles come with the number of messages that they cover."""
    detection: Detection = Detection()
    signals_activity: bool = False
    """Whether the client is told when the user is heard to begin and end."""

    def request(self, contents: Sequence[Mapping[str, Any]]) -> ChatRequest:
        """What fixtures match. Raises WireError."""
        aliases = tuple(dict.fromkeys((self.model.removeprefix("models/"), self.model.rpartition("/")[2])))
        request = conversation({**self.settings, "contents": list(contents)}, self.model, aliases)
        request.stream = request.body["stream"] = True
        return request

    def updated(self, update: Mapping[str, Any]) -> Setup:
        """With what a contextUpdate sets: the system instruction, or the tools, which may be none. Raises WireError."""
        settings = dict(self.settings)
        if update.get("systemInstruction") is not None:
            settings["systemInstruction"] = update["systemInstruction"]
        if update.get("tools") is not None:
            settings["tools"] = many(
                one(update, "tools", "context_update.tools"), "tools", "context_update.tools.tools"
            )
        return attrs.evolve(self, settings=settings).tried()

    def tried(self) -> Setup:
        """The same, if requests can be made of it. Raises WireError."""
        prompt_tokens(self.request([{"parts": [{"text": ""}]}]).body)
        return self


def read_setup(sent: Mapping[str, Any], speaks_unasked: bool) -> Setup:
    """The settings in a setup message; `speaks_unasked`: what is meant where no modality is asked for. Raises
    WireError."""
    model = sent.get("model")
    if type(model) is not str or not model:
        raise refusal("Invalid value at 'setup.model': the model to talk to must be named")
    settings = {name: value for name, value in sent.items() if name != "model"}
    resumption = one(sent, "sessionResumption", "setup.session_resumption")
    handle = resumption.get("handle")
    if handle is not None and type(handle) is not str:
        raise refusal("Invalid value at 'setup.session_resumption.handle': must be a string")
    return Setup(
        model,
        settings,
        _speaks(one(sent, "generationConfig", "setup.generation_config"), speaks_unasked),
        _is_set(sent, "inputAudioTranscription"),
        _is_set(sent, "outputAudioTranscription"),
        _is_set(sent, "sessionResumption"),
        handle or None,
        resumption.get("transparent") is True,
        _detection(one(sent, "realtimeInputConfig", "setup.realtime_input_config")),
        sent.get("explicitVadSignal") is True,
    ).tried()


def _is_set(sent: Mapping[str, Any], name: str) -> bool:
    """Whether a message is there, be it empty. Raises WireError if it is none."""
    one(sent, name, f"setup.{name}")
    return sent.get(name) is not None


def _speaks(config: Mapping[str, Any], unasked: bool) -> bool:
    asked = config.get("responseModalities") or []
    if type(asked) is not list:
        raise refusal("Invalid value at 'setup.generation_config.response_modalities': must be a list")
    wanted = {enum(modality, _MODALITIES) for modality in asked} - {_MODALITIES[0]}
    if not wanted:
        return unasked
    if len(wanted) > 1 or wanted.isdisjoint(_SPOKEN):
        raise refusal("Request contains an invalid argument: one response modality can be asked for, TEXT or AUDIO")
    return "AUDIO" in wanted


def _detection(config: Mapping[str, Any]) -> Detection:
    where = "setup.realtime_input_config.automatic_activity_detection"
    automatic = one(config, "automaticActivityDetection", where)
    start = enum(automatic.get("startOfSpeechSensitivity"), _START_SENSITIVITIES)
    end = enum(automatic.get("endOfSpeechSensitivity"), _END_SENSITIVITIES)
    silence_ms = _milliseconds(automatic, "silenceDurationMs", where)
    return Detection(
        automatic.get("disabled") is not True,
        enum(config.get("activityHandling"), _HANDLINGS) != "NO_INTERRUPTION",
        _THRESHOLDS.get(start or "", _THRESHOLD),
        _milliseconds(automatic, "prefixPaddingMs", where) or 0,
        _SILENCES_MS.get(end or "", _SILENCE_MS) if silence_ms is None else silence_ms,
    )


def _milliseconds(config: Mapping[str, Any], name: str, where: str) -> int | None:
    value = config.get(name)
    if value is not None and (type(value) is not int or value < 0):
        raise refusal(f"Invalid value at '{where}': {name} must be a number of milliseconds")
    return value
