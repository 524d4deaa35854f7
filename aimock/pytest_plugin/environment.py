"""The environment of tests: SDKs find their server in it, and nobody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aimock import sdks

if TYPE_CHECKING:
    import pytest

_TAKEN_AWAY = (*sdks.CHOOSING_ANOTHER, *sdks.TOKENS, *sdks.PLAIN_HTTP_FORBIDDEN, *sdks.LEADING_ELSEWHERE)
"""They would send an SDK elsewhere, or a secret along."""


def of_sdks(url: str, ca_file: Path | None = None) -> dict[str, str]:
    """The variables that point every SDK at the server, each with its value; `url` without a path. With `ca_file`
    also those by which they trust it."""
    return sdks.addresses(url, ca_file) | sdks.dummies()


def patch(monkeypatch: pytest.MonkeyPatch, url: str, ca_file: Path | None = None, *, wanted: bool) -> None:
    """Sets the variables until the test ends: those of the SDKs only if `wanted`."""
    forget_ambient(monkeypatch)
    told = sdks.bypassing(os.environ, url)
    if wanted:
        for name in _TAKEN_AWAY:
            monkeypatch.delenv(name, raising=False)
        told |= of_sdks(url, ca_file)
        told |= sdks.without(sdks.AWS_KEYS | sdks.API_VERSION, os.environ)
    for name, value in told.items():
        monkeypatch.setenv(name, value)


def forget_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's shell says to aimock is not meant for the tests."""
    for name in [name for name in os.environ if name.startswith("AIMOCK_")]:
        monkeypatch.delenv(name)
