"""What stands beside Ollama's answers: errors, models, and what is done with them (wire-ollama §5, §7)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock.memories import Memories
from aimock_protocols import ndjson
from aimock_protocols.canonical import Allowance, ErrorReply, Excess, Memory, SideRequest, Stamp, WireError
from aimock_protocols.ollama import chat

Make = Callable[..., SideRequest]


def told(response: Any) -> Any:
    assert response.status == 200
    return orjson.loads(response.body)


def steps(response: Any) -> list[Any]:
    assert (response.status, response.headers) == (200, (("content-type", "application/x-ndjson"),))
    return [orjson.loads(line) for line in ndjson.lines([response.body])]


@pytest.fixture
def memory() -> Memory:
    return Memories().of("", "")


@pytest.fixture
def ask(side_request: Make, memory: Memory) -> Make:
    """A request to a side route, about models that are remembered from one to the next: ask("a", "b", model="a")."""

    def make(*models: str, **sent: Any) -> SideRequest:
        return attrs.evolve(side_request(*models, body=orjson.dumps(sent)), memory=memory)

    return make


def names(request: SideRequest) -> list[str]:
    return [model["name"] for model in told(chat.tags(request))["models"]]


# -- errors ------------------------------------------------------------------------------------------------------------


def test_an_error_is_a_text(stamp: Stamp) -> None:
    status, headers, body = chat.error(ErrorReply("No.", "odd", "p", "c", 418), stamp)
    assert (status, headers) == (418, (("content-type", "application/json; charset=utf-8"),))
    assert body == b'{"error":"No."}'


def test_a_hint_stands_beside_it(stamp: Stamp) -> None:
    assert orjson.loads(chat.error(ErrorReply("No.", hint="Look."), stamp).body) == {"error": "No.", "hint": "Look."}


def test_a_429_says_when_to_come_back(stamp: Stamp) -> None:
    reply = chat.rate_limited(Excess("requests", 10, 10, 1, 2.5, "m"))
    response = chat.error(reply, stamp)
    assert response.status == 429
    assert dict(response.headers)["retry-after"] == "3"
    assert "10 requests per minute" in told(response._replace(status=200))["error"]


def test_quotas_are_not_told(stamp: Stamp) -> None:
    assert chat.rate_limits(Allowance(1, 1, 1, 1, 1, 1), 0.0) == chat.fresh_headers(stamp) == ()


# -- models ------------------------------------------------------------------------------------------------------------


def test_the_root_and_the_version(side_request: Make) -> None:
    assert chat.root(side_request()).body == b"Ollama is running"
    assert told(chat.version(side_request())) == {"version": "0.12.0"}


def test_models_are_those_of_fixtures_with_their_tags(ask: Make) -> None:
    assert names(ask("qwen3", "qwen3:8b", "qwen3:latest")) == ["qwen3:latest", "qwen3:8b"]
    assert told(chat.tags(ask())) == told(chat.ps(ask())) == {"models": []}


MODELS = [
    ("qwen3:0.6b", "qwen3", "0.6B", 600_000_000, ["completion", "tools", "insert", "vision", "thinking"]),
    ("llama3.2:1b-q4", "llama3.2", "1B", 1_000_000_000, ["completion", "tools", "insert", "vision", "thinking"]),
    ("smollm-135M", "smollm", "135M", 135_000_000, ["completion", "tools", "insert", "vision", "thinking"]),
    ("gpt-4o", "gpt", "8B", 8_000_000_000, ["completion", "tools", "insert", "vision"]),
    ("nomic-embed-text", "nomic", "8B", 8_000_000_000, ["embedding"]),
    ("hf.co/some/Phi-4", "phi", "8B", 8_000_000_000, ["completion", "tools", "insert", "vision", "thinking"]),
    ("1234", "llama", "8B", 8_000_000_000, ["completion", "tools", "insert", "vision", "thinking"]),
]


@pytest.mark.parametrize(("name", "family", "size", "parameters", "capabilities"), MODELS)
def test_what_is_told_of_a_model_follows_from_its_name(
    ask: Make, name: str, family: str, size: str, parameters: int, capabilities: list[str]
) -> None:
    (listed,) = told(chat.tags(ask(name)))["models"]
    (running,) = told(chat.ps(ask(name)))["models"]
    shown = told(chat.show(ask(name, model=name)))
    assert listed["details"] == running["details"] == shown["details"]
    assert (listed["details"]["family"], listed["details"]["parameter_size"]) == (family, size)
    assert listed["capabilities"] == shown["capabilities"] == capabilities
    assert shown["model_info"]["general.architecture"] == family
    assert shown["model_info"]["general.parameter_count"] == parameters
    assert shown["model_info"][f"{family}.context_length"] == running["context_length"]
    assert listed["digest"] == running["digest"] == hashlib.sha256(listed["name"].encode()).hexdigest()
    assert listed["size"] == running["size_vram"] == parameters * 9 // 16
    assert running["expires_at"] == "2026-11-20T18:45:00.250000Z"


@pytest.mark.parametrize("sent", [{"model": "qwen3"}, {"name": "qwen3"}, {"model": "qwen3:latest", "verbose": True}])
def test_a_model_is_found_by_its_name(ask: Make, sent: dict[str, Any]) -> None:
    assert told(chat.show(ask("qwen3", **sent)))["modelfile"] == "FROM qwen3:latest\n"


REFUSED = [
    (chat.show, {"model": "none"}, 404, "model 'none' not found"),
    (chat.show, {"model": "none:8b"}, 404, "model 'none:8b' not found"),
    (chat.show, {}, 400, "model is required"),
    (chat.show, {"model": 5}, 400, "of type string"),
    (chat.pull, {"model": ""}, 400, "model is required"),
    (chat.push, {"model": "none"}, 404, "model 'none' not found"),
    (chat.create, {"model": "new"}, 400, "neither 'from' or 'files' was specified"),
    (chat.create, {"model": "new", "from": "none"}, 404, "model 'none' not found"),
    (chat.create, {"model": "new", "from": 5}, 400, "of type string"),
    (chat.copy, {"source": "qwen3"}, 400, "source and destination are required"),
    (chat.copy, {"source": "none", "destination": "new"}, 404, "model 'none' not found"),
    (chat.delete, {"model": "none"}, 404, "model 'none' not found"),
]


@pytest.mark.parametrize(("act", "sent", "status", "message"), REFUSED)
def test_what_is_refused(ask: Make, act: Any, sent: dict[str, Any], status: int, message: str) -> None:
    with pytest.raises(WireError, match=message) as raised:
        act(ask("qwen3", **sent))
    assert raised.value.reply.status == status
    assert names(ask("qwen3")) == ["qwen3:latest"]


# -- what is done with models ------------------------------------------------------------------------------------------


def test_what_is_pulled_is_there(ask: Make) -> None:
    response = chat.pull(ask(model="qwen3:8b"))
    digest = hashlib.sha256(b"qwen3:8b").hexdigest()
    layer = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": 4_500_000_000}
    assert steps(response) == [
        {"status": "pulling manifest"},
        layer,
        layer | {"completed": 4_500_000_000},
        {"status": "verifying sha256 digest"},
        {"status": "writing manifest"},
        {"status": "success"},
    ]
    assert names(ask("qwen3")) == ["qwen3:latest", "qwen3:8b"]
    assert told(chat.show(ask(model="qwen3:8b")))["capabilities"]


def test_models_are_created_copied_pushed_and_deleted(ask: Make) -> None:
    assert steps(chat.create(ask("qwen3", model="mine", **{"from": "qwen3"})))[-1] == {"status": "success"}
    assert steps(chat.create(ask(model="files", files={"a": "sha256:0"})))[-1] == {"status": "success"}
    assert chat.copy(ask(source="mine", destination="yours:1b")).body == b""
    assert names(ask("qwen3")) == ["qwen3:latest", "mine:latest", "files:latest", "yours:1b"]
    assert steps(chat.push(ask(model="yours:1b")))[-1] == {"status": "success"}
    assert chat.delete(ask(model="mine")).status == 200
    assert names(ask("qwen3")) == ["qwen3:latest", "files:latest", "yours:1b"]


def test_a_model_of_a_fixture_remains(ask: Make) -> None:
    assert chat.delete(ask("qwen3", model="qwen3")).status == 200
    assert names(ask("qwen3")) == ["qwen3:latest"]


@pytest.mark.parametrize("act", [chat.pull, chat.push, chat.create])
def test_without_a_stream_there_is_only_the_last_step(ask: Make, act: Any) -> None:
    response = act(ask("qwen3", model="qwen3", stream=False, **{"from": "qwen3"}))
    assert response.headers == (("content-type", "application/json; charset=utf-8"),)
    assert told(response) == {"status": "success"}


def test_blobs(side_request: Make, memory: Memory) -> None:
    content = b"weights"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"

    def blob(act: Any, digest: str, body: bytes = b"") -> int:
        request = attrs.evolve(side_request(body=body, digest=digest), memory=memory)
        try:
            return int(act(request).status)
        except WireError as refusal:
            return refusal.reply.status

    assert blob(chat.find_blob, digest) == 404
    assert blob(chat.keep_blob, digest, b"others") == 400
    assert [blob(chat.keep_blob, digest, content) for _ in range(2)] == [201, 200]
    assert blob(chat.find_blob, digest) == blob(chat.find_blob, digest.replace(":", "%3A")) == 200
    assert blob(chat.find_blob, "sha256:12") == blob(chat.keep_blob, "md5:12") == 400
