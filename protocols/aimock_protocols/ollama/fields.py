"""The types that members of a request must have, in the words of the decoder that the server has for them.

A member that is null is as good as missing. Source: wire-ollama §2, §4, §5; the messages are those of Go's
`encoding/json`, as clients have reported them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from aimock_protocols.canonical import WireError
from aimock_protocols.ollama.platform import refusal

LARGEST_TOP_LOGPROBS = 20
LEVELS = ("high", "medium", "low", "max")
"""How hard a model may be asked to think."""


class Field(NamedTuple):
    """The type of a member: in Python, and as the server calls it."""

    kind: type
    name: str


STRING = Field(str, "string")
FLAG = Field(bool, "bool")
OPTIONS = Field(dict, "map[string]interface {}")
IMAGES = Field(list, "[]api.ImageData")
ASKED: Mapping[str, Field] = {
    "model": STRING,
    "stream": FLAG,
    "options": OPTIONS,
    "logprobs": FLAG,
    "top_logprobs": Field(int, "int"),
    "truncate": FLAG,
    "shift": FLAG,
}
"""What every request for an answer may have."""

_KINDS = {
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}
_DURATION = re.compile(r"[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_SHORTEST = 1e-9
"""Seconds: what is shorter than a nanosecond is no time at all."""
_NOTHING = re.compile(r"[^1-9]*", re.ASCII)


def check(value: dict[str, Any], fields: Mapping[str, Field], where: str) -> None:
    """Checks the members of an object that the server calls `where`. Raises WireError, a 400."""
    for name, field in fields.items():
        given = value.get(name)
        if given is not None and type(given) is not field.kind:
            raise wrong_type(given, f"{where}.{name}", field.name)


def wrong_type(value: Any, where: str, wanted: str) -> WireError:
    """The refusal of a value of another type than the server wants there."""
    return refusal(f"json: cannot unmarshal {_KINDS[type(value)]} into Go struct field {where} of type {wanted}")


def objects(value: list[Any], where: str, kind: str) -> list[dict[str, Any]]:
    """A list whose entries must all be objects. Raises WireError, a 400."""
    for each in value:
        if type(each) is not dict:
            raise wrong_type(each, where, kind)
    return value


def model_of(sent: dict[str, Any]) -> str:
    """The model asked for. Raises WireError, a 400, if there is none."""
    model = sent.get("model")
    if not model:
        raise refusal("model is required")
    return str(model)


def check_asked(sent: dict[str, Any], fields: Mapping[str, Field], where: str) -> None:
    """Checks a request for an answer, all but its model. Raises WireError, a 400."""
    check(sent, fields, where)
    _check_keep_alive(sent.get("keep_alive"))
    top = sent.get("top_logprobs") or 0
    if not 0 <= top <= LARGEST_TOP_LOGPROBS:
        raise refusal(f"top_logprobs must be between 0 and {LARGEST_TOP_LOGPROBS}")
    think = sent.get("think")
    choices = ", ".join(f'"{level}"' for level in LEVELS) + ", true, or false"
    if type(think) is str and think not in LEVELS:
        raise refusal(f'invalid think value: "{think}" (must be {choices})')
    if type(think) not in (str, bool, type(None)):
        raise refusal(f"think must be a boolean or string ({choices})")
    wanted = sent.get("format")
    if wanted not in (None, "", "json") and type(wanted) is not dict:
        raise refusal('invalid format; expected "json" or a valid JSON Schema object')


def _check_keep_alive(keep: Any) -> None:
    if type(keep) is str:
        if _DURATION.fullmatch(keep) is None:
            raise refusal(f'time: invalid duration "{keep}"')
    elif type(keep) not in (int, float, type(None)):
        raise refusal("keep_alive must be a duration or a number of seconds")


def is_unload(sent: dict[str, Any]) -> bool:
    """Whether the model is to be kept in memory for no time at all, by a request that has been checked."""
    keep = sent.get("keep_alive")
    if type(keep) is str:
        return _NOTHING.fullmatch(keep) is not None
    return keep is not None and bool(0 <= keep < _SHORTEST)
