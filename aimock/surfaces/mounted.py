"""A service at a path of its own, beside the LLMs': what all of them share.

A service is asked by `respond`, and answers with a value as every surface does. Chaos, journal, metrics and randomness
are the same as everywhere, by the methods here.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

import trio

from aimock.chaos import Level, odds
from aimock.exchange import Exchange
from aimock.faults import OVERLOADED, Spoiler, beset, delay_of, limit_of, spoiled_frames
from aimock.fixtures.faults import Fault
from aimock.journal import Entry
from aimock.net.exchange import Answer, Ending, Head, Headers, Stream, Whole
from aimock.surfaces.timing import ErrorFrame, Timed, ended_by
from aimock_protocols.canonical import Allowance, ErrorReply, Excess, Frame

logger = logging.getLogger("aimock")

_OTHER = "/{other}"


class Guard(Protocol):
    """Whoever decides which requests a service gets."""

    def routes(self, mount: str) -> Iterable[tuple[str, str]]:
        """Methods and paths at the origin that it answers, where a service is mounted there."""

    def answer(self, service: Mounted, exchange: Exchange, path: str) -> Answer | None:
        """The answer in place of the service's, journaled; None: it gets the request."""

    def expired(self, service: Mounted, exchange: Exchange) -> Answer:
        """The same where what let a request in is taken to have ended, and ends."""


class Mounted(abc.ABC):
    """A service. It belongs to one server; two that are the same kind share nothing."""

    name: ClassVar[str]
    """What the journal, metrics and health call its kind."""
    most_at_once: ClassVar[int | None] = 64
    """Tasks beside the requests; more wait. None: its owner bounds them."""
    shows: ClassVar[frozenset[str]] = frozenset()
    """Parameters by which the control API can ask what is in it."""
    paths: ClassVar[frozenset[str]] = frozenset()
    """Those inside the mount, beside its root, that metrics tell apart."""

    def __init__(self) -> None:
        self.path = ""
        """Where it is mounted; empty until it is."""
        self.guard: Guard | None = None
        """None: everybody is let in."""
        self._background: set[trio.CancelScope] = set()
        most = self.most_at_once
        self._room = contextlib.nullcontext() if most is None else trio.CapacityLimiter(most)

    # -- what a service says itself --------------------------------------------------------------------------------

    @property
    def extra_routes(self) -> Iterable[tuple[str, str]]:
        """Methods and paths at the origin itself that it answers too, if no service before it does; `respond` gets such
        a path as it is."""
        return ()

    def claims(self, head: Head) -> bool:
        """Whether it answers a request at the origin itself that no route here is for; `respond` gets the path as it
        is. Routes of a known number are better told as extra ones."""
        return False

    @abc.abstractmethod
    def respond(self, exchange: Exchange, path: str) -> Answer:
        """The answer to a request; `path` is inside the mount, `/` for its root. Awaits nothing, and raises nothing but
        by fault."""

    @abc.abstractmethod
    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        """The answer to a request that could not be read to its end."""

    @abc.abstractmethod
    def health(self) -> dict[str, Any]:
        """How it is, beginning with its `status`."""

    def shown(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """What the control API shows of it; the parameters are among those of `shows`. Raises ValueError for one whose
        value is wrong."""
        return {"path": self.path, "name": self.name, "health": self.health()}

    @abc.abstractmethod
    def add(self, value: Any) -> int:
        """Adds what a config section could have (without `path`), and says how many entries those were. Raises
        ValueError that names the key, what was expected, and the nearest key."""

    @abc.abstractmethod
    def reset(self) -> None:
        """Back to empty: fixtures, sessions, tasks."""

    @abc.abstractmethod
    def rewind(self, test_id: str | None = None) -> None:
        """What comes in turn begins anew, under one test id or all."""

    def label(self, path: str) -> str:
        """What metrics call a path inside the mount: nothing, for the root."""
        if path == "/":
            return ""
        return path if path in self.paths else _OTHER

    # -- what the server asks --------------------------------------------------------------------------------------

    @property
    def origin_routes(self) -> Iterable[tuple[str, str]]:
        """Its extra routes, and those of its guard."""
        return self.extra_routes if self.guard is None else (*self.extra_routes, *self.guard.routes(self.path))

    def answer(self, exchange: Exchange, path: str) -> Answer:
        """What `respond` says, if the guard lets the request in."""
        guarded = None if self.guard is None else self.guard.answer(self, exchange, path)
        return self.respond(exchange, path) if guarded is None else guarded

    # -- what services use -----------------------------------------------------------------------------------------

    def mounted_at(self, path: str) -> None:
        """Raises ValueError if it is mounted already."""
        if self.path:
            raise ValueError(f"path: the service is mounted at {self.path} already")
        self.path = path

    def noted(self, exchange: Exchange, status: int, method: str | Mapping[str, str], body: Any = None) -> Entry:
        """Journals the exchange and counts it; once for each. `method`: what metrics tell requests apart by, of a
        bounded number; or all such labels. `body`: the request as it was understood."""
        if body is not None:
            exchange.neutral = body if isinstance(body, dict) else {"body": body}
        if exchange.state.metrics is not None:
            labels = {"method": method} if isinstance(method, str) else method
            exchange.state.metrics.service_request(self.name, labels)
        return exchange.record(status)

    def missed(self, exchange: Exchange, why: str) -> None:
        """Says that nothing here is meant to answer this request."""
        logger.error("%s %s: %s", exchange.head.method, exchange.head.path, why)
        exchange.unexpected(why)

    def under_chaos(
        self,
        exchange: Exchange,
        serve: Callable[[], Answer],
        *,
        streamed: bool,
        fail: Callable[[ErrorReply], Whole],
        error_frame: ErrorFrame,
        level: Level | None = None,
        own: Callable[[Fault, Callable[[], Answer]], Answer | None] | None = None,
    ) -> Answer:
        """What `serve` answers, with the fault that chaos has for it. `streamed`: whether a stream is wanted. `fail`
        journals the exchange, as `serve` does, and gives an error in the service's words: of its `message` and
        `status`. `error_frame` tells one in the midst of a stream. `level`: the chaos of what answers, as a
        fixture has its own. `own`: what a fault does that only this service knows, to what `serve` would answer; None
        of others."""
        risks = odds(exchange.state.chaos.at(exchange.steering.test_id), level, exchange.steering.chaos)
        if risks is None:
            return serve()
        spoiler = Spoiler(
            exchange,
            _Limits(),
            None,
            self.name,
            streamed,
            serve=serve,
            fail=fail,
            empty=functools.partial(Whole, 200, (), b"", exchange.fresh_headers),
            error_event=lambda error: error_frame(error, exchange.stamp),
            own=own,
        )
        return beset(spoiler, risks)

    def streamed(
        self,
        exchange: Exchange,
        entry: Entry,
        headers: Headers,
        scheduled: Iterable[tuple[float, Frame]],
        error_frame: ErrorFrame,
    ) -> Stream:
        """A stream of frames with their offsets in seconds, as chaos has it."""
        timed, fault = Timed(scheduled, Ending.CLEAN, None, entry.ended), exchange.fault
        if fault is not None:
            spoiled = _spoiled([*scheduled], fault, functools.partial(error_frame, OVERLOADED, exchange.stamp))
            limit = limit_of(fault)
            timed = ended_by(spoiled, () if limit is None else (limit,), entry, entry.ended)
        sent = ((offset, frame.data) for offset, frame in timed.frames)
        return Stream(200, headers, sent, exchange.fresh_headers, timed.ending, timed.ends_at, on_end=timed.on_end)

    def spawn(self, work: Callable[[], Awaitable[None]]) -> trio.CancelScope:
        """Runs it beside the requests, in the server's loop, until it ends or the scope is cancelled, or the server
        closes. What it raises is logged."""
        scope = trio.CancelScope()
        self._background.add(scope)

        async def run() -> None:
            try:
                with scope:
                    async with self._room:
                        await work()
            except Exception:
                logger.exception("a task of %s failed", self.path or self.name)
            finally:
                self._background.discard(scope)

        trio.lowlevel.spawn_system_task(run)
        return scope

    async def aclose(self) -> None:
        """Ends what runs beside the requests."""
        for scope in [*self._background]:
            scope.cancel()


class _Limits:
    """A quota in the words of no provider."""

    def rate_limits(self, allowance: Allowance, now: float) -> Headers:
        return ()

    def rate_limited(self, excess: Excess) -> ErrorReply:
        return ErrorReply("Too many requests", "rate_limit_error", code="rate_limited", status=429)


def _spoiled(
    scheduled: list[tuple[float, Frame]], fault: Fault, error: Callable[[], Frame]
) -> list[tuple[float, Frame]]:
    """The frames with a broken one among them, or cut short by an error, or all late, if that is the fault."""
    offsets = [offset + delay_of(fault) for offset, _ in scheduled] or [delay_of(fault)]
    frames = spoiled_frames((frame for _, frame in scheduled), fault, error)
    return [*zip(itertools.chain(offsets, itertools.repeat(offsets[-1])), frames, strict=False)]
