"""Places on Earth, and the areas that conditions ask for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aimock_protocols.qdrant.errors import invalid, malformed
from aimock_protocols.qdrant.reading import Fields, listed, number

_RADIUS = 6_371_008.8
"""Metres of the mean radius of Earth (GRS 80)."""


class Place(NamedTuple):
    """In degrees."""

    lon: float
    lat: float


Area = Callable[[Place], bool]

_Ring = Sequence[Place]


def place_of(value: Any) -> Place | None:
    """The place that a value of a payload names, if it does."""
    if not isinstance(value, dict):
        return None
    here = Place(value.get("lon"), value.get("lat"))  # type: ignore[arg-type]  # looked at next
    return here if _is_degrees(here) else None


def place(value: Any, where: str) -> Place:
    """Reads one of a request. Raises WireError."""
    fields = Fields(value, where)
    here = Place(fields.need("lon", number), fields.need("lat", number))
    if not _is_degrees(here):
        raise malformed(f"{where}: Wrong format of GeoPoint payload: expected `lat` within [-90;90], `lon` [-180;180]")
    return here


def _is_degrees(here: Place) -> bool:
    return {*map(type, here)} <= {int, float} and -180 <= here.lon <= 180 and -90 <= here.lat <= 90


def distance(here: Place, there: Place) -> float:
    """Metres along a great circle, by the haversine formula."""
    lon, lat, other_lon, other_lat = (math.radians(degrees) for degrees in (*here, *there))
    half = math.sin((other_lat - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(other_lat) * math.sin((other_lon - lon) / 2) ** 2
    return 2 * _RADIUS * math.asin(math.sqrt(min(half, 1.0)))


# -- areas: what lies on their edges is not in them --------------------------------------------------------------------


def radius(value: Any, where: str) -> Area:
    fields = Fields(value, where)
    center, metres = fields.need("center", place), fields.need("radius", number)
    return lambda here: distance(center, here) < metres


def bounding_box(value: Any, where: str) -> Area:
    """One whose left edge is east of its right one lies across the antimeridian."""
    fields = Fields(value, where)
    (left, top), (right, bottom) = fields.need("top_left", place), fields.need("bottom_right", place)

    def holds(here: Place) -> bool:
        between = left < here.lon < right if left <= right else here.lon > left or here.lon < right
        return between and bottom < here.lat < top

    return holds


def polygon(value: Any, where: str) -> Area:
    fields = Fields(value, where)
    exterior = fields.need("exterior", _ring)
    holes = fields.get("interiors", listed(_ring), [])

    def holds(here: Place) -> bool:
        return _inside(here, exterior) is True and all(_inside(here, hole) is False for hole in holes)

    return holds


def _ring(value: Any, where: str) -> _Ring:
    points = Fields(value, where).need("points", listed(place))
    if len(points) < 4:
        raise invalid(where, f"value invalid, the size must be at least 4, got {len(points)}")
    if points[0] != points[-1]:
        raise invalid(where, "value invalid, the first and the last points should be same to form a closed line")
    return points


def _inside(here: Place, ring: _Ring) -> bool | None:
    """Whether a place is in a ring, by the crossings of a ray to the east; None on the ring itself."""
    crossings = 0
    for one, two in itertools.pairwise(ring):
        side = (two.lon - one.lon) * (here.lat - one.lat) - (two.lat - one.lat) * (here.lon - one.lon)
        if (
            side == 0
            and min(one.lon, two.lon) <= here.lon <= max(one.lon, two.lon)
            and min(one.lat, two.lat) <= here.lat <= max(one.lat, two.lat)
        ):
            return None
        if (one.lat > here.lat) != (two.lat > here.lat) and (side > 0) == (two.lat > one.lat):
            crossings += 1
    return crossings % 2 == 1
