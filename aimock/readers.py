"""How command lines are read: a parser, and the types of flags, each of which says what it expected."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from aimock.config import Failure, moment


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
    try:
        return moment(float(given) if given.replace(".", "", 1).isdecimal() else given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {error}, got {given!r}") from error


def whole(check: Callable[[Any], int]) -> Callable[[str], int]:
    """For whole numbers: the text must be one, and the check must hold."""

    def read(given: str) -> int:
        try:
            return check(int(given))
        except ValueError as error:
            raise argparse.ArgumentTypeError(_expected(error, "a whole number", given)) from error

    return read


def real(check: Callable[[Any], float]) -> Callable[[str], float]:
    """For numbers, likewise."""

    def read(given: str) -> float:
        try:
            return check(float(given))
        except ValueError as error:
            raise argparse.ArgumentTypeError(_expected(error, "a number", given)) from error

    return read


def _expected(error: ValueError, default: str, given: str) -> str:
    said = str(error)
    return f"expected {default if said.startswith(('invalid', 'could not')) else said}, got {given!r}"
