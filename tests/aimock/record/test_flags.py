"""The flags of recording: what they choose, over a config file and without one, and when they choose nothing."""

from __future__ import annotations

import json
import logging
import os
import shlex
from pathlib import Path
from typing import Any

import attrs
import pytest

from aimock import choices
from aimock.chosen import choose
from aimock.config import ConfigError, Failure
from aimock.record import flags
from aimock.record.config import RecordConfig

VALUES = {"record-mode": "all", **{f"provider-{each}": "https://x" for each in flags.PROVIDERS}}
VALUES |= dict.fromkeys(flags.LIMITS, "5")


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def chosen(words: str, file: dict[str, Any] | None = None) -> RecordConfig | None:
    if file is not None:
        Path("c.json").write_text(json.dumps({"llm": {"record": file}}))
        words = f"--config c.json {words}"
    return choose(shlex.split(words)).record


def told(config: RecordConfig | None) -> dict[str, Any]:
    """What is not as it is by default."""
    assert config is not None
    default = RecordConfig()
    return {
        field.name: getattr(config, field.name)
        for field in attrs.fields(RecordConfig)
        if getattr(config, field.name) != getattr(default, field.name)
    }


def test_what_flags_choose() -> None:
    words = "--record --provider-openai https://x --provider-ollama http://y --record-mode once -f tapes -f others"
    limits = "--upstream-timeout-ms 1.5 --body-timeout-ms 7 --max-proxy-buffer-bytes 8 --max-proxy-buffer-frames 9"
    assert told(chosen(f"{words} {limits} --record-full-model-version")) == {
        "providers": {"openai": "https://x", "ollama": "http://y"},
        "mode": "once",
        "fixture_path": Path("tapes/recorded"),
        "record_full_model_version": True,
        "upstream_timeout_ms": 1.5,
        "body_timeout_ms": 7.0,
        "max_proxy_buffer_bytes": 8,
        "max_proxy_buffer_frames": 9,
    }
    assert told(chosen("--proxy-only --provider-openai https://x")) == {
        "providers": {"openai": "https://x"},
        "proxy_only": True,
    }


def test_over_a_config_file_that_records() -> None:
    file = {"providers": {"openai": "https://x"}, "mode": "once", "proxyOnly": True, "fixturePath": "tape"}
    assert told(chosen("", file)) == {
        "providers": {"openai": "https://x"},
        "mode": "once",
        "proxy_only": True,
        "fixture_path": Path("tape"),
    }
    assert told(chosen("--record-mode all --body-timeout-ms 5", file)) == told(chosen("", file)) | {
        "mode": "all",
        "body_timeout_ms": 5.0,
    }
    assert told(chosen("--record --provider-gemini https://y -f tapes", file)) == {
        "providers": {"gemini": "https://y"},
        "mode": "once",
        "fixture_path": Path("tapes/recorded"),
    }


@pytest.mark.parametrize("flag", [*VALUES, "record-full-model-version"])
def test_a_flag_that_has_no_effect_is_named(flag: str, caplog: pytest.LogCaptureFixture) -> None:
    value = f" {VALUES[flag]}" if flag in VALUES else ""
    with caplog.at_level(logging.WARNING, "aimock"):
        assert chosen(f"--{flag}{value}") is None
    assert caplog.messages == [f"--{flag} is ignored without --record or --proxy-only"]


def test_several_are_named_together_and_none_where_it_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "aimock"):
        assert chosen("--record-mode all --provider-openai https://x") is None
        chosen("--record-mode all --provider-openai https://x", {"providers": {}})
    assert caplog.messages == ["--record-mode, --provider-openai are ignored without --record or --proxy-only"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--record", "--record and --proxy-only need a --provider-… to ask"),
        ("--record --provider-openai x", "--record: providers.openai: expected an http or https URL with a host"),
        ("--record --provider-openai https://x -f https://x/f.json", "must be a directory to record into"),
        ("--record --body-timeout-ms 0", "argument --body-timeout-ms: expected a number above 0, got 0"),
        ("--record --body-timeout-ms soon", "argument --body-timeout-ms: expected a number, got 'soon'"),
        ("--max-proxy-buffer-bytes 1.5", "argument --max-proxy-buffer-bytes: expected a whole number, got '1.5'"),
    ],
)
def test_what_cannot_be(words: str, said: str) -> None:
    with pytest.raises((Failure, ConfigError)) as raised:
        chosen(words)
    assert said in str(raised.value)


# -- before anything is recorded ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions of POSIX, for whom they hold")
def test_a_directory_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ValueError, match=r"^record: nothing can be recorded: tape: Permission denied$"):
            choices.recorder({"fixturePath": "tape"})
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_the_directory_is_to_be_is_said_at_the_start() -> None:
    Path("tape").write_text("")
    with pytest.raises(ValueError, match=r"^record: nothing can be recorded: tape: "):
        choices.recorder({"fixturePath": "tape"})
    choices.recorder({"fixturePath": "tape", "proxyOnly": True})
    choices.recorder({"fixturePath": "tape", "mode": "none"})


def test_bedrock_without_credentials_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    with caplog.at_level(logging.WARNING, "aimock"):
        choices.recorder({"providers": {"bedrock": "https://x"}})
    (said,) = caplog.messages
    assert said.startswith("Bedrock: there are no AWS credentials")
