"""How command lines are read: a parser, and the types of flags, each of which says what it expected."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from aimock import config_keys
from aimock.config import Failure
from aimock.reading import Check

T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """One whose errors are Failures."""

    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message}; see {self.prog} --help")


def text(given: str) -> str:
    """For text that must not be empty, which an unset variable in a script would make it."""
    if not given:
        raise argparse.ArgumentTypeError("expected a value, got none")
    return given


def named(names: Sequence[str]) -> Callable[[str], str]:
    """For one of some names."""

    def read(given: str) -> str:
        if given not in names:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {given!r}")
        return given

    return read


def time(given: str) -> float:
    """For a time, as the config file may have it."""
    return _checked(config_keys.moment, float(given) if given.replace(".", "", 1).isdecimal() else given)


def providers(given: str) -> frozenset[str]:
    """For names of providers with commas between them."""
    return _checked(config_keys.providers, given.split(","))


def whole(check: Check[int]) -> Callable[[str], int]:
    """For whole numbers: the text must be one, and the check must hold."""
    return lambda given: _checked(check, _number(int, given, "a whole number"))


def real(check: Check[float]) -> Callable[[str], float]:
    """For numbers, likewise."""
    return lambda given: _checked(check, _number(float, given, "a number"))


def _number(kind: Callable[[str], T], given: str, expected: str) -> T:
    try:
        return kind(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {given!r}") from None


def _checked(check: Check[T], value: Any) -> T:
    try:
        return check(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
