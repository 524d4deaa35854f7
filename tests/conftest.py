"""What holds for all tests."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import leaks

leaks.install()

pytest_plugins = ["pytester"]

# Time is not what these tests are about: a busy machine draws examples slowly, and that is no failure.
settings.register_profile("aimock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("smoke", settings.get_profile("aimock"), max_examples=20)  # for the other Pythons of CI
settings.load_profile("aimock")


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """A test that runs the server as a process would run it has it print, or be silent: others do not inherit that."""
    logger = logging.getLogger("aimock")
    level, handlers, propagates = logger.level, logger.handlers.copy(), logger.propagate
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.propagate = propagates


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """No secret that the test's clients send is in a log line, a journal entry or a file of its servers."""
    leaks.watch.begin()
    yield
    assert leaks.watch.leaks() == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted is told, though they passed."""
    told = [
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "counted"
    ]
    if told:
        terminalreporter.section("counted")
        terminalreporter.write("\n".join(sorted(told)) + "\n")
