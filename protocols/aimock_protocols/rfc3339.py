"""Points in Unix time as RFC 3339 writes them, in UTC: `2026-01-31T23:59:59Z`, `2026-01-31T23:59:59.000250Z`.

The year is taken to begin in March, so that a leap day is its last: H. Hinnant, "chrono-Compatible Low-Level Date
Algorithms", civil_from_days and days_from_civil.
"""

from __future__ import annotations

import re
from functools import lru_cache

_MICROSECONDS = 1_000_000
_DAY = 86_400
_EPOCH = 719_468
"""Days from 1 March of the year 0 to 1 January 1970."""

_WRITTEN = re.compile(r"(\d{4,})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-]\d\d):(\d\d))", re.ASCII)


def in_seconds(seconds: int) -> str:
    """A point in time to the second."""
    return _until_the_fraction(seconds) + "Z"


def in_microseconds(seconds: float) -> str:
    """A point in time to the microsecond."""
    whole, fraction = divmod(round(seconds * _MICROSECONDS), _MICROSECONDS)
    return f"{_until_the_fraction(whole)}.{fraction:06}Z"


def to_milliseconds(seconds: float) -> str:
    """A point in time cut off at the millisecond, and without its zone: more digits may follow."""
    return in_microseconds(seconds)[:-4]


@lru_cache(maxsize=64)
def _until_the_fraction(seconds: int) -> str:
    days, second = divmod(seconds, _DAY)
    era, day_of_era = divmod(days + _EPOCH, 146_097)
    year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    month, day = (5 * day_of_year + 2) // 153, day_of_year
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def seconds_of(text: str) -> int:
    """The inverse, to the second, of any offset from UTC. Raises ValueError on what is no point in time."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"no point in time: {text[:40]!r}")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    offset = 0 if found[7] is None else int(found[7]) * 3600 + int(found[7][0] + found[8]) * 60
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days = era * 146_097 + day_of_era - _EPOCH
    return days * _DAY + hour * 3600 + minute * 60 + second - offset
