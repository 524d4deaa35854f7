"""The command line: `aimock [serve] [OPTIONS]`, `aimock record [OPTIONS] -- COMMAND`, `aimock validate PATH…`, `aimock
schema NAME` (spec: core-cli-config).

One executable understands both of the reference's: the flags of `llmock`, and `aimock --config FILE`. A flag outranks
the environment, the environment the config file, and that the defaults. Every failure is one line and exit status 1.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aimock import checks, logs, readers
from aimock.chosen import choose, of_flags
from aimock.config import Config, ConfigError, Failure
from aimock.flags import RECORD, parser_of

if TYPE_CHECKING:  # a wrong flag is told before this is imported
    from aimock.record.tally import Tally

SHUTDOWN_GRACE = 8.0
"""Seconds that streams have to finish after the first SIGTERM or SIGINT; a container runtime kills after ten."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = words.pop(0) if words and words[0] in _VERBS else "serve"
    try:
        return _VERBS[verb](words)
    except (Failure, ConfigError) as failure:
        print(f"aimock: {failure}", file=sys.stderr)
        return 1


# -- serve ---------------------------------------------------------------------------------------------------------


def _serve(words: Sequence[str]) -> int:
    choice = choose(words)
    gc.disable()  # until all is imported and loaded there is nothing to collect, and looking for it takes its time
    try:
        from aimock import serving  # the event loop and all that: --help and a wrong flag need none of it

        logs.show(choice.log_level or "info")
        serving.raise_descriptor_limit()
        return serving.run(choice, SHUTDOWN_GRACE, tally=_tally_to_show(choice))
    finally:
        gc.enable()


def _tally_to_show(choice: Config) -> Tally | None:
    """What counts for the line on a terminal, if there is to be one."""
    if choice.record is None:
        return None
    from aimock import progress
    from aimock.record.prices import PriceList
    from aimock.record.tally import Tally

    return Tally(PriceList({})) if progress.fits(choice.log_level) else None


# -- record --------------------------------------------------------------------------------------------------------


def _record(words: Sequence[str]) -> int:
    place = words.index("--") if "--" in words else len(words)
    parser = parser_of(RECORD)
    parser.add_argument(
        "--prices", type=readers.text, metavar="FILE", help="JSON: USD for a million tokens of models, before ours"
    )
    flags = parser.parse_args(words[:place])
    command = words[place + 1 :]
    if not command:
        raise Failure("record: expected `-- COMMAND` at the end; see aimock record --help")
    if flags.port is None:
        flags.port = 0
    from aimock import sdks, serving
    from aimock.record.command import Command
    from aimock.record.prices import PriceError, price_list
    from aimock.record.tally import Tally, report

    choice = of_flags(flags, sdks.places(os.environ))
    assert choice.record is not None
    try:
        tally = Tally(price_list(Path(flags.prices) if flags.prices else None))
    except PriceError as error:
        raise Failure(f"--prices: {error}") from None
    logs.show(choice.log_level or "warn", apart=True)
    running = Command(command, frozenset(choice.record.providers), os.environ)
    status = serving.run(choice, SHUTDOWN_GRACE, running.run, tally)
    if running.has_begun and choice.log_level != "silent":
        for line in report(tally):
            print(f"aimock: {line}", file=sys.stderr)
    return status


# -- mcp -----------------------------------------------------------------------------------------------------------


def _mcp(words: Sequence[str]) -> int:
    from aimock.surfaces.mcp.command import main

    return main(words)


# -- init ----------------------------------------------------------------------------------------------------------


def _init(words: Sequence[str]) -> int:
    from aimock.starter import init

    return init(words)


_VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "serve": _serve,
    "record": _record,
    "validate": checks.validate,
    "schema": checks.schema,
    "mcp": _mcp,
    "init": _init,
}
