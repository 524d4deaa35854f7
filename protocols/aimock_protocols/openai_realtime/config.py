"""What a session is told to be: its defaults, what clients may change of it, and how a change is merged
(wire-openai-realtime §2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import WireError
from aimock_protocols.openai_platform import missing, refusal
from aimock_protocols.openai_realtime.checks import (
    Check,
    an_object,
    boolean,
    choice,
    either,
    integer,
    invalid_value,
    listed,
    mapping,
    nullable,
    number,
    record,
    text,
    variant,
)

Config = dict[str, Any]
"""A session object without id, model and expiry. Never changed: a change makes a new one."""

DEFAULT_MODEL = "gpt-realtime-2"

OWN = frozenset({"id", "object", "model", "expires_at", "client_secret"})
"""Members that are the server's: clients that send back what they were sent are not refused for them."""

_PCM = {"type": "audio/pcm", "rate": 24000}
_SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD = {"type": "semantic_vad", "eagerness": "auto", "create_response": True, "interrupt_response": True}
_TRANSCRIPTION = {"model": None, "language": None, "prompt": None}


def speaks_in_phases(model: str) -> bool:
    """Whether a model says of its messages if they are its answer (`phase`)."""
    return model.startswith("gpt-realtime-2") and not model.startswith("gpt-realtime-20")


def conversation_defaults(model: str) -> Config:
    """What a conversation begins with. Voice and patience are those of the model's family, as recorded."""
    is_newer = speaks_in_phases(model)
    detection = _SERVER_VAD | {"silence_duration_ms": 500 if is_newer else 200}
    return {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "audio": {
            "input": {
                "format": _PCM,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": detection,
            },
            "output": {"format": _PCM, "voice": "marin" if is_newer else "alloy", "speed": 1.0},
        },
        "include": None,
    }


def transcription_defaults() -> Config:
    """What a transcription session begins with: it answers nobody, so its turns only end items."""
    detection = {name: value for name, value in _SERVER_VAD.items() if not name.endswith("response")}
    heard = {"format": _PCM, "transcription": None, "noise_reduction": None, "turn_detection": detection}
    return {"type": "transcription", "audio": {"input": heard}, "include": None}


def translation_defaults() -> Config:
    return {"type": "translation", "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {}}}


def _one_modality(value: Any, param: str) -> Any:
    checked = listed(choice("text", "audio"))(value, param)
    if len(set(checked)) != 1:
        raise invalid_value(
            param, f"Invalid modalities: {checked}. Supported combinations are: ['text'] and ['audio']."
        )
    return checked[:1]


_KNOWN_FORMAT = variant(
    {
        "audio/pcm": record({"type": text, "rate": integer(24000, 24000)}),
        "audio/pcmu": record({"type": text}),
        "audio/pcma": record({"type": text}),
    },
    "audio/pcm",
)


def _format(value: Any, param: str) -> Any:
    checked = _KNOWN_FORMAT(value, param)
    return _PCM if checked.get("type", "audio/pcm") == "audio/pcm" else checked


_NOISE = nullable(record({"type": choice("near_field", "far_field"), "strength": number(0, 1)}))
_MILLISECONDS = integer(0, 3_600_000)
_DETECTION = nullable(
    variant(
        {
            "server_vad": record(
                {
                    "type": text,
                    "threshold": nullable(number(0, 1)),
                    "prefix_padding_ms": nullable(_MILLISECONDS),
                    "silence_duration_ms": nullable(_MILLISECONDS),
                    "idle_timeout_ms": nullable(integer(5000, 30000)),
                    "create_response": nullable(boolean),
                    "interrupt_response": nullable(boolean),
                }
            ),
            "semantic_vad": record(
                {
                    "type": text,
                    "eagerness": nullable(choice("low", "medium", "high", "auto")),
                    "create_response": nullable(boolean),
                    "interrupt_response": nullable(boolean),
                }
            ),
        },
        "server_vad",
    )
)
_TRANSCRIBING = nullable(
    record(
        {
            "model": nullable(text),
            "language": nullable(text),
            "languages": nullable(listed(text)),
            "keywords": nullable(listed(text)),
            "prompt": nullable(text),
            "delay": nullable(choice("minimal", "low", "medium", "high", "xhigh")),
        }
    )
)
VOICE = either(record({"id": text}, ("id",)), text, dict)
_INPUT = record(
    {
        "format": nullable(_format),
        "transcription": _TRANSCRIBING,
        "noise_reduction": _NOISE,
        "turn_detection": _DETECTION,
    }
)
_OUTPUT = record({"format": nullable(_format), "voice": VOICE, "speed": number(0.25, 1.5)})
_MCP_FILTER = record({"tool_names": nullable(listed(text)), "read_only": nullable(boolean)})
_TOOL = variant(
    {
        "function": record(
            {"type": text, "name": text, "description": nullable(text), "parameters": nullable(an_object)}, ("name",)
        ),
        "mcp": record(
            {
                "type": text,
                "server_label": text,
                "server_url": nullable(text),
                "server_description": nullable(text),
                "connector_id": nullable(text),
                "tunnel_id": nullable(text),
                "authorization": nullable(text),
                "headers": nullable(mapping(text)),
                "allowed_tools": nullable(either(listed(text), _MCP_FILTER, list)),
                "allowed_callers": nullable(listed(choice("direct", "programmatic"))),
                "require_approval": nullable(
                    either(choice("always", "never"), record({"always": _MCP_FILTER, "never": _MCP_FILTER}), str)
                ),
                "defer_loading": nullable(boolean),
            },
            ("server_label",),
        ),
    },
    "function",
)
_TOOL_CHOICE = either(
    choice("none", "auto", "required"),
    variant(
        {
            "function": record({"type": text, "name": text}, ("name",)),
            "mcp": record({"type": text, "server_label": text, "name": nullable(text)}, ("server_label",)),
        }
    ),
    str,
)
_MAX_TOKENS = nullable(either(choice("inf"), integer(1, 1_000_000), str))
_REASONING = nullable(record({"effort": nullable(choice("minimal", "low", "medium", "high", "xhigh"))}))
_INCLUDE = nullable(listed(choice("item.input_audio_transcription.logprobs")))

_VARIABLES = nullable(mapping(either(text, an_object, str)))

SAYING: dict[str, Check] = {
    "output_modalities": _one_modality,
    "instructions": text,
    "tools": listed(_TOOL),
    "tool_choice": _TOOL_CHOICE,
    "max_output_tokens": _MAX_TOKENS,
    "parallel_tool_calls": nullable(boolean),
    "prompt": nullable(
        record(
            {"id": text, "version": nullable(text), "variables": nullable(mapping(either(text, an_object, str)))},
            ("id",),
        )
    ),
    "reasoning": _REASONING,
}
"""What a session and a single response can be told alike."""

_TRACING = record({"workflow_name": nullable(text), "group_id": nullable(text), "metadata": nullable(an_object)})
_RETENTION = record(
    {
        "type": text,
        "retention_ratio": number(0, 1),
        "token_limits": nullable(record({"post_instructions": nullable(integer(0, 1_000_000))})),
    },
    ("retention_ratio",),
)
_CONVERSATION = SAYING | {
    "type": text,
    "tracing": nullable(either(choice("auto"), _TRACING, str)),
    "truncation": either(choice("auto", "disabled"), variant({"retention_ratio": _RETENTION}), str),
    "include": _INCLUDE,
    "audio": record({"input": _INPUT, "output": _OUTPUT}),
}
_CHECKS: Mapping[str, Check] = {
    "realtime": record(_CONVERSATION),
    "transcription": record({"type": text, "include": _INCLUDE, "audio": record({"input": _INPUT})}),
    "translation": record(
        {
            "type": text,
            "audio": record(
                {
                    "input": record({"transcription": nullable(record({"model": text})), "noise_reduction": _NOISE}),
                    "output": record({"language": nullable(text)}),
                }
            ),
        }
    ),
}


def updated(config: Config, change: Config, *, needs_type: bool = True, is_open: bool = False) -> Config:
    """A config with a change of it. Raises WireError, and then nothing has changed.

    `is_open` says that what OpenAI does not understand is the business of another provider, and ignored.
    """
    if needs_type and "type" not in change:
        raise missing("session.type")
    kind = config["type"]
    if choice(*_CHECKS)(change.get("type", kind), "session.type") != kind:
        message = f"Passing a '{change['type']}' session to a session of type '{kind}' is not allowed."
        raise refusal(message, "session.type", "invalid_session_config")
    told = {name: value for name, value in change.items() if name not in OWN}
    if is_open:
        told = {name: value for name, value in told.items() if _is_understood(name, value)}
    return merged(config, _CHECKS[kind](told, "session"))


def _is_understood(name: str, value: Any) -> bool:
    try:
        _CONVERSATION[name](value, name)
    except (KeyError, WireError):
        return False
    return True


def merged(config: Config, change: Config) -> Config:
    """Members of `change` instead of those of `config`; of the objects under `audio` the members."""
    audio = config["audio"] | {
        side: _merged_side(config["audio"].get(side, {}), told) for side, told in change.get("audio", {}).items()
    }
    return config | change | {"audio": audio}


def both(first: Config, then: Config) -> Config:
    """Two changes as one, in the words of whoever sent them: of `audio` and its sides the members."""
    made = first | then
    for name in ("audio", "input", "output"):
        if isinstance(first.get(name), dict) and isinstance(then.get(name), dict):
            made[name] = both(first[name], then[name])
    return made


_COMPLETED: Mapping[str, Mapping[str, Config]] = {
    "turn_detection": {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD},
    "transcription": {"": _TRANSCRIPTION},
}
"""Members that are told in full however little of them a client says, by their type, if they have types: the first is
the usual one."""


def _merged_side(side: Config, change: Config) -> Config:
    made = side | change
    if "format" not in side:  # a translation's, which is told as it is
        return made
    if made["format"] is None:
        made["format"] = _PCM
    for name, kinds in _COMPLETED.items():
        told = change.get(name)
        if told is not None:
            kind = told.get("type", next(iter(kinds)))
            before = side[name]
            start = before if before and before.get("type", "") == kind else kinds[kind]
            made[name] = start | {key: value for key, value in told.items() if value is not None or key in start}
    return made


RESPONSE: Check = record(
    SAYING
    | {
        "audio": record({"output": record({"format": nullable(_format), "voice": VOICE})}),
        "conversation": nullable(choice("auto", "none")),
        "input": nullable(listed(an_object)),
        "metadata": nullable(mapping(text)),
    }
)
"""What a single response may be told (`response.create`)."""
