"""What a program tells a mock server, whether it runs or not: fixtures, faults, and what to record."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import trio

from aimock import choices, logs, sources
from aimock.control import ControlError, injected_error
from aimock.fixtures import Chaos, Fixture, entries_from_json, fixture_from, make_fixture
from aimock.fixtures.findings import MATCH_KEYS
from aimock.fixtures.structure import camel
from aimock.state import State

if TYPE_CHECKING:
    from aimock.record.config import RecordConfig

T = TypeVar("T")


class Programmed:
    """A server's state, as the methods of `AIMock` change it."""

    _state: State
    _token: trio.lowlevel.TrioToken | None
    """The loop that the server runs in; None while it does not run."""

    @property
    def strict(self) -> bool:
        """Whether a request that nothing matches is answered 503. May be set while the server runs."""
        return self._state.settings.strict

    @strict.setter
    def strict(self, value: bool) -> None:
        self._state.settings.strict = value

    # -- recording -------------------------------------------------------------------------------------------------

    def enable_recording(self, config: Mapping[str, Any] | RecordConfig) -> Self:
        """From now on what no fixture matches is asked of its provider, and what that says is relayed, saved, and
        served. `config`: an object as `llm.record` in a config file. It takes the place of one given earlier. Raises
        ValueError."""
        recorder = choices.recorder(config)
        self._do(lambda: self._state.record_by(recorder))
        return self

    def disable_recording(self) -> Self:
        """From now on a miss is a miss. What was recorded stays, in files and in memory; what is being relayed comes
        to its end."""
        self._do(lambda: self._state.record_by(None))
        return self

    # -- chaos -----------------------------------------------------------------------------------------------------

    def set_chaos(self, chaos: Mapping[str, Any] | Chaos, *, test_id: str | None = None) -> Self:
        """Replaces the server's chaos, for one test id or for all. Raises ValueError."""
        wanted = choices.given("chaos", chaos)
        self._do(lambda: self._state.chaos.install(wanted, test_id))
        return self

    def clear_chaos(self, *, test_id: str | None = None) -> Self:
        """No chaos for all; or, for one test id, what holds for all."""
        if test_id is None:
            return self.set_chaos({})
        self._do(lambda: self._state.chaos.forget(test_id))
        return self

    # -- fixtures --------------------------------------------------------------------------------------------------

    def add_fixture(self, fixture: Fixture | Mapping[str, Any], response: Any = None, **options: Any) -> Self:
        """Appends a fixture: a whole entry, or a match and its response. `options` as for `on`."""
        if response is None and not options:
            return self.add_fixtures([fixture])
        assert not isinstance(fixture, Fixture)
        return self.on(fixture, response, **options)

    def add_fixtures(self, fixtures: Iterable[Fixture | Mapping[str, Any]]) -> Self:
        made = [_as_fixture(fixture) for fixture in fixtures]
        self._do(lambda: self._state.book.append(made))
        return self

    def prepend_fixture(self, fixture: Fixture | Mapping[str, Any]) -> Self:
        """Puts a fixture before all others."""
        made = _as_fixture(fixture)
        self._do(lambda: self._state.book.prepend(made))
        return self

    def add_fixtures_from_json(self, entries: str | list[Any]) -> Self:
        """A JSON array of entries, validated: raises FixtureError with the findings if one is wrong."""
        made = entries_from_json(entries)
        self._do(lambda: self._state.book.append(made))
        return self

    def load_fixtures(self, path: str | Path) -> Self:
        """A file, a directory or a URL, read once. What is wrong in it is logged; raises FixtureSourceError if it
        cannot be found."""
        loaded = sources.load(str(path), logs.report_problem)
        self._do(lambda: self._state.book.append(self._state.admitted(loaded)))
        return self

    load_fixture_file = load_fixtures
    load_fixture_dir = load_fixtures

    def clear_fixtures(self) -> Self:
        self._do(self._state.clear_fixtures)
        return self

    @property
    def fixtures(self) -> Sequence[Fixture]:
        """All fixtures, in the order in which they are tried."""
        return self._do(lambda: self._state.book.fixtures)

    def on(self, match: Mapping[str, Any], response: Any, **options: Any) -> Self:
        """Appends a fixture. `response` is a dict as in a fixture file, or a function of the request body that
        returns one (an async function runs in the server's Trio loop). Options that are match keys narrow the match,
        the others belong to the entry (`latency`, `chunk_size`, `streaming_profile`, …)."""
        return self.add_fixtures([_narrowed(match, response, options)])

    def on_message(self, pattern: Any, response: Any, **options: Any) -> Self:
        """`pattern`: text that the last user message contains, or a compiled regular expression."""
        return self.on({"userMessage": pattern}, response, **options)

    def on_system_message(self, pattern: Any, response: Any, **options: Any) -> Self:
        """`pattern` may be a list, whose members must all occur."""
        return self.on({"systemMessage": pattern}, response, **options)

    def on_json_output(self, pattern: Any, content: Any, **options: Any) -> Self:
        """Answers a `json_object` request with `content` as JSON text."""
        match = {"userMessage": pattern, "responseFormat": "json_object"}
        return self.on(match, {"content": content}, **options)

    def on_tool_call(self, name: Any, response: Any, **options: Any) -> Self:
        """Requests that offer the tool `name`."""
        return self.on({"toolName": name}, response, **options)

    def on_tool_result(self, call_id: Any, response: Any, **options: Any) -> Self:
        """Requests whose last message is the result of the call `call_id`."""
        return self.on({"toolCallId": call_id}, response, **options)

    def on_embedding(self, pattern: Any, response: Any, **options: Any) -> Self:
        """`pattern`: text that the input of an embedding contains."""
        return self.on({"inputText": pattern}, response, **options)

    def on_search(self, pattern: Any, results: Any, **options: Any) -> Self:
        """Searches whose query contains `pattern`, whatever its case, or in which a compiled expression is found.
        `results`: a list of them, or the whole answer, or a function."""
        return self._on_service("search", pattern, results, options)

    def on_rerank(self, pattern: Any, results: Any, **options: Any) -> Self:
        """`results`: a list of `{"index": …, "relevance_score": …}`, or the whole answer, or a function."""
        return self._on_service("rerank", pattern, results, options)

    def on_moderate(self, pattern: Any, result: Any, **options: Any) -> Self:
        """`result`: what is said of an input that contains `pattern`: `flagged`, `categories`, `category_scores`."""
        return self._on_service("moderation", pattern, result, options)

    def _on_service(self, endpoint: str, pattern: Any, results: Any, options: Mapping[str, Any]) -> Self:
        answer = {"results": results} if isinstance(results, list | tuple) else results
        return self.on({"endpoint": endpoint, "query": pattern}, answer, **options)

    def on_turn(self, turn: int, pattern: Any, response: Any, **options: Any) -> Self:
        """The request after `turn` answers of the assistant."""
        return self.on({"turnIndex": turn, "userMessage": pattern}, response, **options)

    def next_request_error(
        self, status: int, body: Mapping[str, Any] | None = None, *, test_id: str | None = None
    ) -> Self:
        """The next request gets this error, once. `body`: `message`, `type`, `code`. Raises ValueError."""
        try:
            error = injected_error({"status": status, "body": dict(body or {})})
        except ControlError as problem:
            raise ValueError(str(problem)) from None
        self._do(lambda: self._state.injected.add(error, test_id))
        return self

    next_error = next_request_error

    def _do(self, act: Callable[[], T]) -> T:
        """Runs in the server's loop, if there is one: no change falls between a match and its count."""
        if self._token is None or _is_current(self._token):
            return act()
        return run_in(self._token, act)


def run_in(token: trio.lowlevel.TrioToken, act: Callable[[], T]) -> T:
    """Runs `act` in another thread's loop and waits. Unlike `trio.from_thread`, also from inside a loop of one's own:
    what it waits for takes microseconds, and a test that has a server in a thread may well be a Trio test.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            outcome.set_result(act())
        except BaseException as error:
            outcome.set_exception(error)

    token.run_sync_soon(run)
    return outcome.result()


def _is_current(token: trio.lowlevel.TrioToken) -> bool:
    return trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is token


def _as_fixture(fixture: Fixture | Mapping[str, Any]) -> Fixture:
    return fixture if isinstance(fixture, Fixture) else make_fixture(dict(fixture))


def _narrowed(match: Mapping[str, Any], response: Any, options: Mapping[str, Any]) -> Fixture:
    """A fixture whose options may be match keys too."""
    keys = {camel(name): value for name, value in options.items()}
    narrowing = {key: keys.pop(key) for key in MATCH_KEYS if key in keys}
    return fixture_from({**match, **narrowing}, response, **keys)
