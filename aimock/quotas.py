"""Quotas: so many requests and tokens a minute for each key or model, in token buckets that refill all the time.

A request costs one request, and as many tokens as OpenAI would count before it answers: the estimate of its prompt, or
the answer that it asks for at most, whichever is more. One that finds too little left is refused before it is matched,
so that no sequence moves on, and costs nothing. What is left is told in the provider's rate limit headers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

import attrs

from aimock.bounded import Bounded
from aimock.net.exchange import Head
from aimock.reading import Fields, members, object_schema, one_of, whole_number, wrong
from aimock.redaction import CREDENTIAL_HEADERS, CREDENTIAL_QUERY_KEYS, SIGNED
from aimock_protocols.canonical import Allowance, Excess

PLENTY = Allowance(10_000, 9_999, 0.006, 2_000_000, 1_999_976, 0.0)
"""What responses tell where no quota is kept."""

SPENT = Allowance(60, 0, 1.0, 150_000, 0, 360.0)
"""What a 429 tells that no quota has caused."""

_MAX_BUCKETS = 4_096
_UNLIMITED = 10**9
_GRAIN = 1e-6
"""What a refill may lack by rounding: who waits as long as told is served."""


class Per(StrEnum):
    """Whose quota it is."""

    KEY = "key"
    MODEL = "model"


@attrs.frozen
class Quota:
    """What a client may ask for. None: without limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    per: Per = Per.KEY


_LIMIT = whole_number(1, _UNLIMITED)
_FIELDS: Fields = {
    "requestsPerMinute": ("requests_per_minute", _LIMIT),
    "tokensPerMinute": ("tokens_per_minute", _LIMIT),
    "per": ("per", one_of(*Per)),
}


def quota_from_json(given: Any, place: str = "") -> Quota:
    """`{"requestsPerMinute": 60, "tokensPerMinute": 10000, "per": "key"}`. Raises ValueError that begins with the
    place."""
    if isinstance(given, Quota):
        return given
    told = members(given, place, _FIELDS)
    if not told.keys() - {"per"}:
        raise wrong(place, "expected requestsPerMinute, tokensPerMinute, or both")
    return Quota(**told | ({"per": Per(told["per"])} if "per" in told else {}))


def quota_schema() -> dict[str, Any]:
    """The same as a JSON Schema."""
    either = [{"required": ["requestsPerMinute"]}, {"required": ["tokensPerMinute"]}]
    return object_schema({key: read for key, (_, read) in _FIELDS.items()}) | {"anyOf": either}


class _Bucket:
    """Full at first; a minute refills it from empty."""

    __slots__ = ("_at", "_left", "limit")

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._left = float(limit)
        self._at = now

    def refill(self, now: float) -> None:
        self._left = min(self.limit, self._left + (now - self._at) * self.limit / 60)
        self._at = now

    def wait_for(self, cost: int) -> float:
        """Seconds until there is enough; 0 if there is."""
        return max(0.0, (min(cost, self.limit) - self._left) * 60 / self.limit)

    def holds(self, cost: int) -> bool:
        return cost <= self._left + _GRAIN

    def take(self, cost: int) -> None:
        self._left -= cost

    @property
    def remaining(self) -> int:
        return max(0, math.floor(self._left + _GRAIN))

    @property
    def reset(self) -> float:
        """Seconds until it is full."""
        return (self.limit - self._left) * 60 / self.limit


class Quotas:
    """The buckets of one server. `clock` gives seconds that only go forward."""

    def __init__(self, quota: Quota, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._clock = clock
        self._buckets: Bounded[str, tuple[_Bucket, _Bucket]] = Bounded(_MAX_BUCKETS)

    def take(self, head: Head, model: str, tokens: int) -> tuple[Allowance, Excess | None]:
        """Charges a request, unless it is too much: then the second tells of what. The first tells what is left."""
        now = self._clock()
        requests, budget = self._of(_digest(model if self._quota.per is Per.MODEL else _key(head)), now)
        excess = None
        for unit, bucket, cost in (("requests", requests, 1), ("tokens", budget, tokens)):
            if not bucket.holds(cost):
                used = bucket.limit - bucket.remaining
                excess = Excess(unit, bucket.limit, used, cost, bucket.wait_for(cost), model)
                break
        else:
            requests.take(1)
            budget.take(tokens)
        left = Allowance(
            requests.limit, requests.remaining, requests.reset, budget.limit, budget.remaining, budget.reset
        )
        return left, excess

    def _of(self, owner: str, now: float) -> tuple[_Bucket, _Bucket]:
        buckets = self._buckets.get(owner)
        if buckets is None:
            limits = self._quota.requests_per_minute, self._quota.tokens_per_minute
            requests, tokens = (_Bucket(_UNLIMITED if limit is None else limit, now) for limit in limits)
            buckets = requests, tokens
            self._buckets.keep(owner, buckets)
        for bucket in buckets:
            bucket.refill(now)
        return buckets

    def reset(self) -> None:
        """Everybody's quota is whole again."""
        self._buckets.clear()


def _key(head: Head) -> str:
    """The caller's. Callers without a key share a quota."""
    key = next((head.headers[name] for name in sorted(CREDENTIAL_HEADERS) if name in head.headers), None)
    if key is None and head.query:
        key = next((value for name, value in parse_qsl(head.query) if name in CREDENTIAL_QUERY_KEYS), None)
    signed = SIGNED.fullmatch(key) if key else None  # every request has a signature of its own
    return signed[1] if signed is not None else key or ""


def _digest(owner: str) -> str:
    """Stands for a key, which is not kept, or for a model, whose name may be long."""
    return hashlib.blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
