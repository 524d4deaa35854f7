"""What a request asks for besides its contents: sampling, tools, the form of the answer (wire-gemini §2)."""

from __future__ import annotations

from typing import Any

from aimock_protocols.gemini.fields import both_cases, enum, field, many, one
from aimock_protocols.gemini.platform import refusal

MOST_CANDIDATES = 8

_ASKING = both_cases("generationConfig", "tools", "toolConfig")
_PARAMETERS = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "seed": "seed",
    "candidateCount": "n",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_CHOICES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_DECLARED = both_cases("functionDeclarations")
_SCHEMAS = ("responseSchema", "responseJsonSchema", "responseFormat")
_JSON = "application/json"


def parameters(sent: dict[str, Any]) -> dict[str, Any]:
    """Members of the canonical body. Raises WireError."""
    if _ASKING.isdisjoint(sent):
        return {}
    told: dict[str, Any] = {}
    config = one(sent, "generationConfig", "generation_config")
    for theirs, ours in _PARAMETERS.items() if config else ():
        value = field(config, theirs)
        if value is not None:
            told[ours] = value
    count = told.get("n")
    if type(count) is int and not 1 <= count <= MOST_CANDIDATES:
        raise refusal(
            "* GenerateContentRequest.generation_config.candidate_count: "
            f"must be from 1 to {MOST_CANDIDATES}, but is {count}"
        )
    level = field(one(config, "thinkingConfig", "generation_config.thinking_config"), "thinkingLevel")
    if type(level) is str:
        told["reasoning_effort"] = level.lower()
    wanted = _response_format(config)
    if wanted is not None:
        told["response_format"] = wanted
    tools = many(sent, "tools", "tools")
    if tools:
        told["tools"] = [tool for each in enumerate(tools) for tool in _tools(*each)]
    calling = one(
        one(sent, "toolConfig", "tool_config"), "functionCallingConfig", "tool_config.function_calling_config"
    )
    mode = enum(calling.get("mode"), _MODES)
    if mode in _CHOICES:
        told["tool_choice"] = _choice(mode, field(calling, "allowedFunctionNames"))
    return told


def _choice(mode: str, allowed: Any) -> Any:
    """How tools are to be chosen: where only one may be, and some must, that one."""
    if mode == "ANY" and type(allowed) is list and len(allowed) == 1:
        return {"type": "function", "function": {"name": allowed[0]}}
    return _CHOICES[mode]


def _tools(index: int, tool: dict[str, Any]) -> list[dict[str, Any]]:
    """A tool's functions; then, as they came, those of its parts that the provider runs itself."""
    made = []
    for declared in many(tool, "functionDeclarations", f"tools[{index}].function_declarations"):
        function: dict[str, Any] = {name: declared[name] for name in ("name", "description") if name in declared}
        schema = declared.get("parameters")
        schema = field(declared, "parametersJsonSchema") if schema is None else schema
        if schema is not None:
            function["parameters"] = schema
        made.append({"type": "function", "function": function})
    rest = {name: value for name, value in tool.items() if name not in _DECLARED}
    return [*made, rest] if rest else made


def _response_format(config: dict[str, Any]) -> dict[str, Any] | None:
    """The format that the answer shall have."""
    if not config or field(config, "responseMimeType") != _JSON:
        return None
    schema = next((value for name in _SCHEMAS if (value := field(config, name)) is not None), None)
    if schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"schema": schema}}
