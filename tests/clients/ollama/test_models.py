"""Models through the official SDK, and what its clients find elsewhere on the server (wire-ollama §1, §7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from ollama import Client, ResponseError

from aimock import AIMock

Call = Callable[..., Any]


def names(listed: Any) -> list[str]:
    return [model.model for model in listed.models]


def test_models_are_listed_and_shown(mock: AIMock, called: Call) -> None:
    mock.on({"model": "qwen3:0.6b"}, {"content": "Hi"}).on({"model": "nomic-embed-text"}, {"embedding": [1.0]})
    assert names(called("list")) == names(called("ps")) == ["qwen3:0.6b", "nomic-embed-text:latest"]
    shown = called("show", model="qwen3:0.6b")
    assert shown.details.family == "qwen3"
    assert shown.modelinfo["general.parameter_count"] == 600_000_000
    assert {"completion", "tools", "thinking"} <= set(shown.capabilities)
    assert called("show", model="nomic-embed-text").capabilities == ["embedding"]


def test_what_is_pulled_is_there(mock: AIMock, called: Call, streamed: Call) -> None:
    """How programs start that want their model to be there."""
    mock.on({"model": "qwen3"}, {"content": "Hi"})
    with pytest.raises(ResponseError, match=r"model 'llama3\.2' not found") as raised:
        called("show", model="llama3.2")
    assert raised.value.status_code == 404
    steps = streamed("pull", model="llama3.2")
    assert [steps[0].status, steps[-1].status] == ["pulling manifest", "success"]
    assert [step.completed for step in steps if step.total][-1] == steps[1].total
    assert called("pull", model="llama3.2").status == "success"
    assert called("show", model="llama3.2").modelinfo
    assert names(called("list")) == ["qwen3:latest", "llama3.2:latest"]


def test_models_are_made_and_taken_away(mock: AIMock, called: Call, streamed: Call, tmp_path: Path) -> None:
    mock.on({"model": "qwen3"}, {"content": "Hi"})
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    digest = called("create_blob", path=weights)
    assert called("create", model="mine", files={"weights": digest}).status == "success"
    assert streamed("create", model="yours", from_="mine", system="Be brief.")[-1].status == "success"
    assert called("copy", source="yours", destination="theirs").status == "success"
    assert called("push", model="theirs").status == "success"
    assert called("delete", model="yours").status == "success"
    assert names(called("list")) == ["qwen3:latest", "mine:latest", "theirs:latest"]
    with pytest.raises(ResponseError, match="model 'yours' not found"):
        called("delete", model="yours")


def test_what_is_pulled_is_of_one_test(mock: AIMock) -> None:
    with (
        Client(mock.url, headers={"X-Test-Id": "one"}, verify=False) as one,
        Client(mock.url, headers={"X-Test-Id": "two"}, verify=False) as two,
    ):
        one.pull("llama3.2")
        assert "llama3.2:latest" in names(one.list())
        assert "llama3.2:latest" not in names(two.list())


def test_the_root_is_ollama_s_to_its_clients(mock: AIMock, llama: Client) -> None:
    assert llama._client.get("/").text == "Ollama is running"
    assert llama._client.head("/").status_code == 200
    assert llama._client.get("/api/version").json()["version"]
    agents = {"ollama-js/0.6.0 (x64 linux)": "Ollama", "ollama/0.12.0 (amd64 linux)": "Ollama", "curl/8": "aimock"}
    for agent, who in agents.items():
        assert httpx.get(mock.url, headers={"user-agent": agent}).text == f"{who} is running"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/nope", 404), ("POST", "/api/me", 404), ("GET", "/api/chat", 405), ("POST", "/api/tags", 405)],
)
def test_paths_that_there_are_not(llama: Client, method: str, path: str, status: int) -> None:
    with pytest.raises(ResponseError, match="Not") as raised:
        llama._request_raw(method, path)
    assert raised.value.status_code == status


@pytest.mark.parametrize("path", ["/api/tags", "/api/version", "/api/ps"])
def test_heads(mock: AIMock, path: str) -> None:
    response = httpx.head(mock.url + path)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "application/json; charset=utf-8"
