"""The config file: every key is honoured or refused (field.md §2, 57), and refusals say where and what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimock.config import Config, ConfigError, load_config

Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a config file: JSON of a value, or bytes as they are."""

    def write(content: Any) -> Path:
        path = tmp_path / "aimock.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_all_keys(write: Write) -> None:
    path = write(
        {
            "port": 4011,
            "host": "0.0.0.0",
            "strict": True,
            "seed": -7,
            "llm": {
                "fixtures": ["a", "b"],
                "latency": 2.5,
                "chunkSize": 7,
                "replaySpeed": 0.5,
                "logLevel": "debug",
                "watch": True,
                "validateOnLoad": True,
            },
            "journal": {"max": 0, "fixtureCountsMax": 5},
            "metrics": True,
            "auth": {"apiKeys": [" sk-1\t", "sk-2"]},
        }
    )
    assert load_config(path) == Config(
        port=4011,
        host="0.0.0.0",
        strict=True,
        seed=-7,
        fixtures=("a", "b"),
        latency=2.5,
        chunk_size=7,
        replay_speed=0.5,
        log_level="debug",
        watch=True,
        validate_on_load=True,
        journal_max=0,
        fixture_counts_max=5,
        metrics=True,
        api_keys=("sk-1", "sk-2"),
    )


@pytest.mark.parametrize("content", [{}, {"llm": {}}, {"llm": {}, "journal": {}}])
def test_what_is_not_said_is_left_open(write: Write, content: Any) -> None:
    assert load_config(write(content)) == Config()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"prot": 1}, 'prot: unknown key, did you mean "port"?'),
        ({"Port": 1}, 'Port: unknown key, did you mean "port"?'),
        ({"llm": {"chunk_size": 5}}, 'llm.chunk_size: unknown key, did you mean "llm.chunkSize"?'),
        ({"llm": {"strict": True}}, "llm.strict: unknown key"),
        ({"journal": {"maximum": 5}}, 'journal.maximum: unknown key, did you mean "journal.max"?'),
        ({"zzzzzz": 5}, "zzzzzz: unknown key; known are a"),
        ({"llm.latency": {"x": 1}}, "llm.latency: expected a number"),
    ],
)
def test_field_57_an_unknown_key_is_refused_with_the_nearest(write: Write, content: Any, said: str) -> None:
    """core-lessons G5, field 2.57"""
    path = write(content)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("port", "4010", "a whole number from 0 to 65535"),
        ("port", 65536, "a whole number from 0 to 65535"),
        ("port", -1, "a whole number from 0 to 65535"),
        ("port", 1.0, "a whole number from 0 to 65535"),
        ("port", True, "a whole number from 0 to 65535"),
        ("port", None, "a whole number from 0 to 65535"),
        ("host", "", "a string that is not empty"),
        ("host", 5, "a string that is not empty"),
        ("strict", "true", "true or false"),
        ("strict", 1, "true or false"),
        ("seed", 1.5, "an integer"),
        ("llm.fixtures", [], "a path, or a list of paths"),
        ("llm.fixtures", [5], "a path, or a list of paths"),
        ("llm.fixtures", "", "a path, or a list of paths"),
        ("llm.latency", -1, "a number of 0 or more"),
        ("llm.latency", "5", "a number of 0 or more"),
        ("llm.chunkSize", 0, "a whole number of 1 or more"),
        ("llm.replaySpeed", 0, "a number above 0"),
        ("llm.logLevel", "loud", "one of silent, warn, info, debug"),
        ("llm.logLevel", ["info"], "one of silent, warn, info, debug"),
        ("llm.watch", "yes", "true or false"),
        ("llm.validateOnLoad", None, "true or false"),
        ("journal.max", -1, "a whole number of 0 or more"),
        ("journal.fixtureCountsMax", 2.5, "a whole number of 0 or more"),
        ("metrics", "yes", "true or false"),
        ("metrics", 1, "true or false"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(write: Write, key: str, value: Any, expected: str) -> None:
    section, _, inner = key.partition(".")
    path = write({section: {inner: value} if inner else value})
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value) == f"{path}: {key}: expected {expected}, got {json.dumps(value, separators=(',', ':'))}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("sk-secret", ": expected a list of one or more strings"),
        ({"sk-secret": 1}, ": expected a list of one or more strings"),
        (None, ": expected a list of one or more strings"),
        ([], ": expected a list of one or more strings"),
        ([5], "[0]: expected a string that is not empty"),
        (["sk-secret", None], "[1]: expected a string that is not empty"),
        (["sk-secret", " \t "], "[1]: expected a string that is not empty"),
        (["sk-secret\n"], "[0]: expected a string without control characters"),
        (["a\tb"], "[0]: expected a string without control characters"),
        (["a\x7fb"], "[0]: expected a string without control characters"),
        (["a", "sk-secret", " sk-secret"], "[2]: expected another key than [1]"),
    ],
)
def test_unfit_keys_are_refused_by_their_place_and_never_shown(write: Write, value: Any, said: str) -> None:
    path = write({"auth": {"apiKeys": value}})
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value) == f"{path}: auth.apiKeys{said}"


@pytest.mark.parametrize("content", [{"auth": "sk-secret"}, {"auth": ["sk-secret"]}, {"auth": {"apiKey": "sk-secret"}}])
def test_a_key_in_the_wrong_place_is_not_shown(write: Write, content: Any) -> None:
    with pytest.raises(ConfigError, match=r"auth(: expected an object|\.apiKey: unknown key)") as raised:
        load_config(write(content))
    assert "sk-secret" not in str(raised.value)


def test_keys_are_in_no_repr(write: Write) -> None:
    assert "sk-secret" not in repr(load_config(write({"auth": {"apiKeys": ["sk-secret"]}})))


def test_a_url_in_a_wrong_value_is_not_shown(write: Write) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(write({"llm": {"fixtures": ["https://u:secret@x/?token=secret", 5]}}))
    assert str(raised.value).endswith('llm.fixtures: expected a path, or a list of paths, got ["https://…",5]')


def test_a_url_is_taken_as_it_stands(write: Write) -> None:
    url = "https://x/" + 1100 * "long"  # too long for the name of a file, which asking for would raise
    assert load_config(write({"llm": {"fixtures": url}})).fixtures == (url,)


@pytest.mark.parametrize("value", [5, [], "x", None])
def test_a_section_must_be_an_object(write: Write, value: Any) -> None:
    with pytest.raises(ConfigError, match="llm: expected an object"):
        load_config(write({"llm": value}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b'{"port": 1} // comment', "not JSON"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
    ],
)
def test_what_is_no_config_is_refused_with_its_whole_path(write: Write, content: bytes, said: str) -> None:
    path = write(content)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value).startswith(f"{path.absolute()}: {said}")


def test_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigError) as raised:
            load_config(path)
        assert str(raised.value).startswith(f"{path.absolute()}: ")


def test_fixtures_lie_in_the_working_directory_or_beside_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    for directory in (elsewhere / "here", tmp_path / "beside", tmp_path / "here"):
        directory.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    path = write({"llm": {"fixtures": ["here", "beside", "nowhere", str(tmp_path)]}})
    assert load_config(path).fixtures == ("here", str(tmp_path / "beside"), "nowhere", str(tmp_path))
