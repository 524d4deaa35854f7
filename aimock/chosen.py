"""What a command line chooses: a flag outranks the environment, that the config file, and that the defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from aimock.config import Config, Failure, load_config
from aimock.config_keys import api_keys
from aimock.flags import CHAOS_FLAGS, DEFAULT_FIXTURES, DEFAULT_PORT, parser_of
from aimock.record import agent_flags
from aimock.record import flags as record_flags

if TYPE_CHECKING:  # a wrong flag is told before any of these is imported
    from aimock.fixtures import Chaos, StreamingProfile
    from aimock.quotas import Quota
    from aimock.sdks import Place
    from aimock.tls import TLS


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
    return of_flags(parser_of().parse_args(words))


def of_flags(flags: argparse.Namespace, places: Mapping[str, Place] | None = None) -> Config:
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
