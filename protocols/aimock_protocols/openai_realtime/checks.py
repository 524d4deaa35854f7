"""What members of a client's event must be, and how it is told that they are not (wire-openai-realtime §1).

A check takes a value and its place (`session.audio.input.format`) and gives the value as it is to be kept. It raises
WireError for what the provider would refuse.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from aimock_protocols.canonical import WireError
from aimock_protocols.openai_platform import invalid_type, missing, refusal

Check = Callable[[Any, str], Any]


def invalid_value(param: str, message: str) -> WireError:
    return refusal(message, param, "invalid_value")


def _is(kind: type, expected: str) -> Check:
    def check(value: Any, param: str) -> Any:
        if type(value) is not kind:
            raise invalid_type(param, expected, value)
        return value

    return check


text = _is(str, "a string")
boolean = _is(bool, "a boolean")
an_object = _is(dict, "an object")


def number(least: float, most: float) -> Check:
    def check(value: Any, param: str) -> Any:
        if type(value) not in (int, float):
            raise invalid_type(param, "a decimal", value)
        return _between(value, least, most, param)

    return check


def integer(least: int, most: int) -> Check:
    def check(value: Any, param: str) -> Any:
        if type(value) is not int:
            raise invalid_type(param, "an integer", value)
        return _between(value, least, most, param)

    return check


def _between(value: Any, least: float, most: float, param: str) -> Any:
    if not least <= value <= most:
        raise invalid_value(param, f"Invalid '{param}': must be between {least} and {most}, but got {value}.")
    return value


def choice(*names: str) -> Check:
    def check(value: Any, param: str) -> Any:
        text(value, param)
        if value not in names:
            supported = ", ".join(f"'{name}'" for name in names)
            raise invalid_value(param, f"Invalid value: '{value}'. Supported values are: {supported}.")
        return value

    return check


def nullable(check: Check) -> Check:
    return lambda value, param: None if value is None else check(value, param)


def listed(check: Check) -> Check:
    def check_all(value: Any, param: str) -> Any:
        if type(value) is not list:
            raise invalid_type(param, "an array", value)
        return [check(one, f"{param}[{index}]") for index, one in enumerate(value)]

    return check_all


def mapping(check: Check) -> Check:
    """An object with any members, whose values are all alike."""
    return lambda value, param: {name: check(one, f"{param}.{name}") for name, one in an_object(value, param).items()}


def record(members: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these members and no others."""

    def check(value: Any, param: str) -> Any:
        an_object(value, param)
        for name in required:
            if name not in value:
                raise missing(f"{param}.{name}")
        for name in value:
            if name not in members:
                raise refusal(f"Unknown parameter: '{param}.{name}'.", f"{param}.{name}", "unknown_parameter")
        return {name: members[name](one, f"{param}.{name}") for name, one in value.items()}

    return check


def variant(kinds: Mapping[str, Check], default: str | None = None) -> Check:
    """An object of one of several kinds, told by its `type`."""
    known = choice(*kinds)

    def check(value: Any, param: str) -> Any:
        an_object(value, param)
        kind = value.get("type", default)
        if kind is None:
            raise missing(f"{param}.type")
        return kinds[known(kind, f"{param}.type")](value, param)

    return check


def either(check: Check, otherwise: Check, kind: type) -> Check:
    """The first check for values of a kind, the second for all others."""
    return lambda value, param: (check if type(value) is kind else otherwise)(value, param)


def audio(value: Any, param: str) -> bytes:
    """Bytes in base64."""
    try:
        return base64.b64decode(text(value, param), validate=True)
    except (binascii.Error, ValueError):
        message = f"Invalid '{param}'. Expected base64-encoded audio bytes, but got an invalid value."
        raise invalid_value(param, message) from None
