"""What is counted, for Prometheus (spec: core-metrics). Imported only by a server that counts.

The model is the Prometheus client's, and so is the registry, one for each server. The values are not: where
PROMETHEUS_MULTIPROC_DIR is set, as in a web project's tests, the client keeps them in files that all registries share.
Nor is the writing: types but no help, metrics and series in the order in which they were first used, numbers as short
as can be.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import attrs
import trio
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import (
    Answer,
    Cut,
    Ending,
    Head,
    Headers,
    Outcome,
    Refusal,
    Relay,
    Request,
    Stream,
    Task,
    Upgrade,
    Whole,
)

if TYPE_CHECKING:
    from aimock.app import App

A = TypeVar("A", bound=Whole | Stream | Relay | Cut | Upgrade)

DESTROYED = "destroyed"
"""The status of an answer that the client did not get whole."""
UPGRADED = "101"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_OTHER = "{other}"

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds."""

_HEADERS: Headers = (("content-type", "text/plain; version=0.0.4; charset=utf-8"), *CORS)

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class _Counter(Collector):
    """Counts, by the values of the labels."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self._name = name
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, labels: tuple[str, ...]) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + 1

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, "", labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        yield family


class _Durations(Collector):
    """How often it took how long, by the values of the labels."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self._name = name
        self._labels = labels
        self._counts: dict[tuple[str, ...], list[int]] = {}  # up to each bound, but above the one before it
        self._sums: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        counts = self._counts.setdefault(labels, [0] * (len(_BOUNDS) + 1))
        counts[bisect.bisect_left(_BOUNDS, seconds)] += 1
        self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, "", labels=self._labels)
        for labels, counts in self._counts.items():
            buckets = zip([*map(str, _BOUNDS), "+Inf"], itertools.accumulate(counts), strict=True)
            family.add_metric(labels, list(buckets), self._sums[labels])
        yield family


class _Asked(Collector):
    """A number that is asked for when it is wanted."""

    def __init__(self, name: str, number: Callable[[], int]) -> None:
        self._name = name
        self._number = number

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, "", value=self._number())


class Metrics:
    """The numbers of one server. A metric, and each of its series, is there from its first use."""

    def __init__(self, fixtures_loaded: Callable[[], int]) -> None:
        """`fixtures_loaded` is asked at every scrape."""
        self._registry = CollectorRegistry()
        self._counters: dict[str, _Counter] = {}
        self._durations: _Durations | None = None
        self._registry.register(_Asked("aimock_fixtures_loaded", fixtures_loaded))

    def request(self, method: str, path: str, status: str, seconds: float) -> None:
        """A request whose answer has ended. The labels are the caller's to bound."""
        self._count("aimock_requests_total", method=method, path=path, status=status)
        if self._durations is None:
            self._durations = _Durations("aimock_request_duration_seconds", ("method", "path"))
            self._registry.register(self._durations)
        self._durations.add((method, path), seconds)

    def chaos_triggered(self, action: str, source: str) -> None:
        """Chaos that came to pass: `drop`, `malformed`, … of `fixture`, `proxy` or `internal`."""
        self._count("aimock_chaos_triggered_total", action=action, source=source)

    def chaos_bypassed(self, action: str, source: str, reason: str) -> None:
        """Chaos that was drawn, but could not be done to this answer; `reason`: `sse_streamed`, …"""
        self._count("aimock_chaos_bypassed_total", action=action, source=source, reason=reason)

    def service_request(self, service: str, labels: Mapping[str, str]) -> None:
        """A request to a service beside the LLMs. The labels are the caller's to bound."""
        self._count(f"aimock_{service}_requests_total", **labels)

    def _count(self, name: str, **labels: str) -> None:
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = _Counter(name, tuple(labels))
            self._registry.register(counter)
        counter.add(tuple(labels.values()))

    def exposition(self) -> str:
        """All of it in Prometheus' text format."""
        return "".join(map(rendered, self._registry.collect()))


def scrape(exchange: Exchange) -> Whole:
    """`GET /metrics`."""
    metrics = exchange.state.metrics
    assert metrics is not None, "there is no route without metrics"
    return Whole(200, _HEADERS, metrics.exposition().encode(), exchange.fresh_headers)


class Metered:
    """A handler that counts what another answers. Net tells it when, and how, each answer has ended."""

    def __init__(self, app: App, metrics: Metrics, clock: Callable[[], float] = trio.current_time) -> None:
        """`clock`: seconds, from any origin."""
        self._app = app
        self._metrics = metrics
        self._clock = clock

    def answer(self, request: Request) -> Answer:
        begun = self._clock()
        answer = self._app.answer(request)
        return self._watched(answer, self._noting(request.head, begun))

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        begun = self._clock()
        answer = self._app.refuse(head, refusal)
        return _telling(answer, str(answer.status), self._noting(head, begun))

    def _noting(self, head: Head | None, begun: float) -> Callable[[str], None]:
        """What is to be told the status once the answer has ended."""
        method = head.method if head is not None and head.method in _METHODS else _OTHER
        path = self._app.label(head)
        return lambda status: self._metrics.request(method, path, status, self._clock() - begun)

    def _watched(self, answer: Answer, note: Callable[[str], None]) -> Answer:
        if isinstance(answer, Task):
            return Task(functools.partial(self._waited_for, answer, note))
        if isinstance(answer, Cut):
            return _telling(answer, DESTROYED, note)
        if isinstance(answer, Upgrade):
            return _telling(answer, UPGRADED, note)
        ends_well = not isinstance(answer, Stream) or answer.ending is Ending.CLEAN
        return _telling(answer, str(answer.status) if ends_well else DESTROYED, note)

    async def _waited_for(self, task: Task, note: Callable[[str], None]) -> Answer:
        try:
            answer = await task.run()
        except BaseException:  # the client left, or the server stopped, before there was an answer
            note(DESTROYED)
            raise
        return self._watched(answer, note)


def _telling(answer: A, status: str, note: Callable[[str], None]) -> A:
    """The same answer, which notes its status too when it has been delivered."""
    told = answer.on_end

    def ended(outcome: Outcome) -> None:
        note(status if outcome is Outcome.DELIVERED else DESTROYED)
        if told is not None:
            told(outcome)

    return attrs.evolve(answer, on_end=ended)


# -- the text format ---------------------------------------------------------------------------------------------------


def rendered(metric: Metric) -> str:
    """A metric in the text format 0.0.4. The client's own writer adds help, and writes whole numbers as `1.0`."""
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    lines = [f"# TYPE {name} {metric.type}\n"]
    for sample in metric.samples:
        line = f"{sample.name}{{{_labels(sample.labels)}}} {_number(sample.value)}\n"
        # The client gives a histogram's count before its sum.
        lines.insert(len(lines) - (sample.name == f"{metric.name}_sum"), line)
    return "".join(lines)


def _labels(labels: dict[str, str]) -> str:
    """By name, but a bucket's bound comes last."""
    pairs = sorted(labels.items(), key=lambda pair: (pair[0] == "le", pair[0]))
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
