"""What holds for all tests."""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# Time is not what these tests are about: a busy machine draws examples slowly, and that is no failure.
settings.register_profile("aimock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aimock")


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
