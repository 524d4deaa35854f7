"""What happened: the last exchanges, bounded, without secrets (spec: core-server §9).

An entry keeps the request as it came and is turned into JSON only when it is read, since most never are.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aimock.fixtures import Fixture, describe
from aimock.fixtures.faults import Fault
from aimock.net.exchange import Outcome, Request
from aimock.redaction import redact_headers, redact_target
from aimock.steering import Steering

if TYPE_CHECKING:
    from aimock.exchange import Plan
from aimock_protocols.canonical import Stamp

MAX_BODY_BYTES = 65536
"""A neutral request body that is larger as JSON is replaced by a note of its size."""

_MEASURED_FROM = MAX_BODY_BYTES - 1024
"""Bytes of a raw body from which on its neutral form, which says a little more, is measured."""

_DELIVERED = Outcome.DELIVERED  # every request asks for it, and looking it up in the enum takes as long as the rest

_AS_TOLD = (Outcome.DELIVERED, Outcome.BROKEN_OFF)

_TRUNCATION_NOTE = "The request body was larger than the journal keeps; its size is that of the neutral JSON form."

_NESTED = {"__aimock_truncated": True, "note": "The request body is nested deeper than JSON is written here."}

INTERNAL = "internal"
"""The `source` of an answer that tells of this server's own trouble."""

_REFUSED = {408: "request body took too long", 413: "request body exceeded size limit"}
"""Why a request was not read to its end, by the status that it was refused with."""

Neutral = Callable[[Request, "Plan"], dict[str, Any]]
"""Makes the neutral body of a request."""


def request_id(steering: Steering, stamp: Stamp) -> str:
    """The caller's request id if it sent a fit one, else the one minted for the exchange."""
    return steering.request_id or "req_" + stamp.hexadecimal(32)


@attrs.define(eq=False)
class Proxied:
    """What became of a request that was sent on to a provider."""

    status: int | None = None
    """That of the provider's answer; None: there was none."""
    duration: float | None = None
    """Seconds from the request to the end of its answer; None: it has not come to its end."""
    recorded: str | None = None
    """The file that it is in."""
    fixture: Fixture | None = None
    """What answers in its place from now on."""

    def to_json(self) -> dict[str, Any]:
        milliseconds = None if self.duration is None else round(self.duration * 1000, 1)
        upstream = {"status": self.status, "durationMs": milliseconds}
        return {"recorded": self.recorded or False, "upstream": upstream}


@attrs.define(eq=False)
class Entry:
    """One exchange."""

    stamp: Stamp
    seed: int
    """The seed in force, from which this exchange can be repeated."""
    request: Request
    plan: Plan
    status: int
    """HTTP status of the answer; 0 if there was none."""
    neutral: Neutral | dict[str, Any] | None = None
    """The neutral request body, or what makes it of the request; None for requests that have none."""
    fixture: Fixture | None = None
    fault: Fault | None = None
    """What chaos did to the answer."""
    source: str | None = None
    """Where the answer came from, if it was neither a fixture nor a miss."""
    proxied: Proxied | None = None
    """Of a request that no fixture matched."""
    strict_override: bool | None = None
    interrupted: bool = False
    interrupt_reason: str | None = None
    planned: str | None = None
    """The fixture key or the fault that is to end the answer early."""
    on_end: Callable[[], object] | None = None
    """Told once all this is known."""

    def ended(self, outcome: Outcome) -> None:
        """Notes how the answer ended."""
        if outcome is not _DELIVERED:
            self.interrupted = True
        if self.planned is not None and outcome in _AS_TOLD:
            self.interrupted, self.interrupt_reason = True, self.planned
        if self.on_end is not None:
            self.on_end()

    def refused(self) -> None:
        """Notes that the request was not read to its end."""
        self.source = INTERNAL
        self.interrupted = True
        self.interrupt_reason = _REFUSED.get(self.status, "malformed request")

    def failed(self, status: int) -> None:
        """Notes that making the answer failed: whatever was to be sent, this status was."""
        self.source = INTERNAL
        self.status = status

    def body(self) -> dict[str, Any] | None:
        """The neutral request body."""
        return self.neutral(self.request, self.plan) if callable(self.neutral) else self.neutral

    def to_json(self) -> dict[str, Any]:
        """The entry as the control API shows it."""
        head, body = self.request.head, self.body()
        response: dict[str, Any] = {
            "status": self.status,
            "fixture": describe(self.fixture) if self.fixture is not None else None,
        }
        source = self.source
        if self.fault is not None:
            response["chaosAction"] = self.fault.name
            source = source or (INTERNAL if self.fixture is None else "fixture")
        if source is not None:
            response["source"] = source
        if self.proxied is not None:
            response |= self.proxied.to_json()
        if self.interrupted:
            response["interrupted"] = True
        if self.interrupt_reason is not None:
            response["interruptReason"] = self.interrupt_reason
        if self.strict_override is not None:
            response["strictOverride"] = self.strict_override
        shown = {
            "id": "req-" + self.stamp.alphanumeric(16, "journal"),
            "timestamp": round(self.stamp.created * 1000),
            "method": head.method,
            "path": redact_target(head.target),
            "headers": redact_headers(head.header_lines) | {"x-request-id": request_id(self.plan.steering, self.stamp)},
            "body": body if _size(body) is not None else dict(_NESTED),
            "response": response,
            "seed": self.seed,
        }
        return shown if self.plan.service is None else shown | {"service": self.plan.service}


class Journal:
    """The last entries, oldest first."""

    def __init__(self, max_entries: int = 1000) -> None:
        """`max_entries`: 0 keeps all."""
        self._entries: collections.deque[Entry] = collections.deque(maxlen=max_entries or None)
        self.watcher: Callable[[Entry], Callable[[], object]] | None = None
        """Told of each entry when it begins; what it returns is told of its end."""

    def add(self, entry: Entry) -> None:
        if len(entry.request.body) > _MEASURED_FROM:
            entry.neutral = _bounded(entry)
            entry.request = attrs.evolve(entry.request, body=b"")
        self._entries.append(entry)
        if self.watcher is not None:
            entry.on_end = self.watcher(entry)

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)


def _bounded(entry: Entry) -> dict[str, Any] | None:
    """The neutral body, or, if it is too large to keep, what stands in for it."""
    body = entry.body()
    size = _size(body)
    if size is None:
        return dict(_NESTED)
    if size <= MAX_BODY_BYTES:
        return body
    return truncated(size)


def truncated(size: int) -> dict[str, Any]:
    """What stands in for a body of that many bytes."""
    return {"__aimock_truncated": True, "originalByteSize": size, "note": _TRUNCATION_NOTE}


def _size(body: dict[str, Any] | None) -> int | None:
    """Bytes of the body as JSON; None if it is nested deeper than JSON can be written."""
    try:
        return len(orjson.dumps([[[[body]]]])) - 8  # as deep as it stands where it is shown
    except TypeError:
        return None
