"""Parameters that both versions of the chat have, and what the canonical form calls them."""

from __future__ import annotations

from typing import Any

_RENAMED = {"p": "top_p", "k": "top_k", "stop_sequences": "stop"}
_CHOICES = {"REQUIRED": "required", "NONE": "none"}
_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "none": "null",
}
"""Python's types, in which older tools are defined, in the words of JSON Schema."""


def renamed(sent: dict[str, Any]) -> dict[str, Any]:
    """Sampling parameters and the tool choice, under their canonical names."""
    changes = {ours: sent[theirs] for theirs, ours in _RENAMED.items() if theirs in sent}
    choice = sent.get("tool_choice")
    if type(choice) is str:
        changes["tool_choice"] = _CHOICES.get(choice, choice)
    return changes


def tool(given: dict[str, Any]) -> dict[str, Any]:
    """A tool as a function: it came as one, or flat, with its parameters defined one by one."""
    if "function" in given:
        return given
    function: dict[str, Any] = {name: given[name] for name in ("name", "description") if name in given}
    definitions = given.get("parameter_definitions")
    if type(definitions) is dict:
        function["parameters"] = _schema(definitions)
    return {"type": "function", "function": function}


def _schema(definitions: dict[str, Any]) -> dict[str, Any]:
    known = {name: each for name, each in definitions.items() if type(each) is dict}
    return {
        "type": "object",
        "properties": {name: _property(each) for name, each in known.items()},
        "required": [name for name, each in known.items() if each.get("required") is True],
    }


def _property(definition: dict[str, Any]) -> dict[str, Any]:
    """One parameter; of `List[str]` and the like the part before the bracket counts."""
    made = {}
    kind = definition.get("type")
    if type(kind) is str:
        made["type"] = _TYPES.get(kind.partition("[")[0].lower(), kind)
    if "description" in definition:
        made["description"] = definition["description"]
    return made
