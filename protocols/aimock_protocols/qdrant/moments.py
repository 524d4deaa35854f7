"""Points in time as payloads and conditions have them: RFC 3339, and what the server takes for it besides."""

from __future__ import annotations

import re
from functools import lru_cache

from aimock_protocols.rfc3339 import seconds_of

_WRITTEN = re.compile(
    r"\s*(?P<date>\d{4}-(?P<month>\d\d)-(?P<day>\d\d))"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?"
    r"(?: ?(?:Z|z|UTC|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?))?)?)?",
    re.ASCII,
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@lru_cache(maxsize=4096)
def microseconds_of(text: str) -> int | None:
    """Unix time in microseconds, cut off there; without an offset, UTC is meant. None if it is no point in time."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    year, month, day = int(found["date"][:4]), int(found["month"]), int(found["day"])
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month) or hour > 23 or minute > 59 or second > 59:
        return None
    offset = f"{found['sign'] or '+'}{found['hours'] or '00'}:{found['minutes'] or '00'}"
    seconds = seconds_of(f"{found['date']}T{hour:02}:{minute:02}:{second:02}{offset}")
    return seconds * 1_000_000 + int(f"{found['fraction'] or '0':0<6.6}")


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _DAYS[month - 1]
