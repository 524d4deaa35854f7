"""Performs the steps of a dialogue.

Nothing here waits: steps are performed when they are given, in turn, and what follows from one of them (a stopped play
has something to say) comes before the next. What takes time is left to the pacer, or to a task.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol

import trio

from aimock.net.dialogue import Break, Close, Dialogue, Feed, Hold, Play, Send, Step, Stop, Wait
from aimock.net.exchange import Ending, Outcome
from aimock.net.framing import Framing
from aimock.net.outbox import Outbox
from aimock.net.pacer import JOINED_BYTES, Paced, Pacer

logger = logging.getLogger("aimock")


class Line(Protocol):
    """The connection, as its conversation sees it. The last three end the conversation: they call `stop`."""

    outbox: Outbox
    framing: Framing
    is_binary: bool
    """Whether messages leave in binary frames, if nothing else is said."""

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Runs it beside the conversation, for as long as that lasts."""

    def close(self, code: int, reason: str) -> None:
        """The closing handshake, as the dialogue wants."""

    def break_off(self, ending: Ending) -> None:
        """The connection ends as told."""

    def fail(self) -> None:
        """The dialogue is at fault."""


class _Moment(bytes):
    """What stands in a schedule for something that is no message."""


_THE_END = _Moment()


def _up_to(end: float, schedule: Iterable[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    """The messages that are due by then, and the moment itself."""
    yield from itertools.takewhile(lambda piece: piece[0] <= end, schedule)
    yield end, _THE_END


class Playing(Paced):
    """A play under way."""

    __slots__ = ("_line", "_marks", "_sent", "play")

    def __init__(self, play: Play, line: Line, start: float) -> None:
        self.play = play
        self._line = line
        self._sent = 0
        self._marks: Sequence[int] = ()
        """Of messages that the outbox did not pass on at once: where they end in all that it was ever given."""
        schedule = play.schedule if play.ends_at is None else _up_to(play.ends_at, play.schedule)
        super().__init__(iter(schedule), start)

    @property
    def sent(self) -> int:
        """How many messages have been sent, or will be although the play is stopped now."""
        outbox = self._line.outbox
        lost = sum(mark > outbox.taken for mark in self._marks) if outbox.failure is not None else 0
        return self._sent - lost

    def write_due(self, now: float) -> bool:
        outbox = self._line.outbox
        if self.pending is None or not outbox.is_clear:
            return False
        sent, given = self._sent, outbox.given
        frames = [self._next_frame()]
        size = len(frames[0])
        while self.pending is not None and self.due <= now and size < JOINED_BYTES:
            frames.append(self._next_frame())
            size += len(frames[-1])
        if outbox.write(b"".join(frames)):
            self._marks = ()
            return self.pending is not None
        ends = itertools.accumulate(map(len, frames), initial=given)
        self._marks = tuple(ends)[1 : 1 + self._sent - sent]  # only the last may be none, or not whole
        return False

    def _next_frame(self) -> bytes:
        """The pending message, framed; half of it, if that is how the play ends; nothing, if it is none."""
        message = self.pending
        self._advance()
        if message is None or message is _THE_END:
            return b""
        try:
            frame = self._line.framing.message(message, self._line.is_binary)
        except Exception as error:
            self.failure, self.pending = error, None
            return b""
        is_last = (self.pending is None and self.failure is None) or self.pending is _THE_END
        if is_last and self.play.ending is Ending.FIN_MID_CHUNK:
            return frame[: (len(frame) + 1) // 2]
        self._sent += 1
        return frame


class Conversation:
    """What a dialogue has under way on one connection."""

    __slots__ = (
        "_dialogue", "_feeds", "_is_over", "_line", "_pacer", "_plays", "_resting", "_since", "_steps", "_waits",
        "hold",
    )  # fmt: skip

    def __init__(self, dialogue: Dialogue, line: Line, pacer: Pacer) -> None:
        self._dialogue = dialogue
        self._line = line
        self._pacer = pacer
        self._plays: dict[Play, Playing] = {}
        self._resting: list[Playing] = []
        """Those of the plays that wait for the peer to read."""
        self._waits: dict[Wait, trio.CancelScope] = {}
        self._feeds: dict[Feed, trio.CancelScope] = {}
        self.hold: Hold | None = None
        """What is to be waited for before anything more is read."""
        self._steps: list[Iterator[Step]] = []
        """What is still to be performed: the last first."""
        self._since = 0.0
        self._is_over = False

    def open(self, since: float) -> None:
        """`since`: when that was to which the steps respond, in Trio's time; from there the offsets of plays count."""
        self._perform(self._dialogue.opened, since)

    def hear(self, message: str | bytes, since: float) -> None:
        self._perform(functools.partial(self._dialogue.received, message), since)

    def resume(self) -> None:
        """The peer has read what there was."""
        resting, self._resting = self._resting, []
        for playing in sorted(resting, key=lambda playing: playing.due):
            if playing.play in self._plays:
                self._go_on(playing)

    async def held(self) -> None:
        """Waits for as long as nothing is to be read."""
        while self.hold is not None:
            hold, self.hold = self.hold, None
            await hold.until()

    def hear_goodbye(self, code: int | None, reason: str) -> None:
        """The peer closes."""
        for feed in self._feeds:
            feed.on_goodbye(code, reason)

    def stop(self, outcome: Outcome) -> None:
        """Ends everything that is under way. May be called twice."""
        self._is_over = True
        self._steps.clear()
        for scope in (*self._waits.values(), *self._feeds.values()):
            scope.cancel()
        self._waits.clear()
        self._feeds.clear()
        plays, self._plays = self._plays, {}
        for playing in plays.values():
            self._pacer.drop(playing)
            self._tell(playing, outcome)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _perform(self, ask: Callable[[], Iterable[Step]], since: float | None = None) -> None:
        """Performs the steps that `ask` gives."""
        if self._is_over:
            return
        try:
            self._steps.append(iter(ask()))
            if len(self._steps) > 1:
                return  # whoever performs the one before goes on with these
            self._since = since if since is not None else trio.current_time()
            while self._steps:
                step = next(self._steps[-1], None)
                if step is None:
                    self._steps.pop()
                else:
                    self._take(step)
        except Exception:
            self._failed()

    def _take(self, step: Step) -> None:
        before = len(self._steps)
        self._catch_up()
        if len(self._steps) > before:  # first comes what follows from a play that was over before
            self._steps.insert(before, iter((step,)))
            return
        if self._is_over:
            return
        if isinstance(step, Send):
            is_binary = self._line.is_binary if step.is_binary is None else step.is_binary
            self._line.outbox.write(self._line.framing.message(step.data, is_binary))
        elif isinstance(step, Play):
            self._plays[step] = playing = Playing(step, self._line, self._since)
            self._go_on(playing)
        elif isinstance(step, Wait):
            self._waits[step] = scope = trio.CancelScope()
            self._line.start(functools.partial(self._await, step, scope))
        elif isinstance(step, Feed):
            self._feeds[step] = scope = trio.CancelScope()
            self._line.start(functools.partial(self._attend, step, scope))
        elif isinstance(step, Hold):
            self.hold = step
        elif isinstance(step, Stop):
            self._end(step.what)
        elif isinstance(step, Close):
            self._line.close(step.code, step.reason)
        elif isinstance(step, Break):
            self._line.break_off(step.ending)
        else:
            self._line.outbox.write(step.data)

    def _catch_up(self) -> None:
        """Writes what is due of the plays, but has not had its turn yet; up to the first that has steps to follow."""
        if not self._plays or not self._line.outbox.is_clear:
            return
        now, before = trio.current_time(), len(self._steps)
        due = [playing for playing in self._plays.values() if playing.due <= now]
        for playing in sorted(due, key=lambda playing: playing.due):
            self._pacer.drop(playing)
            self._go_on(playing)
            if self._is_over or len(self._steps) > before:
                return

    def _end(self, what: Play | Wait) -> None:
        if isinstance(what, Play):
            playing = self._plays.pop(what, None)
            if playing is not None:
                self._pacer.drop(playing)
                self._perform(functools.partial(what.on_end, Outcome.STOPPED, playing.sent))
        else:
            scope = self._waits.pop(what, None)
            if scope is not None:
                scope.cancel()
                self._perform(what.on_stop)

    async def _await(self, wait: Wait, scope: trio.CancelScope) -> None:
        steps: Iterable[Step] = ()
        with scope:
            try:
                steps = await wait.run()
            except Exception:
                if wait in self._waits:
                    self._failed()
        if self._waits.pop(wait, None) is not None:
            self._perform(lambda: steps)

    async def _attend(self, feed: Feed, scope: trio.CancelScope) -> None:
        with scope:
            try:
                await feed.run(self._fed)
            except Exception:
                self._failed()
        self._feeds.pop(feed, None)

    async def _fed(self, step: Step) -> None:
        self._perform(lambda: (step,))
        await self._line.outbox.room()

    # -- plays -----------------------------------------------------------------------------------------------------

    def _go_on(self, playing: Playing) -> None:
        now = trio.current_time()
        if playing.due > now or playing.write_due(now):
            self._pacer.play(playing, functools.partial(self._rested, playing))
        else:
            self._rested(playing)

    def _rested(self, playing: Playing) -> None:
        """There is no more of it, or the peer must read first. Raises nothing: the pacer calls it."""
        if playing.failure is not None:
            logger.error("a play failed", exc_info=playing.failure)
            self._line.fail()
        elif not self._line.outbox.is_clear:
            self._resting.append(playing)
        elif playing.play.ending is Ending.CLEAN:
            del self._plays[playing.play]
            self._perform(functools.partial(playing.play.on_end, Outcome.DELIVERED, playing.sent))
        else:
            del self._plays[playing.play]
            self._tell(playing, Outcome.DELIVERED)
            self._line.break_off(playing.play.ending)

    def _tell(self, playing: Playing, outcome: Outcome) -> None:
        """Tells how it ended; there is nobody who could perform what that gives."""
        try:
            for _ in playing.play.on_end(outcome, playing.sent):
                pass
        except Exception:
            logger.exception("a play failed at its end")

    def _failed(self) -> None:
        logger.exception("a dialogue failed")
        self._line.fail()
