"""What providers have been recorded to send, and what their dialects send for the same reply: the same members."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat
from aimock_protocols.azure_openai import AZURE
from aimock_protocols.canonical import ChatRequest, Stamp
from aimock_protocols.openai_chat.shape import shape as chat_shape
from aimock_protocols.openai_dialects.dialect import Dialect
from aimock_protocols.openai_dialects.hosts import CEREBRAS, GROQ, TOGETHER
from aimock_protocols.openai_dialects.makers import GEMINI, MISTRAL, ZAI
from aimock_protocols.openai_dialects.servers import OLLAMA, VLLM
from aimock_protocols.openrouter.dialect import OPENROUTER
from recorded import needs_corpus, rows_of

pytestmark = needs_corpus

HOSTS = {
    "api.mistral.ai/": MISTRAL,
    "api.groq.com/": GROQ,
    "api.cerebras.ai/": CEREBRAS,
    "api.z.ai/": ZAI,
    "generativelanguage.googleapis.com/": GEMINI,
    "openrouter.ai/": OPENROUTER,
    "ollama.com/": OLLAMA,
    "localhost:11434/": OLLAMA,
    "api.inference.crusoecloud.com/": VLLM,
    "pydanticai7521574644.openai.azure.com/": AZURE,
    "router.huggingface.co/together/": TOGETHER,
}
SOMETIMES: dict[Dialect, set[str]] = {
    # Members that some recordings have and others of the same provider have not.
    VLLM: {"/usage/completion_tokens_details"},
    GROQ: {
        "/service_tier",
        "/x_groq/seed",
        "/choices/message/content",
        "/choices/delta/channel",
        "/usage/completion_tokens_details",
    },
    MISTRAL: {"/usage/prompt_tokens_details", "/usage/num_cached_tokens"},
    GEMINI: {"/choices/message/extra_content", "/choices/message/thought_signature"},
    TOGETHER: {"/metadata", "/choices/message/reasoning", "/usage/cached_tokens"},
    AZURE: {"/choices/message/annotations"},
    OPENROUTER: {
        "/service_tier",
        "/system_fingerprint",
        "/choices/message/annotations",
        "/choices/message/reasoning",
        "/choices/message/reasoning_details",
        "/choices/delta/refusal",
        "/usage/cost",
        "/usage/cost_details",
        "/usage/is_byok",
        "/usage/prompt_tokens_details",
        "/usage/completion_tokens_details",
        "/usage/server_tool_use_details",
    },
}
"""Also what the recorded replies hold that no canonical reply has: Gemini's signatures, OpenRouter's annotations."""


def dialect_of(row: dict[str, Any]) -> Dialect | None:
    address = row["host"] + row["path"]
    return next((dialect for start, dialect in HOSTS.items() if address.startswith(start)), None)


@pytest.fixture(scope="module")
def rows() -> list[tuple[Dialect, dict[str, Any]]]:
    known = [(dialect_of(row), row) for row in rows_of("openai.chat") if row["status"] == 200]
    return [(dialect, row) for dialect, row in known if dialect is not None]


def members(value: Any, path: str = "") -> Iterator[str]:
    """Paths of members: of the body, its choices, messages, calls and usage."""
    for item in value if isinstance(value, list) else [value]:
        for name, member in item.items() if isinstance(item, dict) else ():
            yield f"{path}/{name}"
            if name in ("choices", "message", "delta", "tool_calls", "x_groq") or (name == "usage" and not path):
                yield from members(member, f"{path}/{name}")


def differences(dialect: Dialect, recorded: list[Any], told: list[Any]) -> set[str]:
    known = SOMETIMES.get(dialect, set())
    return (set(members(recorded)) ^ set(members(told))) - known


def shape(ask: Callable[..., ChatRequest], dialect: Dialect, row: dict[str, Any]) -> Any:
    request = row["request"] or {}
    return chat_shape(ask(model=request.get("model", ""), stream_options=request.get("stream_options")), dialect)


def test_whole_bodies_have_the_members_that_were_recorded(
    rows: list[tuple[Dialect, dict[str, Any]]], ask: Callable[..., ChatRequest], stamp: Stamp
) -> None:
    compared = 0
    for dialect, row in rows:
        if row["encoding"] == "json":
            reply = openai_chat.parse(orjson.dumps(row["response"]))
            body = openai_chat.encode(reply, shape(ask, dialect, row), stamp)
            assert not differences(dialect, [row["response"]], [orjson.loads(body)]), row["id"]
            again = openai_chat.parse(body)
            assert (again.text or "", again.reasoning) == (reply.text or "", reply.reasoning) or dialect is GEMINI
            assert [call.arguments for call in again.tool_calls] == [call.arguments for call in reply.tool_calls]
            compared += 1
    print(f"{compared} whole bodies have the recorded members")
    assert compared > 100


def test_chunks_have_the_members_that_were_recorded(
    rows: list[tuple[Dialect, dict[str, Any]]], ask: Callable[..., ChatRequest], stamp: Stamp
) -> None:
    compared = 0
    for dialect, row in rows:
        if row["encoding"] == "text":
            reply = openai_chat.collapse([row["response"].encode()])
            if reply.mid_stream_error is None:
                frames = openai_chat.frames(reply, shape(ask, dialect, row), stamp, 20)
                sent = b"".join(frame.data for frame in frames)
                assert not differences(dialect, chunks(row["response"].encode()), chunks(sent)), row["id"]
                compared += 1
    print(f"{compared} streams have the recorded members")
    assert compared > 4


def chunks(stream: bytes) -> list[Any]:
    return [orjson.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: {")]
