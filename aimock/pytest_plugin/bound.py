"""The server of a run, and what each test has of it. Imported when the first test asks for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import orjson

from aimock import logs, sources
from aimock.exchange import Exchange
from aimock.fixtures import (
    DEFAULT_TEST_ID,
    Fixture,
    FixtureSourceError,
    Problem,
    describe,
    entries_from_json,
    make_fixture,
)
from aimock.fixtures.overlay import Overlay
from aimock.journal import Entry, Journal
from aimock.pytest_plugin import environment
from aimock.pytest_plugin.findings import KEPT, RunFindings
from aimock.redaction import redact_target
from aimock.server import AIMock

_TOLD = 20
"""Requests that the report of a failed test shows, the last ones."""
_LONGEST = 160
"""Characters of what somebody else wrote, in one line."""


class Witness(Journal):
    """A journal that also keeps what outlives its entries: which fixtures answered, and what nothing answered."""

    def __init__(self, max_entries: int) -> None:
        super().__init__(max_entries)
        self.used: set[Fixture] = set()
        self._unexpected: dict[str, int] = {}
        self._others = 0

    def add(self, entry: Entry) -> None:
        if entry.fixture is not None:
            self.used.add(entry.fixture)
        super().add(entry)

    def note(self, exchange: Exchange, why: str) -> None:
        """A request that nothing answers. SDKs retry: the same again is counted, and told once."""
        neutral = exchange.neutral
        body = neutral(exchange.request, exchange.plan) if callable(neutral) else neutral
        asked = _request(exchange.head.method, exchange.head.target, body)
        line = f"{asked}{_of(exchange.steering.test_id)}: {why}"
        if line in self._unexpected or len(self._unexpected) < KEPT:
            self._unexpected[line] = self._unexpected.get(line, 0) + 1
        else:
            self._others += 1

    @property
    def unexpected(self) -> list[str]:
        """The requests that nothing answered, one line each."""
        lines = [line if times == 1 else f"{line} ({times} times)" for line, times in self._unexpected.items()]
        return [*lines, f"{self._others} others"] if self._others else lines


class WatchedMock(AIMock):
    """A mock server that notices what nothing answers and which fixtures are used."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._witness = Witness(self._state.settings.journal_max_entries)
        self._state.journal = self._witness
        self._state.on_unexpected = self._witness.note

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point the SDKs here: for a subprocess, or for a client that outlives a test."""
        return environment.of_sdks(self.url, self.ca_file)

    def load_fixtures(self, path: str | Path) -> Self:
        """A file or a directory; a file may also hold a bare list of entries, or one. What is wrong in it is logged,
        and told at the end of the run. Raises FixtureError, and FixtureSourceError if there is no fixture in it."""
        return self.add_fixtures(_read(str(path), self._report))

    load_fixture_file = load_fixtures
    load_fixture_dir = load_fixtures

    def _report(self, problem: Problem) -> None:
        logs.report_problem(problem)


class SharedMock(WatchedMock):
    """The server of a run."""

    def __init__(self, **options: Any) -> None:
        self._problems: dict[str, None] = {}
        self._files: dict[str, tuple[Fixture, ...]] = {}
        self._common: dict[Fixture, None] = {}
        super().__init__(**options)

    def made(self, sources: Iterable[Any], *, common: bool) -> list[Fixture]:
        """The fixtures of paths and entries. A file is read once a run; what is in it is `common` to several tests, or
        one test's business. Raises as `load_fixtures`."""
        fixtures: list[Fixture] = []
        for source in sources:
            if isinstance(source, Mapping):
                fixtures.append(make_fixture(source))
                continue
            if source not in self._files:
                self._files[source] = tuple(_read(source, self._report))
            fixtures += self._files[source]
            if common:
                self._common.update(dict.fromkeys(self._files[source]))
        return fixtures

    def add_used(self, fixtures: Iterable[Fixture]) -> None:
        """Fixtures that answered a test; those are remembered that other tests have too."""
        self._witness.used.update(self._common_fixtures().keys() & set(fixtures))

    def _common_fixtures(self) -> dict[Fixture, None]:
        return dict.fromkeys(self._state.book) | self._common

    def findings(self) -> RunFindings:
        """What concerns no single test."""
        common = self._common_fixtures()
        return RunFindings(
            unexpected=self._witness.unexpected,
            problems=list(self._problems),
            common=list(dict.fromkeys(map(_label, common))),
            used=list(dict.fromkeys(_label(each) for each in common if each in self._witness.used)),
        )

    def _report(self, problem: Problem) -> None:
        super()._report(problem)
        if len(self._problems) < KEPT:
            self._problems[str(problem)] = None


class BoundMock(WatchedMock):
    """What one test has of the server of the run: all that `AIMock` has, and nothing of it lasts.

    The fixtures that the test adds are tried first, then those of its markers, of `aimock_config`, and of the run.
    """

    def __init__(
        self, shared: SharedMock, nodeid: str, fixtures: Iterable[Any], common_fixtures: Iterable[Any], **options: Any
    ) -> None:
        """`fixtures`, `common_fixtures`: paths and entries, of markers and of `aimock_config`."""
        self._shared = shared
        self.test_id = id_of_test(nodeid)
        options.setdefault("seed", seed_of(shared.seed, self.test_id))
        super().__init__(**options)
        given = shared.made(fixtures, common=False)
        configured = shared.made(common_fixtures, common=True)
        self._layers = [Overlay(shared._state.book)]
        self._layers.append(Overlay(self._layers[-1]))
        self._layers.append(Overlay(self._layers[-1]))
        configuration, markers, self._own = self._layers
        configuration.append(configured)
        markers.append(given)
        self._marked = markers
        self._state.book = self._own

    def findings(self, *, unused: bool) -> dict[str, list[str]]:
        """What went unanswered and, if wanted, unused, of which the shared server hears as well."""
        return self._do(lambda: self._found(unused))

    def _found(self, unused: bool) -> dict[str, list[str]]:
        self._shared.add_used(self._witness.used)
        lines: list[str] = []
        if unused:
            served = set(self._state.book)  # a test may have dropped some
            own = (each for each in (*self._own.own, *self._marked.own) if each in served)
            lines += [_label(each) for each in own if each not in self._witness.used]
            lines += [f"one-shot error {_json(error.response.raw)}" for error in self._state.injected]
        return {"unexpected": self._witness.unexpected, "unused": lines}

    def release(self) -> None:
        """Leaves the books of the others alone."""
        for layer in self._layers:
            layer.detach()

    def story(self) -> str:
        """What this test was asked, one request a line, and what nothing answered."""
        told = [_told(entry) for entry in self._state.journal]
        lines = [f"{len(told)} request(s)" + (f", the last {_TOLD}:" if len(told) > _TOLD else ":" if told else "")]
        lines += [f"  {line}" for line in told[-_TOLD:]]
        unexpected = self._witness.unexpected
        if unexpected:
            lines += [f"{len(unexpected)} unexpected:", *(f"  {line}" for line in unexpected[-_TOLD:])]
        return "\n".join(lines)

    def _report(self, problem: Problem) -> None:
        self._shared._report(problem)


def id_of_test(nodeid: str) -> str:
    """A name for a test that is fit for a header and a path: of its node id what is legible, and a digest of it."""
    legible = re.sub(r"[^A-Za-z0-9_.]+", "-", nodeid.rpartition("/")[2]).strip("-")[-64:]
    return f"{legible}-{hashlib.blake2b(nodeid.encode('utf-8', 'backslashreplace'), digest_size=6).hexdigest()}"


def seed_of(seed: int, test_id: str) -> int:
    """The seed of a test: its ids are its own, whatever ran before it and wherever."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {test_id}".encode(), digest_size=4).digest(), "big")


def _read(path: str, report: Callable[[Problem], object]) -> list[Fixture]:
    """The fixtures of a file or a directory. Raises FixtureSourceError, also where there are none."""
    try:
        content = orjson.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        content = None  # a directory, or what the loader has better words for
    if isinstance(content, list):
        return entries_from_json(content, path)
    if isinstance(content, dict) and "fixtures" not in content and "match" in content:
        return entries_from_json([content], path)
    problems: list[Problem] = []
    fixtures = sources.load(path, problems.append)
    for problem in problems:
        report(problem)
    if not fixtures:
        reasons = "; ".join(map(str, problems[:3]))
        raise FixtureSourceError(path, reasons or "there are no fixtures in it")
    return fixtures


# -- lines -------------------------------------------------------------------------------------------------------------


def _told(entry: Entry) -> str:
    asked = _request(entry.request.head.method, entry.request.head.target, entry.body())
    answerer = f", by {_label(entry.fixture)}" if entry.fixture is not None else ""
    cut = " (interrupted)" if entry.interrupted else ""
    return f"{asked}{_of(entry.plan.steering.test_id)}: {entry.status or 'no answer'}{cut}{answerer}"


def _request(method: str, target: str, body: Mapping[str, Any] | None) -> str:
    text = _last_user_text(body)
    return f"{method} {redact_target(target)}" + (f" {_json(text)}" if text is not None else "")


def _last_user_text(body: Mapping[str, Any] | None) -> str | None:
    for message in reversed((body or {}).get("messages") or ()):
        if isinstance(message, Mapping) and message.get("role") == "user":
            content = message.get("content")
            parts = [{"text": content}] if isinstance(content, str) else content if isinstance(content, list) else []
            texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
            return " ".join(text for text in texts if isinstance(text, str))
    return None


def _of(test_id: str) -> str:
    """The test id that a request named, which tells whose it is."""
    return "" if test_id == DEFAULT_TEST_ID else f" (test id {_json(test_id)})"


def _label(fixture: Fixture) -> str:
    match = dict(describe(fixture)["match"])
    if fixture.match.predicate is not None:
        match["predicate"] = getattr(fixture.match.predicate, "__name__", "…")
    return f"{fixture.origin} {_json(match)}"


def _json(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
