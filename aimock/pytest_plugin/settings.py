"""What the plugin is told: by ini file, command line, the fixture `aimock_config` and markers; the nearest wins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SEED_OF_WORKERS = "aimock_seed"
"""Key under which the workers of xdist are told the seed of the run."""


class SettingsError(Exception):
    """A setting that cannot be used; the text says where it was made and what was expected."""


class RunSettings(NamedTuple):
    """What holds for the whole run."""

    seed: int
    strict: bool
    env: bool
    fixtures: tuple[str, ...]


class Chosen(NamedTuple):
    """What holds for one test."""

    fixtures: tuple[Any, ...]
    """Files, directories and entries of its markers, those of the nearest first."""
    common_fixtures: tuple[Any, ...]
    """Those of `aimock_config`, which other tests may share."""
    env: bool
    options: Mapping[str, Any]
    """Keywords of `AIMock`."""


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("aimock", "mock server for LLM APIs")
    group.addoption("--aimock-strict", action="store_true", help="fail tests with unexpected requests, unused fixtures")
    group.addoption(
        "--aimock-fixtures", action="append", metavar="PATH", help="fixture file or directory for all tests; repeatable"
    )
    group.addoption("--aimock-seed", type=int, metavar="N", help="repeats the ids and the jitter of an earlier run")
    group.addoption("--aimock-no-env", action="store_true", help="leave the environment of the SDKs as it is")
    parser.addini("aimock_strict", "as --aimock-strict", type="bool", default=False)
    parser.addini("aimock_fixtures", "as --aimock-fixtures, relative to this file", type="paths", default=[])
    parser.addini("aimock_seed", "as --aimock-seed", default="")
    parser.addini("aimock_env", "point the SDKs at the server by their environment", type="bool", default=True)


def of_run(config: pytest.Config) -> RunSettings:
    """The command line, else the ini file. Raises pytest.UsageError."""
    given: list[str] | None = config.getoption("--aimock-fixtures")
    here = config.invocation_params.dir
    return RunSettings(
        seed=_seed(config),
        strict=config.getoption("--aimock-strict") or _ini(config, "aimock_strict", "true or false"),
        env=not config.getoption("--aimock-no-env") and _ini(config, "aimock_env", "true or false"),
        fixtures=tuple(
            [path if _is_url(path) else str(here / path) for path in given]
            if given is not None
            else map(str, _ini(config, "aimock_fixtures", "paths"))
        ),
    )


def _ini(config: pytest.Config, name: str, expected: str) -> Any:
    try:
        return config.getini(name)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{name}: expected {expected}: {error}") from error


def _seed(config: pytest.Config) -> int:
    """The one that was asked for, or that the run has drawn."""
    asked: int | None = config.getoption("--aimock-seed")
    if asked is not None:
        return asked
    written = _ini(config, "aimock_seed", "an integer")
    if written != "":
        try:
            return int(written)
        except ValueError:
            raise pytest.UsageError(f"aimock_seed: expected an integer, got {written!r}") from None
    of_controller: int | None = getattr(config, "workerinput", {}).get(SEED_OF_WORKERS)
    if of_controller is not None:
        return of_controller
    import secrets  # only a run that is given no seed needs it

    return secrets.randbits(32)


def of_test(node: pytest.Item, config: Any, run: RunSettings) -> Chosen:
    """The settings of a test: a marker on it, then on its class or module, then `aimock_config`, then the run's.

    Fixtures add up, each at its place in this order. Raises SettingsError.
    """
    if not isinstance(config, Mapping):
        raise SettingsError(f"aimock_config: expected a dict, got {config!r}")
    _check("aimock_config", config)
    chosen: dict[str, Any] = {"strict": run.strict, "env": run.env, **config}
    common = _sources("aimock_config", chosen.pop("fixtures", ()), node)
    own: tuple[Any, ...] = ()
    for marker in reversed(list(node.iter_markers("aimock"))):
        if marker.args:
            raise SettingsError(f"@pytest.mark.aimock: expected keywords, got {marker.args[0]!r}")
        _check("@pytest.mark.aimock", marker.kwargs)
        chosen.update(marker.kwargs)
        own = _sources("@pytest.mark.aimock", chosen.pop("fixtures", ()), node) + own
    env = chosen.pop("env")
    if _mode_of(chosen.get("record")) == "all":
        raise SettingsError(_NOT_ALL)
    return Chosen(own, common, env, chosen)


_OF_THE_SERVER = frozenset({"host", "port", "tls", "limits", "log_level", "metrics", "api_keys", "watch"})
"""Keywords of `AIMock` that are about the server as such, which no test has for itself."""


def _check(where: str, keys: Mapping[str, Any]) -> None:
    import inspect

    from aimock import AIMock
    from aimock.reading import unknown

    known = {"env", *inspect.signature(AIMock).parameters} - _OF_THE_SERVER
    for key in keys:
        if key not in known:
            raise SettingsError(f"{where}: {unknown('', str(key), known)}")
    for key in ("strict", "env"):
        if type(keys.get(key, True)) is not bool:
            raise SettingsError(f"{where}: {key}: expected True or False, got {keys[key]!r}")


_NOT_ALL = (
    'record: mode "all" is for one server that runs throughout. Here each test has its own, and would record over what'
    " another has just recorded; to record all anew, delete the recordings"
)


def _mode_of(record: Any) -> Any:
    return record.get("mode") if isinstance(record, Mapping) else getattr(record, "mode", None)


def _sources(where: str, given: Any, node: pytest.Item) -> tuple[Any, ...]:
    """Paths, found beside the test's file or else from the root of the run, and entries as they are."""
    sources = [given] if isinstance(given, str | Path | Mapping) else given
    if not isinstance(sources, list | tuple) or not all(isinstance(each, str | Path | Mapping) for each in sources):
        raise SettingsError(f"{where}: fixtures: expected paths or entries, got {given!r}")
    return tuple(each if isinstance(each, Mapping) else _found(where, str(each), node) for each in sources)


def _found(where: str, path: str, node: pytest.Item) -> str:
    if _is_url(path):
        return path
    places = dict.fromkeys([node.path.parent, node.config.rootpath])
    for place in places:
        if (place / path).exists():
            return str(place / path)
    raise SettingsError(f"{where}: fixtures: {path} is not in {' nor in '.join(map(str, places))}")


def _is_url(path: str) -> bool:
    return "://" in path
