"""The pytest plugin: one server a process, and for each test that asks for `aimock` a part of it that is its own.

The server keeps its address for the whole run, so that clients may be kept as well; each test has a state of its own
(fixtures, journal, sequences, queued errors, settings), which is put in place before it and taken away after it. A
stream that is still being sent then stays with the test it began in.

Loaded by every pytest run where aimock is installed: nothing that costs time is imported before a test asks for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from aimock.pytest_plugin import environment, settings
from aimock.pytest_plugin.findings import Findings, in_strict_mode

if TYPE_CHECKING:
    from aimock.pytest_plugin.bound import BoundMock, SharedMock

_SETTINGS = pytest.StashKey[settings.RunSettings]()
_FINDINGS = pytest.StashKey[Findings]()
_PART = pytest.StashKey["_Part"]()

_MARKER = (
    "aimock(fixtures=..., strict=..., env=..., **settings): gives the test the `aimock` fixture, set up so; "
    "see aimock's documentation of the plugin."
)


class _Part:
    """What is known of a test that has asked for `aimock`, until it has been reported."""

    def __init__(self, mock: BoundMock) -> None:
        self.mock = mock
        self.passed = False
        self.found: dict[str, list[str]] = {}
        """What the summary tells of it."""


# -- fixtures ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def aimock_listen_address() -> tuple[str, int]:
    """Host and port of the server. Override it to be reached from elsewhere, a container for instance."""
    return "127.0.0.1", 0


@pytest.fixture(scope="session")
def aimock_tls() -> Any:
    """What `AIMock(tls=…)` takes. Override it to have HTTPS: `True`, or the files of a certificate and its key."""
    return None


@pytest.fixture
def aimock_config() -> Mapping[str, Any]:
    """What holds for all tests that see this fixture: override it, in any scope, with keywords of the marker."""
    return {}


@pytest.fixture(scope="session")
def aimock_session(
    aimock_listen_address: tuple[str, int], aimock_tls: Any, pytestconfig: pytest.Config
) -> Iterator[SharedMock]:
    """The server that all tests share. What it is given, every test has; nothing of it is reset."""
    from aimock.pytest_plugin.bound import SharedMock

    run = pytestconfig.stash[_SETTINGS]
    host, port = aimock_listen_address
    with pytest.MonkeyPatch.context() as patch:
        environment.forget_ambient(patch)
        with _told_plainly("the server"):
            shared = SharedMock(
                host=host, port=port, tls=aimock_tls, fixtures=run.fixtures, strict=run.strict, seed=run.seed
            )
            shared.start()
    try:
        yield shared
    finally:
        shared.stop(grace=0)
        pytestconfig.stash[_FINDINGS].add_run(shared.findings())


@pytest.fixture
def aimock(
    request: pytest.FixtureRequest,
    aimock_session: SharedMock,
    aimock_config: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[BoundMock]:
    """This test's mock server: its fixtures, journal, sequences and errors are its own, and gone when it ends."""
    from aimock.pytest_plugin.bound import BoundMock

    node = request.node
    with _told_plainly(node.nodeid):
        chosen = settings.of_test(node, aimock_config, request.config.stash[_SETTINGS])
        mock = BoundMock(aimock_session, node.nodeid, chosen.fixtures, chosen.common_fixtures, **chosen.options)
    with aimock_session.hosting(mock):
        environment.patch(monkeypatch, mock.url, mock.ca_file, wanted=chosen.env)
        part = node.stash[_PART] = _Part(mock)
        yield mock
        found = mock.findings(unused=part.passed)  # of a test that broke off nobody expects that it used them all
    mock.release()
    if mock.strict and part.passed and any(found.values()):
        pytest.fail(in_strict_mode(found), pytrace=False)
    part.found = found


@contextlib.contextmanager
def _told_plainly(what: str) -> Iterator[None]:
    """Errors that the user made are one line, without a traceback through our code."""
    from aimock.fixtures import FixtureError, FixtureSourceError

    try:
        yield
    except (FixtureError, FixtureSourceError, settings.SettingsError, ValueError, OSError) as error:
        raise pytest.fail.Exception(f"aimock cannot start {what}: {error}", pytrace=False) from None


# -- hooks -------------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    settings.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_SETTINGS] = settings.of_run(config)
    config.stash[_FINDINGS] = Findings()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(config), "aimock-collector")


def pytest_report_header(config: pytest.Config) -> str:
    return f"aimock: --aimock-seed={config.stash[_SETTINGS].seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test with the marker has the fixture, and before any other, which may make a client."""
    for item in items:
        names: list[str] | None = getattr(item, "fixturenames", None)
        if names is not None and "aimock" not in names and item.get_closest_marker("aimock") is not None:
            names.insert(0, "aimock")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what was asked in the report of a failure, and sends what was found along, through xdist as well."""
    report = yield
    part = item.stash.get(_PART, None)
    if part is None:
        return report
    if report.failed:
        report.sections.append(("aimock", part.mock.story()))
    if report.when == "call":
        part.passed = report.passed
    elif report.when == "teardown":
        vars(report)["aimock"] = part.found
        del item.stash[_PART]  # items live as long as the run, and may be run again
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist tells what it found outside of its tests."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["aimock"] = session.config.stash[_FINDINGS].run


class _Collector:
    """Hears of every test, in the process that the user looks at."""

    def __init__(self, config: pytest.Config) -> None:
        self._findings = config.stash[_FINDINGS]
        self._seed = config.stash[_SETTINGS].seed

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[settings.SEED_OF_WORKERS] = self._seed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        output: dict[str, Any] = getattr(node, "workeroutput", {})  # a worker that crashed left none
        if "aimock" in output:
            self._findings.add_run(output["aimock"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._findings.add_test(report.nodeid, getattr(report, "aimock", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        lines = self._findings.lines(verbose=terminalreporter.verbosity > 0)
        if lines:
            terminalreporter.section("aimock")
            for line in lines:
                terminalreporter.line(line)
