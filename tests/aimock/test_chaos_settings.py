"""Chaos, quotas, profiles and frozen time as flags, config keys and keywords, and how they say no."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimock import AIMock, serving, startup
from aimock.chaos import QUIET
from aimock.cli import main
from aimock.config import Config, ConfigError, load_config
from aimock.fixtures import Chaos, StreamingProfile
from aimock.fixtures.faults import Fault, FaultName
from aimock.fixtures.options import PROFILES
from aimock.quotas import Per, Quota

Chosen = Callable[..., Config]
Write = Callable[[Any], Path]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """What the command line would serve."""

    def choose(words: str) -> Config:
        seen: list[Config] = []
        with monkeypatch.context() as patched:
            patched.setattr(serving, "run", lambda choice, grace, **_: seen.append(choice) or 0)
            assert main(shlex.split(words)) == 0
        (choice,) = seen
        return choice

    return choose


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a config file."""

    def write(content: Any) -> Path:
        path = tmp_path / "aimock.json"
        path.write_text(json.dumps(content))
        return path

    return write


FIN = Fault(FaultName.FIN, after_chunks=2)
DROP = Fault(FaultName.DROP, rate=0.5)
NOON = 1_772_366_400.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", {"chaos": None, "quota": None, "streaming_profile": None, "frozen_time": None}),
        ("--chaos-drop .5", {"chaos": Chaos(drop_rate=0.5)}),
        (
            "--chaos-malformed 1 --chaos-ratelimit 0 --chaos-disconnect 1. --chaos-latency 30000",
            {"chaos": Chaos(malformed_rate=1, rate_limit_rate=0, disconnect_rate=1, latency_ms=30_000)},
        ),
        ("--chaos-fault 'fin;afterChunks=2'", {"chaos": Chaos(faults=(FIN,))}),
        ("--chaos-fault 'fin;afterChunks=2' --chaos-fault 'drop;rate=.5'", {"chaos": Chaos(faults=(FIN, DROP))}),
        ("--chaos-fault 'fin;afterChunks=2,drop;rate=.5'", {"chaos": Chaos(faults=(FIN, DROP))}),
        ("--quota-requests 5", {"quota": Quota(requests_per_minute=5)}),
        ("--quota-tokens 9 --quota-per model", {"quota": Quota(tokens_per_minute=9, per=Per.MODEL)}),
        ("--profile fast", {"streaming_profile": PROFILES["fast"]}),
        ("--frozen-time 0", {"frozen_time": 0.0}),
        ("--frozen-time 12.5", {"frozen_time": 12.5}),
        ("--frozen-time 2026-03-01T12:00:00", {"frozen_time": NOON}),
        ("--frozen-time 2026-03-01T12:00:00Z", {"frozen_time": NOON}),
        ("--frozen-time '2026-03-01 13:00+01:00'", {"frozen_time": NOON}),
        ("--frozen-time 2026-03-01", {"frozen_time": NOON - 12 * 3600}),
    ],
)
def test_flags(chosen: Chosen, words: str, said: dict[str, Any]) -> None:
    choice = chosen(words)
    assert {name: getattr(choice, name) for name in said} == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *(
            (f"--chaos-{kind} {text}", f"--chaos-{kind}: expected a number between 0 and 1, got '{text}'")
            for kind in ("drop", "malformed", "ratelimit", "disconnect")
            for text in ("2", "0.5abc", "1e-1", "+1", "nan", ".")
        ),
        *(
            (f"--chaos-latency {text}", f"--chaos-latency: expected a whole number between 0 and 30000, got '{text}'")
            for text in ("30001", "1.5", "5ms")
        ),
        ("--chaos-drop=-1", "--chaos-drop: expected a number between 0 and 1, got '-1'"),
        ("--chaos-drop=", "--chaos-drop: expected a number between 0 and 1, got ''"),
        ("--chaos-fault flood", "--chaos-fault: name: expected one of drop, "),
        ("--chaos-fault 'drop;times=0'", "--chaos-fault: drop: times must be a whole number of 1 or more"),
        ("--chaos-fault=", "--chaos-fault: name: expected one of drop, "),
        ("--quota-requests 0", "argument --quota-requests: expected a whole number of 1 or more, got 0"),
        ("--quota-tokens x", "argument --quota-tokens: expected a whole number, got 'x'"),
        ("--quota-per key", "--quota-per needs --quota-requests or --quota-tokens"),
        ("--quota-per org --quota-tokens 5", "argument --quota-per: expected one of key, model, got 'org'"),
        ("--profile slow", "argument --profile: expected one of fast, standard, reasoning, overloaded, got 'slow'"),
        ("--frozen-time noon", 'argument --frozen-time: expected Unix seconds, or a time by ISO 8601, got "noon"'),
        ("--frozen-time=-1", 'argument --frozen-time: expected Unix seconds, or a time by ISO 8601, got "-1"'),
        ("--frozen-time 1e9", 'argument --frozen-time: expected Unix seconds, or a time by ISO 8601, got "1e9"'),
        (
            f"--frozen-time {10**11}",
            "argument --frozen-time: expected Unix seconds, or a time by ISO 8601, got 1000",
        ),
    ],
)
def test_f12_a_wrong_flag_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    """core-lessons F12, E11; field 2.59"""
    monkeypatch.setattr(serving, "run", lambda choice, grace, **_: pytest.fail("it would serve"))
    assert main(shlex.split(words)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"aimock: {said}")
    assert printed.err.count("\n") == 1


WHOLE: dict[str, Any] = {
    "frozenTime": "2026-03-01T12:00:00",
    "llm": {
        "streamingProfile": {"ttft": 5, "prefillPerToken": 0.5},
        "chaos": {"dropRate": 0.5, "latencyMs": 7, "faults": ["fin;afterChunks=2"]},
        "quota": {"requestsPerMinute": 5, "per": "model"},
    },
}


def test_config_keys(write: Write) -> None:
    config = load_config(write(WHOLE))
    assert config.chaos == Chaos(drop_rate=0.5, latency_ms=7, faults=(FIN,))
    assert config.quota == Quota(requests_per_minute=5, per=Per.MODEL)
    assert config.streaming_profile == StreamingProfile(ttft=5, prefill_per_token=0.5)
    assert config.wall_clock() == NOON
    noted = load_config(write({"llm": {"streamingProfile": {"ttft": 5, "_comment": "slow"}}}))
    assert noted.streaming_profile == StreamingProfile(ttft=5)
    named = load_config(write({"llm": {"streamingProfile": "reasoning"}, "frozenTime": 12.5}))
    assert (named.streaming_profile, named.frozen_time) == (PROFILES["reasoning"], 12.5)


def test_flags_outrank_the_config_file_field_by_field(chosen: Chosen, write: Write) -> None:
    words = f"--config {write(WHOLE)}"
    assert chosen(words).chaos == Chaos(drop_rate=0.5, latency_ms=7, faults=(FIN,))
    assert chosen(f"{words} --chaos-drop 0").chaos == Chaos(drop_rate=0, latency_ms=7, faults=(FIN,))
    assert chosen(f"{words} --chaos-fault none").chaos == Chaos(drop_rate=0.5, latency_ms=7, faults=())
    assert chosen(f"{words} --quota-tokens 9").quota == Quota(5, 9, Per.MODEL)
    assert chosen(f"{words} --quota-per key").quota == Quota(5, None, Per.KEY)
    assert chosen(f"{words} --profile fast --frozen-time 1").streaming_profile == PROFILES["fast"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("llm.chaos", 1, ": expected an object"),
        ("llm.chaos", {"dropRate": 2}, ".dropRate: expected a number between 0 and 1, got 2"),
        ("llm.chaos", {"drop": 1}, ".drop: unknown key"),
        ("llm.chaos", {"faults": "flood"}, ".faults: name: expected one of drop, "),
        ("llm.quota", {}, ": expected requestsPerMinute, tokensPerMinute, or both"),
        (
            "llm.quota",
            {"requestsPerMinute": -1},
            ".requestsPerMinute: expected a whole number from 1 to 1",
        ),
        ("llm.streamingProfile", "slow", ": must be an object, or one of fast, standard, reasoning, overloaded"),
        ("llm.streamingProfile", None, ": expected the name of a profile, or an object, got null"),
        ("llm.streamingProfile", {"ttft": -1}, ".ttft: must be a number, 0 or more, got -1"),
        ("llm.streamingProfile", {"ttff": 1}, '.ttff: unknown key, did you mean "ttft"?'),
        ("llm.streamingProfile", {"loadFactor": 2}, ": loadFactor and loadStreams do nothing without each other"),
        ("frozenTime", "noon", ': expected Unix seconds, or a time by ISO 8601, got "noon"'),
        ("frozenTime", True, ": expected Unix seconds, or a time by ISO 8601, got true"),
        ("frozenTime", -1, ": expected Unix seconds, or a time by ISO 8601, got -1"),
    ],
)
def test_field_57_a_wrong_value_in_a_config_file_is_refused(write: Write, key: str, value: Any, said: str) -> None:
    section, _, name = key.rpartition(".")
    path = write({section: {name: value}} if section else {name: value})
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(f"{path}: {key}{said}")


def test_the_choices_reach_the_server(chosen: Chosen, write: Write, tmp_path: Path) -> None:
    fixture = tmp_path / "a.json"
    fixture.write_text(json.dumps({"fixtures": [{"match": {}, "response": {"content": "x"}}]}))
    state = startup.build(chosen(f"--config {write(WHOLE)} -f {fixture} --log-level silent"))._state
    assert state.chaos.at("a").chaos == Chaos(drop_rate=0.5, latency_ms=7, faults=(FIN,))
    assert state.quotas is not None
    assert state.settings.tempo.profile == StreamingProfile(ttft=5, prefill_per_token=0.5)
    assert state.settings.wall_clock() == NOON


def test_keywords() -> None:
    server = AIMock(chaos={"dropRate": 1}, quota={"tokensPerMinute": 5}, streaming_profile="fast")
    settings = server._state.settings
    assert (settings.chaos, settings.quota) == (Chaos(drop_rate=1), Quota(tokens_per_minute=5))
    assert settings.streaming_profile == PROFILES["fast"]
    assert AIMock(streaming_profile={"ttft": 1})._state.settings.streaming_profile == StreamingProfile(ttft=1)
    assert AIMock(streaming_profile=PROFILES["fast"])._state.settings.streaming_profile == PROFILES["fast"]
    assert AIMock()._state.settings.chaos == QUIET


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"quota": {}}, "quota: expected requestsPerMinute, tokensPerMinute, or both"),
        ({"quota": 5}, "quota: expected an object"),
        ({"streaming_profile": "slow"}, "streaming_profile: must be an object, or one of fast"),
        ({"streaming_profile": {"tps": 0}}, "streaming_profile.tps: must be a number above 0, got 0"),
        ({"streaming_profile": 5}, "streaming_profile: must be an object"),
    ],
    ids=str,
)
def test_field_59_a_keyword_that_makes_no_sense_is_refused(keywords: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AIMock(**keywords)
