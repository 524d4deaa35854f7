"""Ollama's own SDK as the judge: its types take every line that is sent, strictly, and know its members."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ollama
import orjson
import pytest
from ollama._types import EmbeddingsResponse
from pydantic import BaseModel

from aimock.net.exchange import Head
from aimock_protocols import ndjson
from aimock_protocols.canonical import Reply, SideRequest, Stamp, Text, ToolCall, Vectors
from aimock_protocols.ollama import chat, embed, embeddings, generate

HEAD = Head("POST", "/api/chat", "/api/chat", "", {}, ())
PASSED_OVER = {
    "message.tool_calls.id",
    "message.tool_calls.function.index",
    "tool_calls",
    "logprobs.bytes",
    "logprobs.top_logprobs.bytes",
    "models.name",
    "models.model",
    "models.capabilities",
}
"""Members that the server sends, and its SDK does not know."""

REPLIES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), id="text"),
    pytest.param(Reply(), id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": [1, {"é": "🚀"}]}'), ToolCall("g", ""))), id="calls"),
    pytest.param(Reply((ToolCall("f", "{oops"), ToolCall("g", "[1]"))), id="calls without an object"),
    pytest.param(Reply((Text("abc"), ToolCall("f", "{}"), Text("def"))), id="interleaved"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), id="thinking"),
    pytest.param(Reply(refusal="I cannot."), id="refusal"),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), id="length"),
]
JUDGED = pytest.mark.parametrize(
    ("protocol", "kind"),
    [(chat, ollama.ChatResponse), (generate, ollama.GenerateResponse)],
    ids=["chat", "generate"],
)
ASKED = pytest.mark.parametrize("more", [{}, {"logprobs": True, "top_logprobs": 2}], ids=["plain", "logprobs"])


def unknown(model: BaseModel, sent: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of members that were sent, and that the type has no place for."""
    fields = {field.alias or name: name for name, field in type(model).model_fields.items()}
    for key, value in sent.items():
        if key not in fields:
            yield path + key
            continue
        held = getattr(model, fields[key])
        pairs = zip(held, value, strict=True) if isinstance(value, list) else [(held, value)]
        for inner, told in pairs:
            if isinstance(inner, BaseModel):
                yield from unknown(inner, told, f"{path}{key}.")


def judged(kind: type[Any], body: bytes) -> Any:
    """What the SDK makes of a body."""
    model = kind.model_validate_json(body, strict=True)
    assert set(unknown(model, orjson.loads(body))) <= PASSED_OVER
    return model


def asked(protocol: Any, **more: Any) -> Any:
    body = {"model": "qwen3", "messages": [{"role": "user", "content": "hello"}], "prompt": "hello", "input": "hello"}
    return protocol.shape(protocol.decode(HEAD, {}, orjson.dumps(body | more)))


def text(told: Any) -> str:
    return (told.message.content if isinstance(told, ollama.ChatResponse) else told.response) or ""


@JUDGED
@ASKED
@pytest.mark.parametrize("reply", REPLIES)
def test_whole_answers(stamp: Stamp, protocol: Any, kind: type[Any], more: dict[str, Any], reply: Reply) -> None:
    told = judged(kind, protocol.encode(reply, asked(protocol, **more), stamp))
    assert text(told) == (reply.refusal or reply.text or "")
    assert told.done is True


@JUDGED
@ASKED
@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_lines_of_streams(
    stamp: Stamp, protocol: Any, kind: type[Any], more: dict[str, Any], reply: Reply, chunk_size: int
) -> None:
    """wire-ollama §11: one line is done, and it is the last."""
    frames = protocol.frames(reply, asked(protocol, **more), stamp, chunk_size)
    told = [judged(kind, line.encode()) for line in ndjson.lines(frame.data for frame in frames)]
    assert "".join(map(text, told)) == (reply.refusal or reply.text or "")
    assert [line.done for line in told] == [False] * (len(told) - 1) + [True]
    if protocol is chat:
        calls = [call.function for line in told for call in line.message.tool_calls or ()]
        assert [call.name for call in calls] == [call.name for call in reply.tool_calls]
        assert "".join(line.message.thinking or "" for line in told) == (reply.reasoning or "")


@JUDGED
def test_models_that_are_loaded(stamp: Stamp, protocol: Any, kind: type[Any]) -> None:
    request = protocol.decode(HEAD, {}, b'{"model":"qwen3","keep_alive":0}')
    assert judged(kind, request.settled(stamp).body).done_reason == "unload"


def test_embeddings(stamp: Stamp) -> None:
    told = judged(ollama.EmbedResponse, embed.encode(Vectors((None,)), asked(embed), stamp))
    assert [len(vector) for vector in told.embeddings] == [1536]
    older = judged(EmbeddingsResponse, embeddings.encode(Vectors((None,)), asked(embeddings), stamp))
    assert len(older.embedding) == 1536


def test_models(side_request: Callable[..., SideRequest]) -> None:
    models = ("qwen3", "nomic-embed-text")
    listed = judged(ollama.ListResponse, chat.tags(side_request(*models)).body)
    assert [model.model for model in listed.models] == ["qwen3:latest", "nomic-embed-text:latest"]
    assert len(judged(ollama.ProcessResponse, chat.ps(side_request(*models)).body).models) == 2
    for model in models:
        body = chat.show(side_request(*models, body=orjson.dumps({"model": model}))).body
        assert judged(ollama.ShowResponse, body).modelinfo


@pytest.mark.parametrize("act", [chat.pull, chat.push, chat.create])
def test_progress(side_request: Callable[..., SideRequest], act: Any) -> None:
    body = act(side_request("qwen3", body=b'{"model":"qwen3","from":"qwen3"}')).body
    steps = [judged(ollama.ProgressResponse, line.encode()) for line in ndjson.lines([body])]
    assert len(steps) > 3
    assert steps[-1].status == "success"


def test_a_member_that_the_sdk_does_not_know_is_noticed() -> None:
    with pytest.raises(AssertionError):
        judged(ollama.ChatResponse, b'{"message":{"role":"assistant","reasoning_content":"Hm."}}')
