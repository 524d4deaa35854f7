"""What each fault does to an answer: functions from values to values.

Some stand instead of the answer, some spoil the reply before it is rendered, its frames, or what is sent at last. What
a provider would word itself (a 429, an error event) is in its own words. What cannot be done to an answer that is not
streamed is done as nearly as can be.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

import attrs
import trio

from aimock.chaos import Odds, draw
from aimock.exchange import Exchange
from aimock.fixtures import Fixture
from aimock.fixtures.faults import Fault, FaultName, plain
from aimock.journal import Entry
from aimock.net.exchange import Answer, Cut, Ending, Headers, Outcome, Relay, Slicing, Stream, Task, Upgrade, Whole
from aimock.physics import Limit
from aimock.quotas import SPENT
from aimock.randomness import uniforms
from aimock_protocols.canonical import Allowance, ErrorReply, Excess, Frame, Reply, ToolCall
from aimock_protocols.midstream import COUNTED, interrupted

if TYPE_CHECKING:
    from aimock_protocols.cutting import Cutter

MALFORMED_BODY = b"{malformed json: <<<chaos>>>"
OVERLOADED = ErrorReply("Overloaded", status=529)
UNAVAILABLE = ErrorReply("Service temporarily unavailable", status=503)

ENDINGS = {
    FaultName.RESET: Ending.RST,
    FaultName.FIN: Ending.FIN,
    FaultName.TRUNCATE: Ending.CLEAN,
    FaultName.STALL: Ending.STALL,
}

_OF_FRAMES = {*ENDINGS, FaultName.MALFORMED_FRAME, FaultName.ERROR_EVENT}

_DEFAULT_AFTER = 1
_DEFAULT_DELAY_MS = 10_000
_DEFAULT_SIZE = 7
_DEFAULT_GAP_MS = 1
_ABSURD_SECONDS = 1_000_000
_DATE_AHEAD = 2
_FIRST_ERROR = 400
_PAGE: Headers = (("content-type", "text/html; charset=utf-8"),)


class Limits(Protocol):
    """How a quota is told of."""

    def rate_limits(self, allowance: Allowance, now: float) -> Headers: ...

    def rate_limited(self, excess: Excess) -> ErrorReply: ...


class Spoiler(NamedTuple):
    """A surface, as far as faults concern it."""

    exchange: Exchange
    protocol: Limits
    fixture: Fixture | None
    model: str
    streamed: bool
    """Whether a stream is wanted."""
    serve: Callable[[], Answer]
    """The answer as it would be; what it makes of the reply and its frames heeds `exchange.fault`."""
    fail: Callable[[ErrorReply], Whole]
    """An error in the provider's words."""
    empty: Callable[[], Whole]
    """An answer without a body."""
    error_event: Callable[[ErrorReply], Frame]
    """The same error in the midst of a stream."""
    is_relayed: bool = False
    """Whether a provider is asked: even if its answer is then not sent, so that it can be recorded."""


def beset(spoiler: Spoiler, odds: Odds) -> Answer:
    """The answer, after the wait and with the fault that chaos has for it. A client that leaves meanwhile is neither
    served nor journaled, and nothing is drawn."""

    def answer() -> Answer:
        exchange = spoiler.exchange
        fault = drawn(exchange, odds)
        if fault is None:
            return spoiler.serve()
        exchange.fault = fault
        if exchange.state.metrics is not None:
            exchange.state.metrics.chaos_triggered(fault.name, _source(spoiler))
        instead = _INSTEAD.get(fault.name)
        if spoiler.is_relayed and fault.name is FaultName.MALFORMED:
            instead = None
        if instead is not None:
            return instead(spoiler, fault)
        if fault.name in ENDINGS and frames_before(fault) == 0 and fault.name is not FaultName.TRUNCATE:
            return _cut(spoiler, ENDINGS[fault.name])
        if fault.name is FaultName.ERROR_EVENT and not spoiler.streamed:
            return spoiler.fail(OVERLOADED)
        return _spoiled(spoiler.serve(), fault, spoiler)

    async def wait() -> Answer:
        await trio.sleep(odds.latency)
        return answer()

    return Task(wait) if odds.latency else answer()


def drawn(exchange: Exchange, odds: Odds) -> Fault | None:
    """The fault that strikes this exchange, if any."""
    draws = uniforms(exchange.stamp.entropy, "chaos")
    return draw(odds, exchange.state.chaos, exchange.steering.test_id, draws)


def _source(spoiler: Spoiler) -> str:
    """Where the answer comes from that chaos befalls."""
    if spoiler.is_relayed:
        return "proxy"
    return "internal" if spoiler.fixture is None else "fixture"


# -- instead of the answer ---------------------------------------------------------------------------------------------


def _cut(spoiler: Spoiler, ending: Ending = Ending.FIN) -> Cut:
    spoiler.exchange.record(0, spoiler.fixture)
    return Cut(ending)


def _drop(spoiler: Spoiler, fault: Fault) -> Whole:
    return _plain_error(spoiler, 500, "Chaos: request dropped", "server_error", "chaos_drop")


def _rate_limit(spoiler: Spoiler, fault: Fault) -> Whole:
    whole = _plain_error(spoiler, 429, "Chaos: rate limit exceeded", "rate_limit_error", "chaos_ratelimit")
    spent = spoiler.protocol.rate_limits(SPENT, spoiler.exchange.stamp.created)
    return attrs.evolve(whole, headers=(*whole.headers, ("retry-after", "1"), *spent))


def _plain_error(spoiler: Spoiler, status: int, message: str, kind: str, code: str) -> Whole:
    """In the same words for every provider, as the reference has it."""
    spoiler.exchange.record(status, spoiler.fixture)
    return spoiler.exchange.json(status, {"error": {"message": message, "type": kind, "code": code}})


def _malformed(spoiler: Spoiler, fault: Fault) -> Whole:
    spoiler.exchange.record(200, spoiler.fixture)
    return _garbage(spoiler.exchange)


def _garbage(exchange: Exchange) -> Whole:
    return attrs.evolve(exchange.json(200, None), body=MALFORMED_BODY)


def _empty(spoiler: Spoiler, fault: Fault) -> Whole:
    spoiler.exchange.record(200, spoiler.fixture)
    return spoiler.empty()


def _refusal(error: ErrorReply, spoiler: Spoiler, fault: Fault) -> Whole:
    """An error that says when to come back, if it is to."""
    whole = spoiler.fail(error)
    given = fault.retry_after
    if given is None:
        return whole
    headers = tuple(line for line in whole.headers if not line[0].startswith("retry-after"))
    if given != "none":
        headers += (("retry-after", _retry_after(given, spoiler.exchange.stamp.created)),)
    return attrs.evolve(whole, headers=headers)


def _retry_after(given: float | str, now: float) -> str:
    if not isinstance(given, str):
        return plain(given)
    import email.utils  # not for every start

    date = email.utils.formatdate(now + _DATE_AHEAD, usegmt=True)
    return {"date": date, "absurd": str(_ABSURD_SECONDS), "junk": "soon"}[given]


def _throttled(spoiler: Spoiler, fault: Fault) -> Whole:
    spoiler.exchange.allowance = SPENT  # whatever is left in truth: headers and body tell the same
    excess = Excess("requests", SPENT.limit_requests, SPENT.limit_requests, 1, 1.0, spoiler.model)
    return _refusal(spoiler.protocol.rate_limited(excess), spoiler, fault)


_INSTEAD: dict[FaultName, Callable[[Spoiler, Fault], Answer]] = {
    FaultName.DROP: _drop,
    FaultName.MALFORMED: _malformed,
    FaultName.RATE_LIMIT: _rate_limit,
    FaultName.DISCONNECT: lambda spoiler, fault: _cut(spoiler),
    FaultName.THROTTLED: _throttled,
    FaultName.OVERLOADED: functools.partial(_refusal, OVERLOADED),
    FaultName.UNAVAILABLE: functools.partial(_refusal, UNAVAILABLE),
    FaultName.EMPTY: _empty,
}


# -- the reply and its frames ------------------------------------------------------------------------------------------


def frames_before(fault: Fault) -> int:
    """How many frames are delivered before the fault strikes."""
    return _DEFAULT_AFTER if fault.after_chunks is None else fault.after_chunks


def spoiled_reply(reply: Reply, fault: Fault) -> Reply:
    """The reply with tool call arguments that are no JSON, if that is the fault."""
    if fault.name is not FaultName.BROKEN_ARGUMENTS:
        return reply
    parts = [
        attrs.evolve(part, arguments=_broken(part.arguments)) if isinstance(part, ToolCall) else part
        for part in reply.parts
    ]
    return attrs.evolve(reply, parts=tuple(parts))


def _broken(arguments: str) -> str:
    """The first half: no start of a JSON object is one."""
    return arguments[: max(1, len(arguments) // 2)] or "{"


def spoiled_frames(frames: Iterable[Frame], fault: Fault, error_event: Callable[[], Frame]) -> Iterable[Frame]:
    """The frames with a broken one among them, or cut short by an error event, if that is the fault."""
    if fault.name is FaultName.MALFORMED_FRAME:
        return _with_a_broken_one(frames, frames_before(fault))
    if fault.name is FaultName.ERROR_EVENT:
        return interrupted(frames, frames_before(fault), error_event())
    return frames


def _with_a_broken_one(frames: Iterable[Frame], left: int) -> Iterator[Frame]:
    for frame in frames:
        if frame.kind in COUNTED:
            if left == 0:
                frame = Frame(_unclosed(frame.data), frame.kind)
            left -= 1
        yield frame


def _unclosed(data: bytes) -> bytes:
    """JSON that lacks its last brace; its framing is whole."""
    before, _, after = data.rpartition(b"}")
    return before + after


def delay_of(fault: Fault) -> float:
    """Seconds that the first frame is late."""
    if fault.name is not FaultName.SLOW_FIRST_TOKEN:
        return 0.0
    return (_DEFAULT_DELAY_MS if fault.delay_ms is None else fault.delay_ms) / 1000


def limit_of(fault: Fault) -> Limit | None:
    """Where the fault cuts a stream."""
    ending = ENDINGS.get(fault.name)
    return None if ending is None else Limit(fault.name, frames_before(fault), ending=ending)


# -- what is sent at last ----------------------------------------------------------------------------------------------


def _spoiled(answer: Answer, fault: Fault, spoiler: Spoiler) -> Answer:
    if isinstance(answer, Task):
        return Task(functools.partial(_spoiled_later, answer, fault, spoiler))
    if isinstance(answer, Cut | Upgrade):
        return answer
    if fault.name is FaultName.WRONG_CONTENT_TYPE:
        rest = tuple(line for line in answer.headers if line[0] != "content-type")
        return attrs.evolve(answer, headers=_PAGE + rest)
    if isinstance(answer, Relay):
        return _spoiled_relay(answer, fault, spoiler)
    if fault.name is FaultName.SLICE:
        return attrs.evolve(answer, slicing=_slicing(fault))
    if isinstance(answer, Stream):
        return answer
    return _spoiled_whole(answer, fault, spoiler.exchange)


async def _spoiled_later(task: Task, fault: Fault, spoiler: Spoiler) -> Answer:
    return _spoiled(await task.run(), fault, spoiler)


def _slicing(fault: Fault) -> Slicing:
    gap = _DEFAULT_GAP_MS if fault.gap_ms is None else fault.gap_ms
    return Slicing(fault.size or _DEFAULT_SIZE, gap / 1000)


def _spoiled_relay(relay: Relay, fault: Fault, spoiler: Spoiler) -> Relay:
    """What the provider says is only known as it passes, and its length then no longer."""
    from aimock import tampering  # most servers relay nothing

    exchange, name, pieces, after = spoiler.exchange, fault.name, relay.pieces, frames_before(fault)
    if name is FaultName.MALFORMED:
        garbage = _garbage(exchange)
        pieces = tampering.replaced(pieces, garbage.body)
        return Relay(garbage.status, garbage.headers, pieces, garbage.fresh, on_end=relay.on_end)
    if name is FaultName.SLICE:
        slicing = _slicing(fault)
        return attrs.evolve(relay, pieces=tampering.sliced(pieces, slicing.size, slicing.gap))
    if name is FaultName.SLOW_FIRST_TOKEN:
        return attrs.evolve(relay, pieces=tampering.late(pieces, delay_of(fault)))
    if name not in _OF_FRAMES:
        if exchange.state.metrics is not None:
            exchange.state.metrics.chaos_bypassed(name, "proxy", "streamed")
        return relay
    frames = tampering.frames(pieces, _cutter_of(relay))
    if name is FaultName.MALFORMED_FRAME:
        return attrs.evolve(relay, pieces=tampering.spoiled(frames, after, _unclosed), length=None)
    last = spoiler.error_event(OVERLOADED).data if name is FaultName.ERROR_EVENT else b""
    strike = functools.partial(_plan, _entry_of(exchange), name)
    pieces = tampering.ended(frames, after, last, ENDINGS.get(name, Ending.CLEAN), strike)
    return attrs.evolve(relay, pieces=pieces, length=None)


def _cutter_of(relay: Relay) -> Cutter | None:
    from aimock_protocols.cutting import cutter_for

    headers = dict(relay.headers)
    return None if "content-encoding" in headers else cutter_for(headers.get("content-type", ""))


def _entry_of(exchange: Exchange) -> Entry:
    assert exchange.entry is not None, "whatever is served has been noted"
    return exchange.entry


def _plan(entry: Entry, reason: str) -> None:
    entry.planned = reason


def _spoiled_whole(whole: Whole, fault: Fault, exchange: Exchange) -> Answer:
    entry = _entry_of(exchange)
    if fault.name is FaultName.MALFORMED and whole.status < _FIRST_ERROR:
        return attrs.evolve(_garbage(exchange), on_end=whole.on_end)
    half = whole.body[: len(whole.body) // 2]
    if fault.name is FaultName.MALFORMED_FRAME:
        return attrs.evolve(whole, body=_unclosed(whole.body))
    if fault.name in ENDINGS:
        entry.planned = fault.name
        if fault.name is FaultName.TRUNCATE:
            return attrs.evolve(whole, body=half, on_end=entry.ended)
        pieces, ending = [(0.0, half)], ENDINGS[fault.name]
        return Stream(whole.status, whole.headers, pieces, whole.fresh, ending=ending, on_end=entry.ended)
    if delay_of(fault):
        return Task(functools.partial(_late, whole, delay_of(fault), entry))
    return whole


async def _late(whole: Whole, delay: float, entry: Entry) -> Whole:
    """The journal has it already, and must hear of a client that leaves while it waits."""
    try:
        await trio.sleep(delay)
    except trio.Cancelled:
        entry.ended(Outcome.CLIENT_LEFT)
        raise
    return whole
