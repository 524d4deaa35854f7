"""What the answer to a Responses request takes from it: its settings, which it repeats, and little else."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.openai_platform import refusal
from aimock_protocols.openai_responses import tools
from aimock_protocols.openai_responses.decode import conversation_id
from aimock_protocols.usage import estimate, prompt_length

_MAX_TOP_LOGPROBS = 20


class Echo(NamedTuple):
    """The settings that a response repeats, as members of a JSON object: in groups, between which it has members of
    its own. Of service tiers it has."""

    limits: bytes
    identity: bytes
    sampling: bytes
    owner: bytes


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    """As asked for; empty if the request names none."""
    echo: Echo
    service_tier: str
    """As asked for: `auto`, if nothing was."""
    is_background: bool
    encrypts: bool
    """Whether thoughts come with their encrypted content."""
    wants_encrypted: bool
    """Whether it is asked for, so that models that reason have some even where the fixture has no thought."""
    tells_sources: bool
    """Whether searches tell of the pages that they found."""
    top_logprobs: int | None
    """Alternatives a token; None if no log probabilities are wanted."""
    obfuscates: bool
    tools: tools.Peculiar
    """Of those offered."""
    prompt_tokens: int
    """Estimated."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it: what is malformed asks for nothing. Raises WireError on
    settings that are nested too deep."""
    native = request.native
    include = native.get("include")
    included = {name for name in include if type(name) is str} if type(include) is list else _NOTHING
    tier = native.get("service_tier")
    options = native.get("stream_options")
    offered = native.get("tools")
    wants_encrypted = "reasoning.encrypted_content" in included
    return Shape(
        request.model,
        _echo(native),
        tier if type(tier) is str else "auto",
        native.get("background") is True,
        wants_encrypted or native.get("store") is False,
        wants_encrypted,
        "web_search_call.action.sources" in included,
        _top_logprobs(native) if "message.output_text.logprobs" in included else None,
        type(options) is dict and options.get("include_obfuscation") is True,
        tools.peculiar(offered) if offered else tools.FUNCTIONS_ALONE,
        input_tokens(request),
    )


_NOTHING: set[str] = set()


def input_tokens(request: ChatRequest) -> int:
    """The estimate for all messages."""
    return estimate(prompt_length(request.body["messages"]))


def _top_logprobs(native: dict[str, Any]) -> int:
    top = native.get("top_logprobs")
    return max(0, min(top, _MAX_TOP_LOGPROBS)) if type(top) is int else 0


# -- the echo ----------------------------------------------------------------------------------------------------------

_NUMBER = (int, float)
_LIMITS: dict[str, tuple[Any, tuple[type, ...]]] = {
    "instructions": (None, (str,)),
    "max_output_tokens": (None, (int,)),
    "max_tool_calls": (None, (int,)),
}
_IDENTITY: dict[str, tuple[Any, tuple[type, ...]]] = {
    "parallel_tool_calls": (True, (bool,)),
    "presence_penalty": (0.0, _NUMBER),
    "previous_response_id": (None, (str,)),
    "prompt_cache_key": (None, (str,)),
    "prompt_cache_retention": (None, (str,)),
    "reasoning": ({"effort": None, "summary": None}, (dict,)),
    "safety_identifier": (None, (str,)),
}
_SAMPLING: dict[str, tuple[Any, tuple[type, ...]]] = {
    "store": (True, (bool,)),
    "temperature": (1.0, _NUMBER),
    "text": ({"format": {"type": "text"}, "verbosity": "medium"}, (dict,)),
    "tool_choice": ("auto", (str, dict)),
    "tools": ([], (list,)),
    "top_logprobs": (0, (int,)),
    "top_p": (1.0, _NUMBER),
    "truncation": ("disabled", (str,)),
}
_OWNER: dict[str, tuple[Any, tuple[type, ...]]] = {"user": (None, (str,)), "metadata": ({}, (dict,))}
"""Settings in the order in which they are repeated: what they are if the request says nothing, and of what types."""


def _echo(native: dict[str, Any]) -> Echo:
    if native.keys().isdisjoint(_ECHOED):
        return _NOTHING_SAID
    try:
        return Echo(*(_members(settings, native) for settings in (_LIMITS, _IDENTITY, _SAMPLING, _OWNER)))
    except orjson.JSONEncodeError:
        raise refusal("Settings are nested too deeply") from None


def _members(settings: dict[str, tuple[Any, tuple[type, ...]]], native: dict[str, Any]) -> bytes:
    told = {}
    for name, (default, kinds) in settings.items():
        value = native.get(name)
        if type(value) not in kinds:
            value = default
        elif name == "tools":
            value = tools.told(value)
        elif type(default) is dict:
            value = default | dict(value or {})
        told[name] = value
    if settings is _OWNER:
        conversation = conversation_id(native)
        if conversation is not None:
            told["conversation"] = {"id": conversation}
    return orjson.dumps(told)[1:-1]


_ECHOED = frozenset((*_LIMITS, *_IDENTITY, *_SAMPLING, *_OWNER, "conversation"))
_NOTHING_SAID = Echo(*(_members(settings, {}) for settings in (_LIMITS, _IDENTITY, _SAMPLING, _OWNER)))
