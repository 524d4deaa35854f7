"""What requests are made of, and what is wrong with one.

ProtoJSON as its parsers read it: names in camelCase or snake_case, null for absent, numbers in strings, unknown fields
passed over. What is read is in camelCase and has known fields only. A field that is missing, or empty where proto says
REQUIRED, is told together with all others, as a2a-sdk does.

Source: `a2a.proto` (lf.a2a.v1), by the descriptors of a2a-sdk 1.3.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock_protocols.a2a.errors import INVALID_PARAMS, A2AError, Violation
from aimock_protocols.rfc3339 import seconds_of

Reader = Callable[[Any, str, list[Violation]], Any]
"""Reads a value at a place. What is wrong is added to the list, and what is given back then does not matter."""

_INT32 = 1 << 31
_CAPITAL = re.compile(r"(?<!^)([A-Z])")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    kinds = {dict: "an object", list: "an array", str: "a string", type(None): "null"}
    return kinds.get(type(value), "a number")


def _expected(what: str, value: Any, place: str, wrong: list[Violation]) -> None:
    wrong.append((place, f"expected {what}, got {_kind(value)}"))


def text(value: Any, place: str, wrong: list[Violation]) -> str:
    if not isinstance(value, str):
        _expected("a string", value, place, wrong)
        return ""
    return value


def flag(value: Any, place: str, wrong: list[Violation]) -> bool:
    if value in ("true", "false"):  # as in a query
        return bool(value == "true")
    if not isinstance(value, bool):
        _expected("true or false", value, place, wrong)
    return bool(value)


def count(value: Any, place: str, wrong: list[Violation]) -> int:
    """An int32 that is not negative."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            wrong.append((place, f"expected an integer, got {value[:40]!r}"))
            return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        _expected("an integer", value, place, wrong)
        return 0
    if not 0 <= value < _INT32:
        wrong.append((place, "must be non-negative" if value < 0 else "does not fit into 32 bits"))
    return value


def struct(value: Any, place: str, wrong: list[Violation]) -> dict[str, Any]:
    if not isinstance(value, dict):
        _expected("an object", value, place, wrong)
        return {}
    return value


def anything(value: Any, place: str, wrong: list[Violation]) -> Any:
    return value


def octets(value: Any, place: str, wrong: list[Violation]) -> str:
    """Bytes in base64, of either alphabet and with or without padding; given back in the usual one."""
    written = text(value, place, wrong).rstrip("=").replace("-", "+").replace("_", "/")
    written += "=" * (-len(written) % 4)
    try:
        base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        wrong.append((place, "expected base64"))
    return written


def moment(value: Any, place: str, wrong: list[Violation]) -> float:
    """A timestamp of RFC 3339, as Unix time in seconds."""
    written = text(value, place, wrong)
    fraction = re.search(r"\.\d+", written)
    try:
        return seconds_of(written) + (float(fraction[0]) if fraction else 0.0)
    except ValueError:
        wrong.append((place, "expected a timestamp of RFC 3339"))
        return 0.0


def many(read: Reader) -> Reader:
    """A list of what `read` reads."""

    def items(value: Any, place: str, wrong: list[Violation]) -> list[Any]:
        if not isinstance(value, list):
            _expected("an array", value, place, wrong)
            return []
        return [read(item, f"{place}[{index}]", wrong) for index, item in enumerate(value)]

    return items


def one_of(*names: str) -> Reader:
    """The name of an enum's value, or its number; 0 stands for what is not said, and has no name."""

    def name(value: Any, place: str, wrong: list[Violation]) -> str:
        if type(value) is int and 0 < value <= len(names):
            return names[value - 1]
        if value not in names:
            wrong.append((place, f"expected one of {', '.join(names)}"))
            return ""
        return str(value)

    return name


@attrs.frozen(slots=False)
class Shape:
    """An object of known fields."""

    required: Mapping[str, Reader] = {}
    optional: Mapping[str, Reader] = {}
    exactly_one: tuple[str, ...] = ()
    """Names of optional fields, of which there must be one."""

    def __call__(self, value: Any, place: str, wrong: list[Violation]) -> dict[str, Any]:
        given = struct(value, place, wrong)
        if given is not value:
            return given
        read: dict[str, Any] = {}
        for name, reader in (*self.required.items(), *self.optional.items()):
            key = name if name in given else _CAPITAL.sub(r"_\1", name).lower()
            where = f"{place}.{name}" if place else name
            found = given.get(key)
            is_absent = found is None and not (key in given and reader is anything)
            if name in self.required and (is_absent or found in ("", [])):
                wrong.append((where, "Field is required." if found != [] else "Must contain at least one element."))
            elif not is_absent:
                read[name] = reader(found, where, wrong)
        if self.exactly_one and sum(name in read for name in self.exactly_one) != 1:
            wrong.append((place, f"expected exactly one of {', '.join(self.exactly_one)}"))
        return read

    def read(self, value: Any) -> dict[str, Any]:
        """Raises A2AError (INVALID_PARAMS) that names every field at fault."""
        wrong: list[Violation] = []
        read = self(value, "", wrong)
        if wrong:
            place, what = wrong[0]
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise A2AError(INVALID_PARAMS, f"Invalid params: {place or 'params'}: {what}{more}", violations=wrong)
        return read


ROLES = ("ROLE_USER", "ROLE_AGENT")
STATES = (
    "TASK_STATE_SUBMITTED",
    "TASK_STATE_WORKING",
    "TASK_STATE_COMPLETED",
    "TASK_STATE_FAILED",
    "TASK_STATE_CANCELED",
    "TASK_STATE_INPUT_REQUIRED",
    "TASK_STATE_REJECTED",
    "TASK_STATE_AUTH_REQUIRED",
)
"""In the order of their numbers, from 1."""

_TENANT: Mapping[str, Reader] = {"tenant": text}

PART = Shape(
    optional={
        "text": text,
        "raw": octets,
        "url": text,
        "data": anything,
        "metadata": struct,
        "filename": text,
        "mediaType": text,
    },
    exactly_one=("text", "raw", "url", "data"),
)
MESSAGE = Shape(
    {"messageId": text, "role": one_of(*ROLES), "parts": many(PART)},
    {
        "contextId": text,
        "taskId": text,
        "metadata": struct,
        "extensions": many(text),
        "referenceTaskIds": many(text),
    },
)
_AUTHENTICATION = Shape({"scheme": text}, {"credentials": text})
_PUSH: Mapping[str, Reader] = {"id": text, "token": text, "authentication": _AUTHENTICATION, **_TENANT}
PUSH_CONFIG = Shape({"url": text}, {**_PUSH, "taskId": text})
CREATE_PUSH = Shape({"taskId": text, "url": text}, _PUSH)
SEND = Shape(
    {"message": MESSAGE},
    {
        "configuration": Shape(
            optional={
                "acceptedOutputModes": many(text),
                "taskPushNotificationConfig": PUSH_CONFIG,
                "historyLength": count,
                "returnImmediately": flag,
            }
        ),
        "metadata": struct,
        **_TENANT,
    },
)
GET_TASK = Shape({"id": text}, {"historyLength": count, **_TENANT})
LIST_TASKS = Shape(
    optional={
        "contextId": text,
        "status": one_of(*STATES),
        "pageSize": count,
        "pageToken": text,
        "historyLength": count,
        "statusTimestampAfter": moment,
        "includeArtifacts": flag,
        **_TENANT,
    }
)
CANCEL = Shape({"id": text}, {"metadata": struct, **_TENANT})
SUBSCRIBE = Shape({"id": text}, _TENANT)
PUSH_ID = Shape({"taskId": text, "id": text}, _TENANT)
LIST_PUSHES = Shape({"taskId": text}, {"pageSize": count, "pageToken": text, **_TENANT})
EXTENDED_CARD = Shape(optional=_TENANT)
