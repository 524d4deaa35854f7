"""The command line: `aimock [serve] [OPTIONS]`, `aimock record [OPTIONS] -- COMMAND`, `aimock validate PATH…`, `aimock
schema NAME` (spec: core-cli-config).

One executable understands both of the reference's: the flags of `llmock`, and `aimock --config FILE`. A flag outranks
the environment, the environment the config file, and that the defaults. Every failure is one line and exit status 1.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from aimock import __version__, checks, logs, readers
from aimock.config import (
    Config,
    ConfigError,
    Failure,
    load_config,
)
from aimock.config_keys import EMBEDDING_MANNERS, LOG_LEVELS, PORT, api_keys
from aimock.reading import count, integer, number, whole_number
from aimock.record import agent_flags
from aimock.record import flags as record_flags

if TYPE_CHECKING:  # a wrong flag is told before any of these is imported
    from aimock.fixtures import Chaos, StreamingProfile
    from aimock.quotas import Quota
    from aimock.record.tally import Tally
    from aimock.sdks import Place
    from aimock.tls import TLS

DEFAULT_PORT = 4010
DEFAULT_FIXTURES = "./fixtures"
SHUTDOWN_GRACE = 8.0
"""Seconds that streams have to finish after the first SIGTERM or SIGINT; a container runtime kills after ten."""

_FLAG_OF_LATER_VERSIONS = ("provider-byteplus",)
"""Flags of the reference that this version does not honour, and therefore refuses by name."""


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


_SERVE = (
    "aimock",
    "aimock [serve] [OPTIONS]\n       aimock record [OPTIONS] -- COMMAND [ARGS…]\n"
    "       aimock validate [--strict] [--json] PATH…\n       aimock schema fixtures|config\n"
    "       aimock mcp --stdio [FILE…]\n       aimock mcp import URL",
    "A mock server for the agentic AI stack.",
)
_RECORD = (
    "aimock record",
    "aimock record [OPTIONS] -- COMMAND [ARGS…]",
    "Runs a command with its SDKs pointed at a server that records, and says at the end what that cost.",
)


def _serve_parser(words: tuple[str, str, str] = _SERVE) -> argparse.ArgumentParser:
    """`words`: name, usage and description."""
    prog, usage, description = words
    parser = readers.Parser(
        prog=prog,
        usage=usage,
        description=description,
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", type=readers.text, metavar="FILE", help="JSON config file; flags outrank it")
    add("-p", "--port", type=readers.whole(PORT), metavar="N", help=f"0 takes a free port (default {DEFAULT_PORT})")
    add(
        "-h",
        "--host",
        type=readers.text,
        metavar="ADDRESS",
        help="address to listen on (default 127.0.0.1; environment: AIMOCK_HOST)",
    )
    add("--tls-cert", type=readers.text, metavar="FILE", help="serve HTTPS with this certificate (PEM), and its chain")
    add("--tls-key", type=readers.text, metavar="FILE", help="the key of that certificate (PEM, not encrypted)")
    add("--tls-self-signed", action="store_true", default=None, help="serve HTTPS with a certificate of its own")
    add(
        "--tls-ca-file", type=readers.text, metavar="FILE", help="where to write the CA that clients then have to trust"
    )
    add(
        "-f",
        "--fixtures",
        type=readers.text,
        action="append",
        metavar="SOURCE",
        help=f"file, directory or URL; repeatable ({DEFAULT_FIXTURES})",
    )
    add("--providers", type=readers.providers, metavar="NAMES", help="whose APIs are answered: openai,claude (all)")
    add("-w", "--watch", action="store_true", default=None, help="read files again when they change")
    add(
        "-l", "--latency", type=readers.real(number(0)), metavar="MS", help="before every frame of a stream (default 0)"
    )
    add(
        "--profile",
        type=readers.named(PROFILE_NAMES),
        metavar="NAME",
        help=f"timing of streams: {', '.join(PROFILE_NAMES)}",
    )
    add("-c", "--chunk-size", type=readers.whole(whole_number(1)), metavar="N", help="characters a slice (default 20)")
    add(
        "--replay-speed",
        type=readers.real(number(0, exclusive=True)),
        metavar="X",
        help="divides every delay (default 1)",
    )
    add(
        "--embeddings",
        type=readers.named(EMBEDDING_MANNERS),
        metavar="HOW",
        help="vectors of texts without a fixture: hash (default), or semantic: related texts are near",
    )
    add("--rewrite-ids", action="store_true", default=None, help="answer what was recorded with fresh ids")
    add("--strict", action="store_true", default=None, help="answer 503, not 404, when no fixture matches")
    add("--validate-on-load", action="store_true", default=None, help="refuse to start with a faulty fixture")
    for kind in CHAOS_FLAGS:
        add(f"--chaos-{kind}", metavar="MS" if kind == "latency" else "RATE", help=CHAOS_FLAGS[kind])
    add("--chaos-fault", action="append", metavar="FAULT", help="a fault by name, as NAME;KEY=VALUE; repeatable")
    add("--chaos-websocket", action="store_true", default=None, help="all that on WebSockets too")
    add("--quota-requests", type=readers.whole(whole_number(1)), metavar="N", help="requests a minute for each key")
    add("--quota-tokens", type=readers.whole(whole_number(1)), metavar="N", help="tokens a minute for each key")
    add(
        "--quota-per",
        type=readers.named(QUOTA_OWNERS),
        metavar="WHOM",
        help="whose quotas: key (default) or model",
    )
    record_flags.add_to(parser)
    agent_flags.add_to(parser)
    add("--seed", type=readers.whole(integer), metavar="N", help="repeats a run: ids, jitter and chaos follow from it")
    add("--frozen-time", type=readers.time, metavar="TIME", help="what the clock says: Unix seconds, or ISO 8601")
    add(
        "--journal-max",
        type=readers.whole(count),
        metavar="N",
        help="requests remembered; 0: all (default 1000)",
    )
    add(
        "--fixture-counts-max",
        type=readers.whole(count),
        metavar="N",
        help="test ids counted; 0: all (default 500)",
    )
    add("--metrics", action="store_true", default=None, help="count requests, and answer GET /metrics")
    add("--http2", action="store_true", default=None, help="speak HTTP/2 beside HTTP/1.1, through Hypercorn")
    add("--log-level", choices=LOG_LEVELS, help="silent, warn, info (default) or debug")
    add("--version", action="version", version=f"aimock {__version__}")
    add("--help", action="help", help="show this and exit")
    for flag in _FLAG_OF_LATER_VERSIONS:
        add(f"--{flag}", nargs="?", action=_Refuse, help=argparse.SUPPRESS)
    return parser


class _Refuse(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        raise Failure(f"{option}: this version does not support it")


PROFILE_NAMES = ("fast", "standard", "reasoning", "overloaded")
CHAOS_FLAGS = {
    "drop": "probability of a 500",
    "malformed": "probability of a body that is not JSON",
    "ratelimit": "probability of a 429",
    "disconnect": "probability of a connection cut without an answer",
    "latency": "delay of every answer, 0 to 30000",
}
"""The flags `--chaos-…`, and what each does: they are `chaos.KINDS`, which a start without them need not import."""
QUOTA_OWNERS = ("key", "model")


def _chaos(flags: argparse.Namespace, from_file: Chaos | None) -> Chaos | None:
    """The server's chaos: of each field what a flag says, else the config file."""
    texts = {kind: text for kind in CHAOS_FLAGS if (text := getattr(flags, f"chaos_{kind}")) is not None}
    if not texts and not flags.chaos_fault and not flags.chaos_websocket:
        return from_file
    from aimock.chaos import KINDS, QUIET
    from aimock.fixtures.faults import FaultError, read_faults

    chosen: dict[str, Any] = {}
    for kind, text in texts.items():
        field, read = KINDS[kind]
        try:
            chosen[field] = read(text)
        except ValueError as error:
            raise Failure(f"--chaos-{kind}: expected {error}, got {text!r}") from error
    if flags.chaos_websocket:
        chosen["websocket"] = True
    if flags.chaos_fault:
        try:
            chosen["faults"] = read_faults(flags.chaos_fault)
        except FaultError as error:
            raise Failure(f"--chaos-fault: {error}") from error
    return attrs.evolve(from_file or QUIET, **chosen)


def _quota(flags: argparse.Namespace, from_file: Quota | None) -> Quota | None:
    """Likewise."""
    chosen = {
        "requests_per_minute": flags.quota_requests,
        "tokens_per_minute": flags.quota_tokens,
        "per": flags.quota_per,
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if not chosen:
        return from_file
    from aimock.quotas import Per, Quota

    if "per" in chosen:
        chosen["per"] = Per(chosen["per"])
    quota = attrs.evolve(from_file or Quota(), **chosen)
    if quota.requests_per_minute is None and quota.tokens_per_minute is None:
        raise Failure("--quota-per needs --quota-requests or --quota-tokens")
    return quota


def _tls(flags: argparse.Namespace, from_file: TLS | None) -> TLS | None:
    """Likewise; but a certificate goes with its key."""
    if not (flags.tls_cert or flags.tls_key or flags.tls_self_signed or flags.tls_ca_file):
        return from_file
    from aimock.tls import Files, SelfSigned

    if flags.tls_cert or flags.tls_key:
        if flags.tls_self_signed or flags.tls_ca_file:
            raise Failure("--tls-cert and --tls-key do not go with --tls-self-signed and --tls-ca-file")
        if not (flags.tls_cert and flags.tls_key):
            raise Failure("--tls-cert and --tls-key need each other")
        return Files(flags.tls_cert, flags.tls_key)
    if flags.tls_self_signed:
        from_file = from_file if isinstance(from_file, SelfSigned) else SelfSigned()
    if not isinstance(from_file, SelfSigned):
        raise Failure("--tls-ca-file needs --tls-self-signed")
    return SelfSigned(flags.tls_ca_file or from_file.ca_file)


def _profile(flags: argparse.Namespace) -> StreamingProfile | None:
    if flags.profile is None:
        return None
    from aimock.fixtures.options import PROFILES

    return PROFILES[flags.profile]


def _ambient_keys() -> tuple[str, ...] | None:
    """The keys that the environment lists; None if the variable is not set. Set to nothing, it is wrong."""
    listed = os.environ.get("AIMOCK_API_KEYS")
    if listed is None:
        return None
    try:
        return api_keys(listed.split(","), "AIMOCK_API_KEYS")
    except ValueError as error:
        raise Failure(str(error)) from error


def choose(words: Sequence[str]) -> Config:
    """What the words of a command line choose, over environment, over config file, over defaults. Raises Failure or
    ConfigError."""
    return _chosen(_serve_parser().parse_args(words))


def _chosen(flags: argparse.Namespace, places: Mapping[str, Place] | None = None) -> Config:
    """With `places` it is recorded in any case, and those are where providers are unless somebody says so."""
    from_file = load_config(Path(flags.config)) if flags.config is not None else Config()
    if places is not None and from_file.record is None and not flags.proxy_only:
        flags.record = True
    from_flags = {
        "port": flags.port,
        "tls": _tls(flags, from_file.tls),
        "host": flags.host or os.environ.get("AIMOCK_HOST") or None,
        "strict": flags.strict,
        "seed": flags.seed,
        "frozen_time": flags.frozen_time,
        "fixtures": tuple(flags.fixtures) if flags.fixtures else None,
        "providers": flags.providers,
        "latency": flags.latency,
        "streaming_profile": _profile(flags),
        "chaos": _chaos(flags, from_file.chaos),
        "quota": _quota(flags, from_file.quota),
        "chunk_size": flags.chunk_size,
        "replay_speed": flags.replay_speed,
        "embeddings": flags.embeddings,
        "rewrite_ids": flags.rewrite_ids,
        "log_level": flags.log_level,
        "watch": flags.watch,
        "validate_on_load": flags.validate_on_load,
        "journal_max": flags.journal_max,
        "fixture_counts_max": flags.fixture_counts_max,
        "metrics": flags.metrics,
        "http2": flags.http2,
        "api_keys": _ambient_keys(),
    }
    defaults = {
        # As the reference has it, each of its two executables in its own way: a config file means a free port.
        "port": DEFAULT_PORT if flags.config is None else 0,
        "host": "127.0.0.1",
        "strict": False,
        "fixtures": (DEFAULT_FIXTURES,) if flags.config is None else (),
        "latency": 0.0,
        "chunk_size": 20,
        "replay_speed": 1.0,
        "embeddings": "hash",
        "rewrite_ids": False,
        "log_level": "info" if places is None else "warn",
        "watch": False,
        "validate_on_load": False,
        "journal_max": 1000,
        "fixture_counts_max": 500,
        "metrics": False,
        "http2": False,
        "api_keys": (),
    }
    chosen: dict[str, Any] = {}
    for name in attrs.fields_dict(Config):
        candidates = (from_flags.get(name), getattr(from_file, name), defaults.get(name))
        chosen[name] = next((value for value in candidates if value is not None), None)
    chosen["record"] = record_flags.chosen(flags, from_file.record, chosen["fixtures"] or (), places)
    chosen["services"] = agent_flags.with_agent(flags, chosen["services"], chosen["fixtures"] or ())
    return Config(**chosen)


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
    parser = _serve_parser(_RECORD)
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

    choice = _chosen(flags, sdks.places(os.environ))
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


_VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "serve": _serve,
    "record": _record,
    "validate": checks.validate,
    "schema": checks.schema,
    "mcp": _mcp,
}
