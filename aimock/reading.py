"""Reading what a user wrote as JSON: which key is wrong, what was expected there, and which key comes nearest.

Whoever reads takes a value and its place (`tools[2].inputSchema`; "" is the top), and gives the value as the server has
it, or raises ValueError whose text begins with the place. A `Check` knows a JSON Schema of the same too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, TypeVar

import attrs

T = TypeVar("T")
Word = TypeVar("Word", bound=str)

Read = Callable[[Any, str], Any]
Keys = Mapping[str, Read]
Fields = Mapping[str, tuple[str, Read]]
"""JSON key to attribute and what reads its value."""

_LONGEST_SHOWN = 80
_URL = re.compile(r'://[^"]*')

COMMENTS = {"^_": True}
"""The keys that nothing reads, as a schema's `patternProperties`."""


@attrs.frozen
class Check(Generic[T]):
    """What a value must be."""

    read: Callable[[Any, str], T]
    schema: Mapping[str, Any]

    def __call__(self, value: Any, place: str = "") -> T:
        return self.read(value, place)


def reads(schema: Mapping[str, Any]) -> Callable[[Callable[[Any, str], T]], Check[T]]:
    """Makes a function that reads a Check."""
    return lambda read: Check(read, schema)


# -- what is wrong -----------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value in a message: cut short, and without URLs, which may have secrets in them."""
    import json  # only what is wrong needs it

    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = _URL.sub("://…", text)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def wrong(place: str, said: str) -> ValueError:
    """What is said of a place."""
    return ValueError(f"{place}: {said}" if place else said)


def unlike(place: str, expected: str, got: Any) -> ValueError:
    """What is said of a value that is not what was expected."""
    return wrong(place, f"expected {expected}, got {shown(got)}")


def unknown(place: str, key: str, known: Collection[str], kind: str = "key") -> ValueError:
    """What is said of a key that there is not: the nearest that there is, or all of them."""
    import difflib  # likewise

    lowered = {each.lower(): each for each in known}
    close = difflib.get_close_matches(key.lower(), lowered, n=1)
    advice = f', did you mean "{lowered[close[0]]}"?' if close else f"; known are {', '.join(sorted(known))}"
    return wrong(inside(place, key), f"unknown {kind}{advice}")


def inside(place: str, key: str) -> str:
    """The place of a key's value."""
    return f"{place}.{key}" if place else key


def placed(read: Callable[[Any], T], value: Any, place: str) -> T:
    """What is read by somebody who knows of no places, and complains in whole sentences."""
    try:
        return read(value)
    except ValueError as error:
        raise wrong(place, str(error)) from None


# -- objects and arrays ------------------------------------------------------------------------------------------------


@reads({"type": "object"})
def mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise unlike(place, "an object", value)
    return dict(value)


@reads({"type": "array"})
def array(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise unlike(place, "an array", value)
    return list(value)


def keyed(
    value: Any, place: str, keys: Keys, required: Collection[str] = (), *, is_setting: bool = False
) -> dict[str, Any]:
    """An object whose keys are known. Keys that begin with an underscore are comments. Null stands for absent, as
    programs write it that have nothing to say, but where anything goes; in settings it is a value like others, and
    hardly ever a right one."""
    given = mapping(value, place)
    for key in given:
        if key not in keys and not str(key).startswith("_"):
            raise unknown(place, str(key), keys)
    said = {
        key: each
        for key, each in given.items()
        if key in keys and (each is not None or is_setting or keys[key] is anything)
    }
    for key in required:
        if key not in said:
            raise wrong(inside(place, key), "is missing")
    return {key: keys[key](each, inside(place, key)) for key, each in said.items()}


def members(
    value: Any, place: str, fields: Fields, required: Collection[str] = (), *, is_setting: bool = True
) -> dict[str, Any]:
    """The same by attributes."""
    keys = {key: read for key, (_, read) in fields.items()}
    found = keyed(value, place, keys, required, is_setting=is_setting)
    return {fields[key][0]: each for key, each in found.items()}


def object_of(keys: Keys, required: Collection[str] = ()) -> Check[dict[str, Any]]:
    """Checks an object whose keys are known."""
    return Check(lambda value, place: keyed(value, place, keys, required), object_schema(keys, required))


def object_schema(keys: Keys, required: Collection[str] = ()) -> dict[str, Any]:
    """The JSON Schema of an object whose keys are known."""
    return {
        "type": "object",
        "properties": {key: schema_of(read) for key, read in keys.items()},
        "patternProperties": COMMENTS,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def schema_of(read: Read) -> dict[str, Any]:
    """What of its values can be said in a JSON Schema; of a plain function nothing."""
    return dict(read.schema) if isinstance(read, Check) else {}


def many(read: Callable[[Any, str], T]) -> Check[list[T]]:
    """Checks an array of what `read` reads."""

    def items(value: Any, place: str) -> list[T]:
        return [read(item, f"{place}[{index}]") for index, item in enumerate(array(value, place))]

    return Check(items, {"type": "array", "items": schema_of(read)})


def mapping_of(read: Callable[[Any, str], T]) -> Check[dict[str, T]]:
    """Checks an object of any keys, whose values `read` reads."""

    def values(value: Any, place: str) -> dict[str, T]:
        return {key: read(each, inside(place, key)) for key, each in mapping(value, place).items()}

    return Check(values, {"type": "object", "additionalProperties": schema_of(read)})


# -- single values -----------------------------------------------------------------------------------------------------


def of_kind(expected: str, schema: Mapping[str, Any], holds: Callable[[Any], bool]) -> Check[Any]:
    """Checks that something holds of a value, which stays as it is."""

    def read(value: Any, place: str) -> Any:
        if not holds(value):
            raise unlike(place, expected, value)
        return value

    return Check(read, schema)


anything: Check[Any] = Check(lambda value, place: value, {})
text: Check[str] = of_kind("a string", {"type": "string"}, lambda value: isinstance(value, str))
filled: Check[str] = of_kind(
    "a string that is not empty",
    {"type": "string", "minLength": 1},
    lambda value: isinstance(value, str) and value != "",
)
flag: Check[bool] = of_kind("true or false", {"type": "boolean"}, lambda value: type(value) is bool)
integer: Check[int] = of_kind("an integer", {"type": "integer"}, lambda value: type(value) is int)


def whole_number(least: int, most: int | None = None) -> Check[int]:
    """Checks an integer from `least` to `most`."""
    return of_kind(
        f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}",
        {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most}),
        lambda value: type(value) is int and least <= value and (most is None or value <= most),
    )


count = whole_number(0)


def number(least: float, exclusive: bool = False, expected: str | None = None) -> Check[float]:
    """Checks a finite number of at least (or, if exclusive, above) `least`."""
    words = expected or (f"a number above {least:g}" if exclusive else f"a number of {least:g} or more")

    @reads({"type": "number", "exclusiveMinimum" if exclusive else "minimum": least})
    def read(value: Any, place: str) -> float:
        good = type(value) in (int, float) and least <= value < float("inf")
        if not good or (exclusive and value == least):
            raise unlike(place, words, value)
        return float(value)

    return read


milliseconds = number(0, expected="milliseconds, 0 or more")


def one_of(*words: Word) -> Check[Word]:
    """Checks one of some words."""
    return of_kind(f"one of {', '.join(words)}", {"enum": list(words)}, lambda value: value in words)
