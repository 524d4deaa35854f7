"""What a recording server has done: requests by what became of them, tokens, money and seconds by model.

It reads what the journal is told, at the end of each entry, and holds sums only: the journal forgets, this does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import trio

from aimock.fixtures import Fixture
from aimock.journal import Entry, Proxied
from aimock.record.prices import PriceList
from aimock_protocols.canonical import Reply, Vectors
from aimock_protocols.consumption import Consumption, consumed

if TYPE_CHECKING:
    from aimock.exchange import Exchange
    from aimock.state import State

_MODELS = 100
_OTHER_MODELS = "other models"
"""Models that are told apart, and what those after them are counted as: clients ask for what they like."""
_NO_MODEL = "no model"
_LONGEST_MODEL = 80


@attrs.define
class Used:
    """What a model took."""

    requests: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    """Requests whose price is not known, and which are not in `dollars`."""
    uncounted: int = 0
    """Requests of which no tokens are told."""

    def add(self, consumption: Consumption | None, cost: float | None) -> None:
        self.requests += 1
        if consumption is None:
            self.uncounted += 1
            return
        self.prompt += consumption.prompt
        self.cached += consumption.cached
        self.output += consumption.output
        self.reasoning += consumption.reasoning
        if cost is None:
            self.unpriced += 1
        else:
            self.dollars += cost


@attrs.define
class Sum:
    """What some requests took."""

    seconds: float = 0.0
    models: dict[str, Used] = attrs.field(factory=dict)

    @property
    def requests(self) -> int:
        return sum(used.requests for used in self.models.values())

    def of(self, model: str) -> Used:
        if model not in self.models and len(self.models) >= _MODELS:
            model = _OTHER_MODELS
        return self.models.setdefault(model, Used())


class Tally:
    """Counts for one server."""

    def __init__(self, prices: PriceList, clock: Callable[[], float] = trio.current_time) -> None:
        """`clock`: seconds, from any origin."""
        self._prices = prices
        self._clock = clock
        self.recorded = Sum()
        """`seconds` are those that the provider took."""
        self.replayed = Sum()
        """Recordings that answered; `seconds` are those by which they were quicker than the provider."""
        self.answered = 0
        """Requests answered by other fixtures."""
        self.relayed = 0
        """Requests that a provider answered, and that were not recorded."""
        self.failed = 0
        """Requests that no provider answered, or with an error."""
        self.missed = 0
        """Requests that nothing was meant to answer."""
        self.last: str | None = None
        """Provider's model and file of what was recorded last."""
        self.on_change: Callable[[], object] | None = None

    def watch(self, state: State) -> None:
        """Counts what that server does from now on."""
        told = state.on_unexpected

        def unexpected(exchange: Exchange, why: str) -> None:
            self.missed += 1
            self._changed()
            if told is not None:
                told(exchange, why)

        state.on_unexpected = unexpected
        state.journal.watcher = self._begun

    def _begun(self, entry: Entry) -> Callable[[], object]:
        begun = self._clock()
        return lambda: self._ended(entry, self._clock() - begun)

    def _ended(self, entry: Entry, seconds: float) -> None:
        if entry.proxied is not None:
            self._relayed(entry, entry.proxied)
        elif entry.fixture is None:
            return
        elif (took := _recorded_seconds(entry.fixture)) is None:
            self.answered += 1
        else:
            self._count(self.replayed, entry, entry.fixture)
            self.replayed.seconds += took - seconds
        self._changed()

    def _relayed(self, entry: Entry, proxied: Proxied) -> None:
        if proxied.recorded is not None and proxied.fixture is not None:
            model = self._count(self.recorded, entry, proxied.fixture)
            self.recorded.seconds += proxied.duration or 0.0
            self.last = f"{model} {proxied.recorded}"
        elif proxied.status is None or proxied.status >= 400:
            self.failed += 1
        else:
            self.relayed += 1

    def _count(self, counted: Sum, entry: Entry, fixture: Fixture) -> str:
        """Counts what the fixture answers, and returns whose model's it is."""
        response = fixture.response
        said = response.vectors or response.reply
        told = said if isinstance(said, Reply | Vectors) else None
        model = (told and told.model) or _asked_for(entry.body())
        model = "".join(each if each.isprintable() else "?" for each in model[:_LONGEST_MODEL])
        consumption = consumed(told.usage) if told is not None else None
        cost = None if consumption is None else self._prices.cost(model, consumption)
        counted.of(model).add(consumption, cost)
        return model

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _asked_for(body: Mapping[str, Any] | None) -> str:
    model = (body or {}).get("model")
    return model if isinstance(model, str) and model else _NO_MODEL


def _recorded_seconds(fixture: Fixture) -> float | None:
    """How long the provider took; None if the fixture is no recording."""
    if fixture.recording is not None:
        return sum(gap for gap, _ in fixture.recording.frames) / 1000
    timings = fixture.recorded_timings
    return None if timings is None else (timings.ttft_ms + sum(timings.inter_chunk_delays_ms)) / 1000


# -- the report --------------------------------------------------------------------------------------------------------


def report(tally: Tally) -> Iterator[str]:
    """Lines for people."""
    counts = {
        "recorded": tally.recorded.requests,
        "replayed": tally.replayed.requests,
        "answered by other fixtures": tally.answered,
        "relayed and not recorded": tally.relayed,
        "missed": tally.missed,
        "failed": tally.failed,
    }
    always = ("recorded", "replayed", "missed", "failed")
    yield ", ".join(f"{count} {what}" for what, count in counts.items() if count or what in always)
    for what, counted in (("recorded", tally.recorded), ("replayed", tally.replayed)):
        for model, used in sorted(counted.models.items()):
            yield f"  {what} {model}: {_tokens(used)}"
    if tally.recorded.requests:
        yield f"  the recorded ones cost {_money(tally.recorded)} and {tally.recorded.seconds:.1f} s"
    if tally.replayed.requests:
        yield f"  the replayed ones saved {_money(tally.replayed)} and {max(0.0, tally.replayed.seconds):.1f} s"


def _tokens(used: Used) -> str:
    requests = f"{used.requests} request{'s' * (used.requests != 1)}"
    if used.uncounted == used.requests:
        return f"{requests}, tokens not told"
    cached = f" ({used.cached:,} cached)" if used.cached else ""
    reasoning = f" ({used.reasoning:,} reasoning)" if used.reasoning else ""
    gaps = [f"tokens of {used.uncounted} not told"] if used.uncounted else []
    counted = used.requests - used.uncounted
    if used.unpriced < counted:
        gaps.insert(0, _dollars(used.dollars))
    if used.unpriced:
        gaps.append("price unknown" if used.unpriced == counted else f"price of {used.unpriced} unknown")
    return ", ".join([requests, f"{used.prompt:,} tokens in{cached}, {used.output:,} out{reasoning}", *gaps])


def _money(counted: Sum) -> str:
    used = counted.models.values()
    unknown = sum(each.unpriced + each.uncounted for each in used)
    known = _dollars(sum(each.dollars for each in used))
    if unknown == counted.requests:
        return "an unknown price"
    return f"{known} (and {unknown} of unknown price)" if unknown else known


def _dollars(amount: float) -> str:
    if 0 < amount < 0.0001:
        return "less than $0.0001"
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"
