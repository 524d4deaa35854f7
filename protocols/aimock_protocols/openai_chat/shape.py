"""What the answer to a completion request takes from it (wire-openai-chat §2): little, and the same for many."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.openai_dialects.dialect import Dialect
from aimock_protocols.openai_dialects.openai import OPENAI
from aimock_protocols.usage import estimate, prompt_length

_MAX_TOP_LOGPROBS = 20


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    """As asked for; empty if the request names none."""
    service_tier: str
    """The tier that serves: the one named, of which `auto` means the default."""
    choices: int
    include_usage: bool
    include_obfuscation: bool
    top_logprobs: int | None
    """Alternatives a token; None if no log probabilities are wanted."""
    speaks_functions: bool
    """Legacy: `functions` and no `tools`, to which the answer is one `function_call`."""
    custom_tools: frozenset[str]
    """Names of the tools offered that take free text."""
    prompt_tokens: int
    """Estimated."""
    dialect: Dialect


def shape(request: ChatRequest, dialect: Dialect = OPENAI) -> Shape:
    """The shape of a decoded request, whatever stands in it: what is malformed asks for nothing."""
    body = request.body
    tier = body.get("service_tier")
    options = body.get("stream_options")
    if type(options) is not dict:
        options = _NO_OPTIONS
    tools = body.get("tools")
    return Shape(
        request.model,
        tier if isinstance(tier, str) and tier != "auto" else "default",
        body.get("n") or 1,
        options.get("include_usage") is True,
        options.get("include_obfuscation") is True,
        _top_logprobs(body) if "logprobs" in body else None,
        "functions" in body and bool(body["functions"]) and not tools,
        _custom_tools(tools) if tools else _NO_TOOLS,
        estimate(prompt_length(body.get("messages"))),
        dialect,
    )


_NO_OPTIONS: dict[str, Any] = {}
_NO_TOOLS: frozenset[str] = frozenset()


def _top_logprobs(body: dict[str, Any]) -> int | None:
    if body["logprobs"] is not True:
        return None
    top = body.get("top_logprobs")
    return max(0, min(top, _MAX_TOP_LOGPROBS)) if type(top) is int else 0


def _custom_tools(tools: Any) -> frozenset[str]:
    offered = [tool.get("custom") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    names = [custom.get("name") for custom in offered if isinstance(custom, dict)]
    return frozenset(name for name in names if isinstance(name, str))
