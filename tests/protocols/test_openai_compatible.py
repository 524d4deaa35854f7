"""Where the providers that speak OpenAI's chat differ from it and from each other (wire-openai-chat §15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat, openai_compatible, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    MidStreamError,
    Reply,
    SideRequest,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.openai_chat.speaker import Speaker
from aimock_protocols.openai_compatible import PROVIDERS
from aimock_protocols.openai_platform import read_error
from aimock_protocols.registry import PROTOCOLS

Ask = Callable[..., ChatRequest]

EVERYTHING = Reply(
    (Text("Hi you"), ToolCall("f", '{"x":1}', "one"), ToolCall("g", "", "two")), reasoning="Hm", id="i", created=1
)
ERROR = ErrorReply("No.", "odd", "messages", "c", 400)

every_provider = pytest.mark.parametrize("name", [provider.name for provider in PROVIDERS])


def speaker(name: str) -> Speaker:
    found: Speaker = getattr(openai_compatible, name)
    return found


def chunks(name: str, ask: Ask, stamp: Stamp, reply: Reply = EVERYTHING, **more: Any) -> list[Any]:
    """The JSON of all events of a stream."""
    said = speaker(name).frames(reply, speaker(name).shape(ask(stream=True, **more)), stamp, 20)
    events = sse.events(frame.data for frame in said)
    return [event.data if event.data == "[DONE]" else orjson.loads(event.data) for event in events]


def deltas(name: str, ask: Ask, stamp: Stamp, reply: Reply = EVERYTHING) -> list[Any]:
    told = chunks(name, ask, stamp, reply)
    return [chunk["choices"][0]["delta"] for chunk in told if chunk != "[DONE]" and chunk["choices"]]


def message(name: str, ask: Ask, stamp: Stamp, reply: Reply = EVERYTHING) -> Any:
    body = speaker(name).encode(reply, speaker(name).shape(ask()), stamp)
    return orjson.loads(body)["choices"][0]["message"]


# -- the table -------------------------------------------------------------------------------------------------------


def test_every_row_is_registered_under_its_name() -> None:
    names = [f"openai_compatible:{provider.name}" for provider in PROVIDERS]
    registered = {each.name: each for each in PROTOCOLS}
    assert len(set(names)) == len(names)
    assert set(names) <= set(registered)
    for name, provider in zip(names, PROVIDERS, strict=True):
        loaded = registered[name].load()
        assert (loaded.name, loaded) == (name, registered[name].load()), "one object for each"
        paths = [route.template for route in registered[name].routes]
        assert paths[0] == f"/{provider.name}{provider.bases[0]}/chat/completions"


def test_a_provider_that_there_is_not() -> None:
    with pytest.raises(AttributeError, match="nobody"):
        _ = openai_compatible.nobody


def test_paths_of_several_providers_are_for_their_own_clients_alone() -> None:
    """Behaviour for a path with no known provider stays that of OpenAI."""
    open_paths = [route.template for each in PROTOCOLS for route in each.routes if "compatible" in each.name]
    assert "/openai/v1/chat/completions" not in open_paths
    assert "/v1/chat/completions" not in open_paths
    for registered in PROTOCOLS:
        assert not registered.known_routes or registered.known_by, registered.name


# -- whole and streamed ----------------------------------------------------------------------------------------------

ONE, TWO = {"name": "f", "arguments": '{"x":1}'}, {"name": "g", "arguments": "{}"}
CALLS = [
    {"id": "one", "type": "function", "function": ONE},
    {"id": "two", "type": "function", "function": TWO},
]
INDEXED = [{"index": index, **call} for index, call in enumerate(CALLS)]
PLAIN = {"role": "assistant", "content": "Hi you"}

MESSAGES: dict[str, Any] = {
    "mistral": {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
            {"type": "text", "text": "Hi you"},
        ],
        "tool_calls": [{"function": ONE, "id": "one", "index": 0}, {"function": TWO, "id": "two", "index": 1}],
    },
    "groq": {**PLAIN, "reasoning": "Hm", "tool_calls": CALLS},
    "together": {**PLAIN, "reasoning": "Hm", "tool_calls": INDEXED},
    "cerebras": {**PLAIN, "reasoning": "Hm", "tool_calls": CALLS},
    "huggingface": {**PLAIN, "reasoning": "Hm", "tool_calls": CALLS},
    "fireworks": {**PLAIN, "reasoning_content": "Hm", "tool_calls": CALLS},
    "zai": {**PLAIN, "reasoning_content": "Hm", "tool_calls": INDEXED},
    "gemini": {**PLAIN, "tool_calls": CALLS},
    "deepseek": {**PLAIN, "reasoning_content": "Hm", "tool_calls": INDEXED},
    "xai": {**PLAIN, "reasoning_content": "Hm", "tool_calls": CALLS, "refusal": None},
    "vllm": {
        **PLAIN,
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": CALLS,
        "reasoning": "Hm",
    },
    "litellm": {**PLAIN, "reasoning_content": "Hm", "tool_calls": CALLS},
    "ollama": {**PLAIN, "reasoning": "Hm", "tool_calls": INDEXED},
}


@every_provider
def test_messages(ask: Ask, stamp: Stamp, name: str) -> None:
    assert message(name, ask, stamp) == MESSAGES[name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mistral", ""),
        ("groq", "absent"),
        ("together", ""),
        ("cerebras", "absent"),
        ("fireworks", None),
        ("deepseek", ""),
        ("gemini", "absent"),
        ("vllm", None),
        ("ollama", ""),
    ],
)
def test_the_content_of_calls_alone(ask: Ask, stamp: Stamp, name: str, content: Any) -> None:
    assert message(name, ask, stamp, Reply((ToolCall("f", "{}"),))).get("content", "absent") == content


@pytest.mark.parametrize(("name", "calls"), [("mistral", None), ("together", []), ("groq", "absent")])
def test_the_calls_of_text_alone(ask: Ask, stamp: Stamp, name: str, calls: Any) -> None:
    assert message(name, ask, stamp, Reply((Text("Hi"),))).get("tool_calls", "absent") == calls


BOTH_CALLS = MESSAGES["mistral"]["tool_calls"]
DELTAS: dict[str, list[Any]] = {
    "mistral": [
        {"role": "assistant", "content": ""},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
        {"content": "Hi you"},
        {"content": "", "tool_calls": BOTH_CALLS},
    ],
    "groq": [
        {"role": "assistant", "content": ""},
        {"reasoning": "Hm"},
        {"content": "Hi you"},
        {"tool_calls": [INDEXED[0]]},
        {"tool_calls": [INDEXED[1]]},
        {},
    ],
    "deepseek": [
        {"role": "assistant", "content": ""},
        {"content": None, "reasoning_content": "Hm"},
        {"content": "Hi you", "reasoning_content": None},
        {"tool_calls": [INDEXED[0] | {"function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":1}'}}]},
        {"tool_calls": [INDEXED[1] | {"function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {"content": "", "reasoning_content": None},
    ],
    "cerebras": [
        {"role": "assistant"},
        {"reasoning": "Hm"},
        {"content": "Hi you"},
        {"tool_calls": [INDEXED[0]]},
        {"tool_calls": [INDEXED[1]]},
        {},
    ],
    "ollama": [
        {"role": "assistant", "content": "", "reasoning": "Hm"},
        {"role": "assistant", "content": "Hi you"},
        {"role": "assistant", "content": "", "tool_calls": [INDEXED[0]]},
        {"role": "assistant", "content": "", "tool_calls": [INDEXED[1]]},
        {"role": "assistant", "content": ""},
    ],
    "zai": [
        {"role": "assistant", "reasoning_content": "Hm"},
        {"role": "assistant", "content": "Hi you"},
        {"role": "assistant", "content": "", "tool_calls": [INDEXED[0]]},
        {"role": "assistant", "content": "", "tool_calls": [INDEXED[1]]},
        {"role": "assistant", "content": ""},
    ],
    "gemini": [
        {"role": "assistant", "content": "Hi you"},
        {"role": "assistant", "tool_calls": [INDEXED[0]]},
        {"role": "assistant", "tool_calls": [INDEXED[1]]},
        {"role": "assistant"},
    ],
}


@pytest.mark.parametrize("name", DELTAS)
def test_deltas(ask: Ask, stamp: Stamp, name: str) -> None:
    assert deltas(name, ask, stamp) == DELTAS[name]


@pytest.mark.parametrize("name", ["mistral", "together"])
def test_the_last_delta_of_calls_finishes(ask: Ask, stamp: Stamp, name: str) -> None:
    finished = [chunk for chunk in chunks(name, ask, stamp)[:-1] if chunk["choices"][0]["finish_reason"]]
    assert len(finished) == 1
    assert finished[0]["choices"][0]["delta"]["tool_calls"]
    text = chunks(name, ask, stamp, Reply((ToolCall("f", "{}"), Text("Hi")))) if name == "together" else None
    if text:
        assert "tool_calls" not in text[-2]["choices"][0]["delta"], "unless text comes after them"


@pytest.mark.parametrize(
    ("name", "unasked", "asked"),
    [
        ("mistral", "finish", "finish"),
        ("groq", "finish", "both"),
        ("together", "finish", "finish"),
        ("cerebras", "finish", "finish"),
        ("huggingface", "alone", "alone"),
        ("fireworks", "finish", "finish"),
        ("zai", "finish", "finish"),
        ("gemini", "none", "alone"),
        ("deepseek", "finish", "finish"),
        ("xai", "alone", "alone"),
        ("vllm", "none", "alone"),
        ("litellm", "none", "alone"),
        ("ollama", "none", "alone"),
    ],
)
def test_where_streams_tell_the_usage(ask: Ask, stamp: Stamp, name: str, unasked: str, asked: str) -> None:
    for expected, more in ((unasked, {}), (asked, {"stream_options": {"include_usage": True}})):
        *events, done = chunks(name, ask, stamp, **more)
        assert done == "[DONE]"
        told = [event for event in events if event.get("usage")]
        places = ["finish" if event["choices"] else "alone" for event in told]
        assert places == {"none": [], "both": ["finish", "alone"]}.get(expected, [expected])
        assert all(event["usage"]["completion_tokens"] == 4 for event in told)


def test_groq_tells_of_the_request_first_and_last(ask: Ask, stamp: Stamp) -> None:
    first, *between, finish, _ = chunks("groq", ask, stamp)
    assert first["x_groq"]["seed"] == 42
    assert finish["x_groq"] == {"id": first["x_groq"]["id"], "usage": finish["usage"]}
    assert not any("x_groq" in chunk for chunk in between)
    assert set(finish["usage"]) >= {"queue_time", "prompt_time", "completion_time", "total_time"}


def test_gemini_sorts_its_members(ask: Ask, stamp: Stamp) -> None:
    body = speaker("gemini").encode(EVERYTHING, speaker("gemini").shape(ask()), stamp)
    assert list(orjson.loads(body)) == ["choices", "created", "id", "model", "object", "usage"]


@every_provider
def test_ids_look_alike_in_bodies_and_streams_and_differ_from_stamp_to_stamp(ask: Ask, name: str) -> None:
    protocol = speaker(name)
    reply, asked = Reply((ToolCall("f", "{}"),)), protocol.shape(ask())
    bodies = [orjson.loads(protocol.encode(reply, asked, Stamp(1.0, seed * 64))) for seed in (b"a", b"b")]
    ids = [body["id"] for body in bodies]
    assert ids[0] != ids[1]
    assert len({len(each) for each in ids}) == 1
    calls = [body["choices"][0]["message"]["tool_calls"][0]["id"] for body in bodies]
    assert calls[0] != calls[1]


# -- errors ----------------------------------------------------------------------------------------------------------

NESTED = {"error": {"message": "No.", "type": "odd", "param": "messages", "code": "c"}}
ENVELOPES: dict[str, Any] = {
    "mistral": {"object": "error", **NESTED["error"]},
    "groq": {"error": {"message": "No.", "type": "odd", "code": "c"}},
    "together": NESTED,
    "cerebras": NESTED["error"],
    "huggingface": NESTED,
    "fireworks": {"error": {"object": "error", **NESTED["error"]}},
    "zai": {"error": {"code": "c", "message": "No."}},
    "gemini": [{"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}],
    "deepseek": NESTED,
    "xai": {"code": "c", "error": "No."},
    "vllm": NESTED,
    "litellm": NESTED,
    "ollama": NESTED,
}


@every_provider
def test_errors_in_the_provider_s_envelope(stamp: Stamp, name: str) -> None:
    response = speaker(name).error(ERROR, stamp)
    assert (response.status, orjson.loads(response.body)) == (400, ENVELOPES[name])
    read = read_error(orjson.loads(response.body), 400)
    assert read is not None
    assert (read.message, read.status) == ("No.", 400)
    with pytest.raises(WireError, match="No"):
        openai_chat.parse(response.body)


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("vllm", 404, {"error": {"message": "No.", "type": "NotFoundError", "param": None, "code": 404}}),
        ("litellm", 429, {"error": {"message": "No.", "type": "server_error", "param": None, "code": "429"}}),
        ("xai", 401, {"code": "Unauthenticated", "error": "No."}),
        ("zai", 429, {"error": {"code": "429", "message": "No."}}),
        ("gemini", 503, [{"error": {"code": 503, "message": "No.", "status": "UNAVAILABLE"}}]),
        ("gemini", 418, [{"error": {"code": 418, "message": "No.", "status": "UNKNOWN"}}]),
        ("groq", 500, {"error": {"message": "No.", "type": "server_error"}}),
        ("mistral", 422, {"detail": [{"type": "server_error", "loc": ["body"], "msg": "No.", "input": None}]}),
    ],
)
def test_errors_that_say_little(stamp: Stamp, name: str, status: int, told: Any) -> None:
    response = speaker(name).error(ErrorReply("No.", status=status), stamp)
    assert orjson.loads(response.body) == told


def test_groq_tells_what_failed(stamp: Stamp) -> None:
    error = ErrorReply("No.", "invalid_request_error", code="tool_use_failed", status=400, metadata='{"name": "f"}')
    assert orjson.loads(speaker("groq").error(error, stamp).body)["error"]["failed_generation"] == '{"name": "f"}'


def test_groq_names_an_error_in_a_stream(ask: Ask, stamp: Stamp) -> None:
    broken = MidStreamError(1, ErrorReply("No.", "invalid_request_error", code="tool_use_failed", status=400))
    frames = speaker("groq").frames(
        Reply((Text("Hi"),), mid_stream_error=broken), speaker("groq").shape(ask()), stamp, 1
    )
    assert list(frames)[-1].data == (
        b'event: error\ndata: {"error":{"message":"No.","type":"invalid_request_error","code":"tool_use_failed",'
        b'"status_code":400}}\n\n'
    )


@every_provider
def test_a_hint_is_told_with_the_error(stamp: Stamp, name: str) -> None:
    assert b'"hint":"look there"' in speaker(name).error(ErrorReply("No.", status=404, hint="look there"), stamp).body


# -- beside the chat -------------------------------------------------------------------------------------------------


@every_provider
def test_models(side_request: Callable[..., SideRequest], stamp: Stamp, name: str) -> None:
    listed = orjson.loads(speaker(name).list_models(side_request("org/a", "b")).body)
    models = listed if name == "together" else listed["data"]
    prefix = "models/" if name == "gemini" else ""
    assert [model["id"] for model in models] == [f"{prefix}org/a", f"{prefix}b"]
    retrieved = speaker(name).retrieve_model(side_request("org/a", "b", model=f"{prefix}org%2Fa"))
    assert orjson.loads(retrieved.body) == models[0]
    with pytest.raises(WireError, match="c") as refused:
        speaker(name).retrieve_model(side_request("b", model="c"))
    assert refused.value.reply.status == 404


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("mistral", "mistral-correlation-id"),
        ("groq", "x-groq-region"),
        ("litellm", "x-litellm-call-id"),
        ("huggingface", "inference-id"),
    ],
)
def test_headers(stamp: Stamp, name: str, header: str) -> None:
    told = dict(speaker(name).whole_headers + speaker(name).fresh_headers(stamp))
    assert header in told
    assert told["content-type"] == "application/json"


def test_deepseek_keeps_the_connection_alive() -> None:
    keepalive = speaker("deepseek").keepalive
    assert keepalive is not None
    assert keepalive.frame.data == b": keep-alive\n\n"
