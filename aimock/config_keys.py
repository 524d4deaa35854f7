"""The keys of a config file: for each the attribute of `Config` that it sets, and what its value must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimock.reading import (
    Check,
    Fields,
    count,
    filled,
    flag,
    integer,
    number,
    one_of,
    reads,
    unlike,
    whole_number,
    wrong,
)
from aimock_protocols.services import SECTIONS

if TYPE_CHECKING:  # flags are judged before any of these is imported
    from aimock.fixtures import Chaos, StreamingProfile
    from aimock.quotas import Quota
    from aimock.record.config import RecordConfig
    from aimock.tls import TLS
    from aimock_protocols.canonical import Embeddings

LOG_LEVELS = ("silent", "warn", "info", "debug")
EMBEDDING_MANNERS: tuple[Embeddings, ...] = ("hash", "semantic")
PORT = whole_number(0, 65535)
embedding_manner = one_of(*EMBEDDING_MANNERS)


@reads(
    {
        "anyOf": [
            {"type": "number", "minimum": 0, "exclusiveMaximum": 10**11},
            {"type": "string", "pattern": "^[0-9]{4}-"},
        ]
    }
)
def moment(value: Any, place: str) -> float:
    """A time: Unix seconds, or text by ISO 8601, which without a zone is UTC."""
    if type(value) in (int, float) and 0 <= value < 10**11:
        return float(value)
    if isinstance(value, str):
        import datetime  # for the few who freeze the time

        try:
            read = datetime.datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return (read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()
    raise unlike(place, "Unix seconds, or a time by ISO 8601", value)


@reads({"$ref": "#/$defs/streamingProfile"})
def profile(value: Any, place: str) -> StreamingProfile:
    """A streaming profile: its name, or an object as in a fixture."""
    from aimock.fixtures import StreamingProfile, make_fixture, validate_fixtures

    if isinstance(value, StreamingProfile):
        return value
    entry = {"match": {}, "response": {"content": "x"}, "streamingProfile": value}
    findings = validate_fixtures([entry])  # warnings too: an unknown key, which a fixture may have
    if findings:
        said = findings[0].message.removeprefix("streamingProfile")
        raise ValueError(place + said if place else said.lstrip(":. "))
    checked = make_fixture(entry)
    if checked.streaming_profile is None:
        raise unlike(place, "the name of a profile, or an object", value)
    return checked.streaming_profile


@reads({"type": "object", "$ref": "#/$defs/chaos"})
def chaos(value: Any, place: str) -> Chaos:
    """The server's chaos, an object as in a fixture."""
    from aimock.chaos import chaos_from_json

    return chaos_from_json(value, place)


@reads({"type": "object", "$ref": "#/$defs/quota"})
def quota(value: Any, place: str) -> Quota:
    """A quota: `{"requestsPerMinute": …, "tokensPerMinute": …, "per": "key"}`."""
    from aimock.quotas import quota_from_json

    return quota_from_json(value, place)


@reads({"$ref": "#/$defs/providers"})
def providers(value: Any, place: str) -> frozenset[str]:
    """The providers whose APIs are answered."""
    from aimock.providers import read_offered  # most servers answer for all

    return read_offered(value, place)


@reads({"type": "object", "$ref": "#/$defs/record"})
def record(value: Any, place: str) -> RecordConfig:
    """What recording is told."""
    from aimock.record.config import RecordConfig, record_config

    return value if isinstance(value, RecordConfig) else record_config(value, place)


@reads({"type": "object", "$ref": "#/$defs/tls"})
def tls(value: Any, place: str) -> TLS:
    """`{"cert": FILE, "key": FILE}` or `{"selfSigned": true, "caFile": FILE}`."""
    from aimock.tls import tls_from_json

    return tls_from_json(value, place)


@reads({"anyOf": [filled.schema, {"type": "array", "items": filled.schema, "minItems": 1}]})
def sources(value: Any, place: str) -> tuple[str, ...]:
    """Paths and URLs."""
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path for path in paths):
        raise unlike(place, "a path, or a list of paths", value)
    return tuple(paths)


@reads({"type": "array", "items": filled.schema, "minItems": 1, "writeOnly": True})
def api_keys(value: Any, place: str) -> tuple[str, ...]:
    """API keys, without the blanks at their ends, as HTTP has them. What is wrong is said without showing any."""
    if not isinstance(value, list | tuple) or not value:
        raise wrong(place, "expected a list of one or more strings")
    keys: list[str] = []
    for index, key in enumerate(value):
        trimmed = key.strip(" \t") if isinstance(key, str) else ""
        if not trimmed:
            raise wrong(f"{place}[{index}]", "expected a string that is not empty")
        if not trimmed.isprintable():
            raise wrong(f"{place}[{index}]", "expected a string without control characters")
        if trimmed in keys:
            raise wrong(f"{place}[{index}]", f"expected another key than [{keys.index(trimmed)}]")
        keys.append(trimmed)
    return tuple(keys)


service_fixtures: Check[Any] = Check(lambda value, place: value, {"$ref": "#/$defs/serviceFixtures"})
"""Are read beside their file."""
rerank_fixtures: Check[Any] = Check(lambda value, place: value, {"$ref": "#/$defs/rerankFixtures"})
"""May say besides how the rest is ranked."""

KEYS: Fields = {
    "port": ("port", PORT),
    "host": ("host", filled),
    "tls": ("tls", tls),
    "strict": ("strict", flag),
    "seed": ("seed", integer),
    "frozenTime": ("frozen_time", moment),
    "llm.fixtures": ("fixtures", sources),
    "llm.providers": ("providers", providers),
    "llm.latency": ("latency", number(0)),
    "llm.streamingProfile": ("streaming_profile", profile),
    "llm.chaos": ("chaos", chaos),
    "llm.quota": ("quota", quota),
    "llm.record": ("record", record),
    "llm.chunkSize": ("chunk_size", whole_number(1)),
    "llm.replaySpeed": ("replay_speed", number(0, exclusive=True)),
    "llm.embeddings": ("embeddings", embedding_manner),
    "llm.rewriteIds": ("rewrite_ids", flag),
    "llm.logLevel": ("log_level", one_of(*LOG_LEVELS)),
    "llm.watch": ("watch", flag),
    "llm.validateOnLoad": ("validate_on_load", flag),
    "journal.max": ("journal_max", count),
    "journal.fixtureCountsMax": ("fixture_counts_max", count),
    "metrics": ("metrics", flag),
    "http2": ("http2", flag),
    "auth.apiKeys": ("api_keys", api_keys),
    "realtime.beta": ("beta", one_of("reject", "shim")),
    "realtime.vad": ("vad", one_of("off", "energy")),
    "realtime.silenceMsPerChar": ("silence_ms_per_char", whole_number(0, 1000)),
    "gemini.live.frames": ("live_frames", one_of("binary", "text")),
    "compat": ("compat", one_of("off", "aimock")),
    **{f"services.{name}": ("service_fixtures", service_fixtures) for name in SECTIONS},
    "services.rerank": ("service_fixtures", rerank_fixtures),
}
"""By JSON path."""
