"""The flags of a server, those of the reference's `llmock` among them (spec: core-cli-config §2)."""

from __future__ import annotations

import argparse
from typing import Any

from aimock import __version__, readers
from aimock.config import Failure
from aimock.config_keys import EMBEDDING_MANNERS, LOG_LEVELS, PORT
from aimock.reading import count, integer, number, whole_number
from aimock.record import agent_flags
from aimock.record import flags as record_flags

DEFAULT_PORT = 4010
DEFAULT_FIXTURES = "./fixtures"

NOT_YET = ("provider-byteplus",)
"""Flags of the reference that this version does not honour, and therefore refuses by name."""

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

SERVE = (
    "aimock",
    "aimock [serve] [OPTIONS]\n       aimock record [OPTIONS] -- COMMAND [ARGS…]\n"
    "       aimock init [--toml] [DIR]\n       aimock validate [--strict] [--json] PATH…\n"
    "       aimock schema fixtures|config\n       aimock mcp --stdio [FILE…]\n       aimock mcp import URL",
    "A mock server for the agentic AI stack.",
)
RECORD = (
    "aimock record",
    "aimock record [OPTIONS] -- COMMAND [ARGS…]",
    "Runs a command with its SDKs pointed at a server that records, and says at the end what that cost.",
)


def parser_of(words: tuple[str, str, str] = SERVE) -> argparse.ArgumentParser:
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
    for flag in NOT_YET:
        add(f"--{flag}", nargs="?", action=_Refuse, help=argparse.SUPPRESS)
    return parser


class _Refuse(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        raise Failure(f"{option}: this version does not support it")
