"""Requests for interactions to the canonical form (wire-gemini §9.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, Head
from aimock_protocols.gemini.platform import read_object
from aimock_protocols.gemini_interactions.items import messages_of
from aimock_protocols.gemini_interactions.platform import refusal

DEFAULT_MODEL = "gemini-2.5-flash"
"""The model of a request that names neither a model nor an agent."""

_RENAMED = frozenset(
    {"input", "system_instruction", "generation_config", "tools", "response_format", "response_mime_type"}
)
"""Members that the canonical form has elsewhere or otherwise."""

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_output_tokens": "max_tokens",
    "seed": "seed",
    "stop_sequences": "stop",
    "thinking_level": "reasoning_effort",
}
"""Members of `generation_config` by their canonical names."""

_CHOICES = {"auto": "auto", "any": "required", "none": "none", "validated": "auto"}


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form. Raises WireError, always a 400.

    What it takes up of an earlier interaction is put before its own messages by `recall`.
    """
    native = read_object(body)
    stream, background = _flag(native, "stream"), _flag(native, "background")
    is_kept = _flag(native, "store") is not False
    if background and not is_kept:
        raise refusal("'background' needs 'store': what runs in the background is to be fetched later")
    previous = _optional(native, "previous_interaction_id", str, "a string")
    model = _model(native)
    canonical = {name: value for name, value in native.items() if name not in _RENAMED}
    canonical["model"] = model
    canonical["messages"] = _messages(native)
    _configure(canonical, _optional(native, "generation_config", dict, "an object") or {})
    if type(native.get("tools")) is list:
        canonical["tools"] = [_tool(tool) for tool in native["tools"] if type(tool) is dict]
    wanted = _response_format(native)
    if wanted is not None:
        canonical["response_format"] = wanted
    return ChatRequest(canonical, native, model, stream or False, recalls=previous or None, remembers=is_kept)


def _optional(native: dict[str, Any], name: str, kind: type, wording: str) -> Any:
    value = native.get(name)
    if value is not None and type(value) is not kind:
        raise refusal(f"Invalid value at '{name}': must be {wording}")
    return value


def _flag(native: dict[str, Any], name: str) -> bool | None:
    flag: bool | None = _optional(native, name, bool, "a boolean")
    return flag


def _model(native: dict[str, Any]) -> str:
    """The model, or else the agent."""
    model: str | None = _optional(native, "model", str, "a string") or _optional(native, "agent", str, "a string")
    return (model or "").removeprefix("models/") or DEFAULT_MODEL


def _messages(native: dict[str, Any]) -> list[dict[str, Any]]:
    """The system's message, if there is one, then those of the input, which only who goes on may leave out."""
    system = _optional(native, "system_instruction", str, "a string")
    given = native.get("input")
    if given is None or given == []:
        if not (native.get("previous_interaction_id") or native.get("continuation_token")):
            raise refusal("Invalid request: 'input' is required")
        messages = []
    else:
        messages = messages_of(given)
    return [{"role": "system", "content": system}, *messages] if system else messages


def _configure(canonical: dict[str, Any], config: dict[str, Any]) -> None:
    for name, ours in _PARAMETERS.items():
        if config.get(name) is not None:
            canonical[ours] = config[name]
    choice = _tool_choice(config.get("tool_choice"))
    if choice is not None:
        canonical["tool_choice"] = choice


def _tool_choice(choice: Any) -> Any:
    """A mode, or a mode with the only tools that may be called; one that must be called is chosen by name."""
    allowed = choice.get("allowed_tools") if type(choice) is dict else None
    if type(allowed) is not dict:
        return _CHOICES.get(choice) if type(choice) is str else None
    mode, names = allowed.get("mode"), allowed.get("tools")
    if mode == "any" and type(names) is list and len(names) == 1:
        return {"type": "function", "function": {"name": names[0]}}
    return _CHOICES.get(mode) if type(mode) is str else None


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A function; tools that the provider runs stay as they are."""
    if tool.get("type") != "function":
        return tool
    return {
        "type": "function",
        "function": {key: tool[key] for key in ("name", "description", "parameters") if key in tool},
    }


def _response_format(native: dict[str, Any]) -> dict[str, Any] | None:
    """The format of text that is asked for, among those of other media; older clients give the schema itself."""
    wanted = native.get("response_format")
    for each in wanted if type(wanted) is list else [wanted]:
        if type(each) is not dict:
            continue
        if each.get("type") != "text":
            if native.get("response_mime_type") == "application/json":
                return _json_schema(each)
            continue
        if type(each.get("schema")) is dict:
            return _json_schema(each["schema"])
        if each.get("mime_type") == "application/json":
            return {"type": "json_object"}
    return {"type": "json_object"} if native.get("response_mime_type") == "application/json" else None


def _json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"schema": schema}}
