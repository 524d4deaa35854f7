from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import rfc3339

seconds = st.integers(0, 253_402_300_799)
"""Up to the end of the year 9999, which is as far as `datetime` goes."""


@given(seconds)
def test_a_second_is_written_as_datetime_writes_it(second: int) -> None:
    assert rfc3339.in_seconds(second) == datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(1795200000.25, "2026-11-20T18:40:00.250000Z", id="a quarter"),
        pytest.param(1795200000.000001, "2026-11-20T18:40:00.000001Z", id="a microsecond"),
        pytest.param(1795199999.9999999, "2026-11-20T18:40:00.000000Z", id="rounded up"),
        pytest.param(1709164800, "2024-02-29T00:00:00.000000Z", id="a leap day"),
        pytest.param(0, "1970-01-01T00:00:00.000000Z", id="the epoch"),
    ],
)
def test_microseconds(second: float, expected: str) -> None:
    assert rfc3339.in_microseconds(second) == expected
    assert rfc3339.to_milliseconds(second) == expected[:23]


@given(seconds, st.integers(-23, 23), st.integers(0, 59))
def test_what_is_written_is_read_whatever_its_offset(second: int, hours: int, minutes: int) -> None:
    assert rfc3339.seconds_of(rfc3339.in_seconds(second)) == second
    assert rfc3339.seconds_of(rfc3339.in_microseconds(second + 0.999)) == second
    offset = timezone(timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes))
    if 86_400 < second < 253_402_214_400:  # so that the local year is one that there is
        assert rfc3339.seconds_of(datetime.fromtimestamp(second, offset).isoformat()) == second


@pytest.mark.parametrize("text", ["", "now", "2026-11-20", "2026-11-20T18:40:00", "2026-11-20T18:40Z", "٢026-11-20T"])
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no point in time"):
        rfc3339.seconds_of(text)
