"""The command line: `aimock [serve] [OPTIONS]`, `aimock validate PATH…`, `aimock schema NAME` (spec: core-cli-config).

One executable understands both of the reference's: the flags of `llmock`, and `aimock --config FILE`. A flag outranks
the environment, the environment the config file, and that the defaults. Every failure is one line and exit status 1.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from aimock import __version__
from aimock.config import (
    LOG_LEVELS,
    PORT,
    Config,
    ConfigError,
    Failure,
    UnfitKeys,
    api_keys,
    load_config,
    moment,
    number,
    seed,
    whole_number,
)
from aimock.record import flags as record_flags

if TYPE_CHECKING:  # a wrong flag is told before any of these is imported
    from aimock.fixtures import Chaos, StreamingProfile
    from aimock.quotas import Quota
    from aimock.tls import TLS

DEFAULT_PORT = 4010
DEFAULT_FIXTURES = "./fixtures"
SHUTDOWN_GRACE = 8.0
"""Seconds that streams have to finish after the first SIGTERM or SIGINT; a container runtime kills after ten."""

_FLAG_OF_LATER_VERSIONS = ("provider-byteplus",)
"""Flags of the reference that this version does not honour, and therefore refuses by name."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message}; see {self.prog} --help")


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


def _serve_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="aimock",
        usage="aimock [serve] [OPTIONS]\n       aimock validate [--strict] [--json] PATH…\n"
        "       aimock schema fixtures|config",
        description="A mock server for the agentic AI stack.",
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", type=_text, metavar="FILE", help="JSON config file; flags outrank it")
    add("-p", "--port", type=_whole(PORT), metavar="N", help=f"0 takes a free port (default {DEFAULT_PORT})")
    add(
        "-h",
        "--host",
        type=_text,
        metavar="ADDRESS",
        help="address to listen on (default 127.0.0.1; environment: AIMOCK_HOST)",
    )
    add("--tls-cert", type=_text, metavar="FILE", help="serve HTTPS with this certificate (PEM), and its chain")
    add("--tls-key", type=_text, metavar="FILE", help="the key of that certificate (PEM, not encrypted)")
    add("--tls-self-signed", action="store_true", default=None, help="serve HTTPS with a certificate of its own")
    add("--tls-ca-file", type=_text, metavar="FILE", help="where to write the CA that clients then have to trust")
    add(
        "-f",
        "--fixtures",
        type=_text,
        action="append",
        metavar="SOURCE",
        help=f"file, directory or URL; repeatable ({DEFAULT_FIXTURES})",
    )
    add("-w", "--watch", action="store_true", default=None, help="read files again when they change")
    add("-l", "--latency", type=_real(number(0)), metavar="MS", help="before every frame of a stream (default 0)")
    add("--profile", type=_named(PROFILE_NAMES), metavar="NAME", help=f"timing of streams: {', '.join(PROFILE_NAMES)}")
    add("-c", "--chunk-size", type=_whole(whole_number(1)), metavar="N", help="characters a slice (default 20)")
    add("--replay-speed", type=_real(number(0, exclusive=True)), metavar="X", help="divides every delay (default 1)")
    add("--strict", action="store_true", default=None, help="answer 503, not 404, when no fixture matches")
    add("--validate-on-load", action="store_true", default=None, help="refuse to start with a faulty fixture")
    for kind in CHAOS_FLAGS:
        add(f"--chaos-{kind}", metavar="MS" if kind == "latency" else "RATE", help=CHAOS_FLAGS[kind])
    add("--chaos-fault", action="append", metavar="FAULT", help="a fault by name, as NAME;KEY=VALUE; repeatable")
    add("--chaos-websocket", action="store_true", default=None, help="all that on WebSockets too")
    add("--quota-requests", type=_whole(whole_number(1)), metavar="N", help="requests a minute for each key")
    add("--quota-tokens", type=_whole(whole_number(1)), metavar="N", help="tokens a minute for each key")
    add(
        "--quota-per",
        type=_named(QUOTA_OWNERS),
        metavar="WHOM",
        help="whose quotas: key (default) or model",
    )
    record_flags.add_to(parser)
    add("--seed", type=_whole(seed), metavar="N", help="repeats a run: ids, jitter and chaos follow from it")
    add("--frozen-time", type=_time, metavar="TIME", help="what the clock says: Unix seconds, or ISO 8601")
    add("--journal-max", type=_whole(whole_number(0)), metavar="N", help="requests remembered; 0: all (default 1000)")
    add(
        "--fixture-counts-max", type=_whole(whole_number(0)), metavar="N", help="test ids counted; 0: all (default 500)"
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


def _named(names: Sequence[str]) -> Callable[[str], str]:
    """An argparse type for one of some names."""

    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
        return text

    return read


def _time(text: str) -> float:
    try:
        return moment(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {error}, got {text!r}") from error


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


def _text(text: str) -> str:
    """An argparse type for text that must not be empty, which an unset variable in a script would make it."""
    if not text:
        raise argparse.ArgumentTypeError("expected a value, got none")
    return text


def _whole(check: Callable[[Any], int]) -> Callable[[str], int]:
    """An argparse type for whole numbers: the text must be one, and the check must hold."""

    def read(text: str) -> int:
        try:
            return check(int(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(_expected(error, "a whole number", text)) from error

    return read


def _real(check: Callable[[Any], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return check(float(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(_expected(error, "a number", text)) from error

    return read


def _expected(error: ValueError, default: str, text: str) -> str:
    said = str(error)
    return f"expected {default if said.startswith(('invalid', 'could not')) else said}, got {text!r}"


def _ambient_keys() -> tuple[str, ...] | None:
    """The keys that the environment lists; None if the variable is not set. Set to nothing, it is wrong."""
    listed = os.environ.get("AIMOCK_API_KEYS")
    if listed is None:
        return None
    try:
        return api_keys(listed.split(","))
    except UnfitKeys as error:
        raise Failure(f"AIMOCK_API_KEYS{error}") from error


def choose(words: Sequence[str]) -> Config:
    """What the words of a command line choose, over environment, over config file, over defaults. Raises Failure or
    ConfigError."""
    flags = _serve_parser().parse_args(words)
    from_file = load_config(Path(flags.config)) if flags.config is not None else Config()
    from_flags = {
        "port": flags.port,
        "tls": _tls(flags, from_file.tls),
        "host": flags.host or os.environ.get("AIMOCK_HOST") or None,
        "strict": flags.strict,
        "seed": flags.seed,
        "frozen_time": flags.frozen_time,
        "fixtures": tuple(flags.fixtures) if flags.fixtures else None,
        "latency": flags.latency,
        "streaming_profile": _profile(flags),
        "chaos": _chaos(flags, from_file.chaos),
        "quota": _quota(flags, from_file.quota),
        "chunk_size": flags.chunk_size,
        "replay_speed": flags.replay_speed,
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
        "log_level": "info",
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
    chosen["record"] = record_flags.chosen(flags, from_file.record, chosen["fixtures"] or ())
    chosen["services"] = tuple(record_flags.with_agent(flags, chosen["services"], chosen["fixtures"] or ()))
    return Config(**chosen)


def _serve(words: Sequence[str]) -> int:
    choice = choose(words)
    gc.disable()  # until all is imported and loaded there is nothing to collect, and looking for it takes its time
    try:
        from aimock import serving  # the event loop and all that: --help and a wrong flag need none of it

        return serving.run(choice, SHUTDOWN_GRACE)
    finally:
        gc.enable()


# -- validate ------------------------------------------------------------------------------------------------------


def _validate(words: Sequence[str]) -> int:
    parser = _Parser(
        prog="aimock validate",
        description="Checks fixture files, alone and together.",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a fixture file, or a directory of them")
    parser.add_argument("--strict", action="store_true", help="fail on warnings too")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("-h", "--help", action="help", help="show this and exit")
    options = parser.parse_args(words)
    from aimock.fixtures.check import check_paths

    report = check_paths(options.paths, strict=options.strict)
    if options.json:
        import orjson

        print(orjson.dumps(report.to_json()).decode())
    else:
        for line in report.lines():
            print(line)
    return 1 if report.failed else 0


# -- schema --------------------------------------------------------------------------------------------------------


def _schema(words: Sequence[str]) -> int:
    parser = _Parser(
        prog="aimock schema",
        description="Prints a JSON Schema (draft 2020-12).",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "name", metavar="NAME", choices=("fixtures", "config"), help="of fixture files, or of config files"
    )
    parser.add_argument("-h", "--help", action="help", help="show this and exit")
    from aimock.schema import schema_text

    print(schema_text(parser.parse_args(words).name))
    return 0


_VERBS: dict[str, Callable[[Sequence[str]], int]] = {"serve": _serve, "validate": _validate, "schema": _schema}
