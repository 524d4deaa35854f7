"""`aimock mcp`: a server over standard input and output, and the import of a real one."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from aimock import logs, mounts, readers
from aimock.config import Config, Failure, load_config
from aimock.config_keys import LOG_LEVELS
from aimock.net.exchange import Headers
from aimock.randomness import Randomness

logger = logging.getLogger("aimock")

_KIND = "mcp"


def main(words: Sequence[str]) -> int:
    """Runs what follows `aimock mcp` and returns the exit status. Raises Failure or ConfigError."""
    return _import(words[1:]) if words and words[0] == "import" else _stdio(words)


# -- stdio -------------------------------------------------------------------------------------------------------------


def _stdio(words: Sequence[str]) -> int:
    parser = readers.Parser(
        prog="aimock mcp",
        usage="aimock mcp --stdio [--config FILE] [--seed N] [FILE…]\n       aimock mcp import URL [OPTIONS]",
        description="An MCP server for a client that starts its servers: messages on stdin and stdout, logs on stderr.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--stdio", action="store_true", required=True, help="speak over standard input and output")
    add("--config", type=Path, metavar="FILE", help="a config file, of which the section mcp is served")
    add("--seed", type=int, metavar="N", help="repeats a run: ids follow from it")
    add("--log-level", choices=LOG_LEVELS, default="warn", help="silent, warn (default), info or debug")
    add(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="a JSON file with such a section; of more than one, entries only",
    )
    options = parser.parse_args(words)
    logs.show(options.log_level)
    config = Config() if options.config is None else load_config(options.config)
    service = _service(config, options.files)
    seed = config.seed if options.seed is None else options.seed
    sink = os.dup(1)
    os.dup2(2, 1)  # whatever is printed, by whomever, is no message
    trio.run(_until_signalled, service.server, Randomness(seed), config, sink)
    return 0


def _service(config: Config, files: Sequence[Path]) -> Any:
    """The one server of a config file, or that of the first other file, with the entries of the rest. Raises
    Failure."""
    services = [service for _, service in config.services if service.name == _KIND]
    if not services and not files:
        services = [service for _, service in mounts.from_config(_KIND, {}, Path())]
    for file in files:
        try:
            content = json.loads(file.read_bytes())
            section = content[_KIND] if isinstance(content, dict) and _KIND in content else content
            if services:
                services[0].add(section)
            else:
                services = [service for _, service in mounts.from_config(_KIND, section, file.parent)]
        except OSError as error:
            raise Failure(f"{file}: {error.strerror}") from error
        except ValueError as error:  # of JSON too
            raise Failure(f"{file}: {error}") from error
    if len(services) > 1:
        raise Failure("mcp: there are several servers in the config file, and standard input has room for one")
    return services[0]


async def _until_signalled(server: Any, randomness: Randomness, config: Config, sink: int) -> None:
    from aimock.surfaces.mcp import stdio

    server.seeded(randomness.seed, config.wall_clock)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                await stdio.serve(server, randomness, config.wall_clock, logger.error, descriptors=(stdio.INPUT, sink))
                nursery.cancel_scope.cancel()

            nursery.start_soon(serve)
            await anext(signals)
            nursery.cancel_scope.cancel()


# -- import ------------------------------------------------------------------------------------------------------------


def _import(words: Sequence[str]) -> int:
    parser = readers.Parser(
        prog="aimock mcp import",
        description="Writes a config file that has what a real MCP server has: tools, resources, prompts.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="of the server's endpoint")
    add("--out", type=Path, metavar="FILE", help="where to write; otherwise it is printed")
    add("--header", action="append", default=[], type=_header, metavar="NAME:VALUE", help="sent along; repeatable")
    add(
        "--call",
        action="append",
        default=[],
        type=_call,
        metavar="NAME=JSON",
        help="calls a tool with these arguments, and imports its answer; repeatable",
    )
    add("--timeout", type=float, default=30.0, metavar="S", help="how long the server may be silent (default 30)")
    options = parser.parse_args(words)
    if not 0 < options.timeout < 86_400:
        raise Failure("--timeout: expected seconds above 0")
    section = trio.run(_imported, options.url, tuple(options.header), options.call, options.timeout)
    text = json.dumps({_KIND: section}, indent=2, ensure_ascii=False) + "\n"
    if options.out is None:
        sys.stdout.write(text)
        return 0
    try:
        options.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{options.out}: {error.strerror}") from error
    counts = ", ".join(f"{len(value)} {key}" for key, value in section.items() if isinstance(value, list))
    print(f"{options.out}: {counts or 'nothing'}")
    return 0


async def _imported(url: str, headers: Headers, calls: Sequence[Any], patience: float) -> Any:
    from aimock.record.upstream import UpstreamFailed
    from aimock.surfaces.mcp.importing import imported, without_secrets
    from aimock.surfaces.mcp.remote import Remote, RemoteError

    def warn(text: str) -> None:
        print(f"aimock: {without_secrets(text, headers)}", file=sys.stderr)

    try:
        remote = Remote(url, headers, patience)
    except ValueError as error:
        raise Failure(f"URL: expected {error}") from error
    try:
        return without_secrets(await imported(remote, calls, warn), headers)
    except (UpstreamFailed, RemoteError) as error:
        raise Failure(without_secrets(str(error), headers)) from error
    finally:
        await remote.aclose()


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not (name + value).isprintable() or not text.isascii():
        raise argparse.ArgumentTypeError("expected NAME:VALUE")  # and not what it was: it may be a secret
    return name.strip().lower(), value.strip()


def _call(text: str) -> Any:
    from aimock.surfaces.mcp.importing import Wanted

    name, equals, written = text.partition("=")
    try:
        arguments = json.loads(written) if equals else {}
    except ValueError:
        arguments = None
    if not name or not isinstance(arguments, dict):
        raise argparse.ArgumentTypeError(f"expected NAME or NAME=JSON with an object of arguments, got {text!r}")
    return Wanted(name, arguments)
