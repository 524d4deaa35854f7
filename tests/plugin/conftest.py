"""Runs of pytest within pytest, with the plugin as it comes installed."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import openai  # noqa: F401  # imported once for all runs: each forgets what it has imported itself
import pytest

import aimock.server  # noqa: F401

ENTRY_POINT = "[pytest11]\naimock = aimock.pytest_plugin\n"

ASKING = '''
import contextlib, http.client, json


def post(mock, path, body, headers={}):
    """Status and JSON of the answer. Knows no proxies."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)) as connection:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.load(response)


def ask(mock, text="hello", path="/v1/chat/completions", **headers):
    """The text of the answer, or its status if it is an error."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    status, answer = post(mock, path, body, headers)
    return answer["choices"][0]["message"]["content"] if status == 200 else status
'''


@pytest.fixture(autouse=True)
def _nothing_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner runs see neither a developer's shell nor the options of this run."""
    for name in os.environ:
        if name.startswith(("AIMOCK_", "OPENAI_", "ANTHROPIC_", "PYTEST_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The plugin is installed as others are, also where only the source tree is."""
    if not any(point.name == "aimock" for point in importlib.metadata.entry_points(group="pytest11")):
        place = tmp_path_factory.mktemp("installed")
        about = place / "aimock_plugin-0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: aimock-plugin\nVersion: 0\n")
        (about / "entry_points.txt").write_text(ENTRY_POINT)
        monkeypatch.syspath_prepend(str(place))
        monkeypatch.setenv("PYTHONPATH", str(place), prepend=os.pathsep)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty suite, with `from asking import ask` at hand."""
    pytester.makepyfile(asking=ASKING)
    pytester.syspathinsert()
    return pytester


@pytest.fixture
def fixture_file(suite: pytest.Pytester) -> Path:
    """`common.json`, which answers "hello" and "unasked"."""
    path = suite.path / "common.json"
    path.write_text(
        '{"fixtures": [{"match": {"userMessage": "hello"}, "response": {"content": "Hi from the file"}},'
        ' {"match": {"userMessage": "unasked"}, "response": {"content": "x"}}]}'
    )
    return path
