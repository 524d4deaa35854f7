"""Recording an agent from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimock import cli, serving
from aimock.config import Config
from aimock.surfaces.agui.service import AGUI

RUN = {"match": {"message": "hello"}, "events": [{"type": "RUN_STARTED"}, {"type": "RUN_FINISHED"}]}
UPSTREAM = "--agui-upstream http://127.0.0.1:9/agent"


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Config]:
    """What a command line would serve, from an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def choose(words: str) -> Config:
        seen: list[Config] = []
        monkeypatch.setattr(serving, "run", lambda choice, grace, **_: seen.append(choice) or 0)
        assert cli.main(words.split()) == 0
        return seen[0]

    return choose


def agent_of(choice: Config) -> Any:
    ((path, agent),) = choice.services
    assert path == "/agui"
    assert isinstance(agent, AGUI)
    return agent


def test_an_agent_that_records_beside_the_first_fixtures(chosen: Callable[[str], Config], tmp_path: Path) -> None:
    agent = agent_of(chosen(f"-f first -f second --agui-record {UPSTREAM}"))
    assert agent._recorder._shelf._top == Path("first/agui-recorded")
    assert agent._recorder._target == "/agent"
    assert len(agent.book) == 0


def test_what_was_recorded_before_answers(chosen: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "first" / "agui-recorded").mkdir(parents=True)
    (tmp_path / "first" / "agui-recorded" / "agui-1.json").write_text(json.dumps({"fixtures": [RUN]}))
    assert len(agent_of(chosen(f"-f first --agui-record {UPSTREAM}")).book) == 1
    assert len(agent_of(chosen(f"-f first --agui-proxy-only {UPSTREAM}")).book) == 0


def test_proxy_only_outranks_record(chosen: Callable[[str], Config]) -> None:
    agent = agent_of(chosen(f"--agui-record --agui-proxy-only {UPSTREAM} -f https://example.com/x.json"))
    assert agent._recorder._shelf is None


def test_the_agent_of_the_config_file_records(chosen: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "aimock.json").write_text(json.dumps({"agui": {"fixtures": [RUN]}}))
    agent = agent_of(chosen(f"--config aimock.json --agui-record {UPSTREAM}"))
    assert len(agent.book) == 1
    assert agent._recorder is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--agui-record", "--agui-record and --agui-proxy-only need --agui-upstream"),
        ("--agui-proxy-only", "--agui-record and --agui-proxy-only need --agui-upstream"),
        (UPSTREAM, "--agui-upstream needs --agui-record or --agui-proxy-only"),
        ("--agui-record --agui-upstream nowhere", "--agui-upstream: record.upstream: expected an http or https URL"),
        (
            f"--agui-record {UPSTREAM} -f https://example.com/x.json",
            "--agui-record: the first --fixtures must be a",
        ),
    ],
)
def test_what_does_not_go(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split()) == 1
    assert said in capsys.readouterr().err
