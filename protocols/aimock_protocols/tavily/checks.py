"""What the parameters of requests must be, and how the service words it if they are not.

Where a wording is known from the service it is the service's; the others follow its manner. What is null is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aimock_protocols.tavily.platform import refusal

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MOST_URL = 2048
"""Characters of a URL."""


class Check(NamedTuple):
    """What one parameter must be."""

    holds: Callable[[Any], bool]
    message: str
    """With `{value}` where the service says what it got."""
    status: int = 400


def check(sent: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Raises WireError for the first parameter that is not what it must be."""
    for name, each in checks.items():
        value = sent.get(name)
        if value is not None and not each.holds(value):
            raise refusal(each.message.format(value=value), each.status)


def required(sent: Mapping[str, Any], name: str, message: str) -> str:
    """A parameter that must be text, and not empty. Raises WireError."""
    value = sent.get(name)
    if not isinstance(value, str) or not value.strip():
        raise refusal(message)
    return value


def one_of(what: str, *words: str) -> Check:
    """One of the words."""
    return Check(lambda value: value in words, f"Invalid {what}. Must be {_listed(words)}.")


def switch(name: str, *words: str) -> Check:
    """True, false, or one of the words."""
    told = f"True, False, {_listed(words, ', or ')}" if words else "True or False"
    return Check(
        lambda value: isinstance(value, bool) or (isinstance(value, str) and value in words),
        f"Invalid value for {name}. Must be {told}.",
    )


def whole(what: str, least: int, most: int | None = None, status: int = 400) -> Check:
    """A whole number within bounds."""

    def holds(value: Any) -> bool:
        return type(value) is int and least <= value and (most is None or value <= most)

    return Check(holds, f"Invalid {what}.", status)


def texts(name: str, most: int, what: str) -> Check:
    """At most so many texts."""

    def holds(value: Any) -> bool:
        return isinstance(value, list) and len(value) <= most and all(isinstance(each, str) for each in value)

    return Check(holds, f"Invalid value for {name}. Max {most} {what} are allowed.")


def _is_date(value: Any) -> bool:
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return False
    year, month, day = map(int, found.groups())
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= month <= 12 and 1 <= day <= (_DAYS[month - 1] if is_leap or month != 2 else 28)


DATE = Check(_is_date, "Invalid date format. Expected YYYY-MM-DD, got: {value}")
URL = Check(lambda value: isinstance(value, str) and len(value) <= _MOST_URL, "Invalid url.")


def check_dates(sent: Mapping[str, Any]) -> None:
    """That dates make a period, and that there is one way only in which it is said. Raises WireError."""
    start, end = sent.get("start_date"), sent.get("end_date")
    if sent.get("time_range") is not None and (start is not None or end is not None):
        raise refusal("When time_range is set, start_date or end_date cannot be set")
    if start is not None and end is not None and start > end:
        raise refusal("start_date cannot be after end_date")


def _listed(words: tuple[str, ...], last: str = " or ") -> str:
    quoted = [f"'{word}'" for word in words]
    return last.join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))
