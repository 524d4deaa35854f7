"""Requests of Ollama's chat and generate in canonical form (wire-ollama §2, §4)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock.net.exchange import Head
from aimock_protocols.canonical import ChatRequest, Stamp, WireError
from aimock_protocols.ollama import chat, embed, embeddings, generate

HEAD = Head("POST", "/api/chat", "/api/chat", "", {}, ())
HELLO = {"role": "user", "content": "hello"}


def asked(protocol: Any, **more: Any) -> ChatRequest:
    return protocol.decode(HEAD, {}, orjson.dumps({"model": "qwen3"} | more))


def refused(protocol: Any, body: bytes | dict[str, Any]) -> str:
    with pytest.raises(WireError) as raised:
        protocol.decode(HEAD, {}, body if isinstance(body, bytes) else orjson.dumps(body))
    assert raised.value.reply.status == 400
    return raised.value.reply.message


# -- chat --------------------------------------------------------------------------------------------------------------


def test_a_plain_chat_is_its_messages_and_a_stream() -> None:
    request = asked(chat, messages=[HELLO])
    assert request.body == {"model": "qwen3", "messages": [HELLO], "stream": True}
    assert (request.model, request.stream, request.settled, request.objection) == ("qwen3", True, None, None)


@pytest.mark.parametrize(
    ("given", "streams"), [({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
@pytest.mark.parametrize("protocol", [chat, generate], ids=lambda protocol: protocol.name)
def test_streams_are_the_default(protocol: Any, given: dict[str, Any], streams: bool) -> None:
    request = asked(protocol, messages=[HELLO], prompt="hello", **given)
    assert (request.stream, request.body["stream"]) == (streams, streams)


@pytest.mark.parametrize(
    ("model", "others"),
    [
        ("qwen3", ("qwen3:latest",)),
        ("qwen3:latest", ("qwen3",)),
        ("qwen3:8b", ()),
        ("hf.co/some/one", ("hf.co/some/one:latest",)),
        ("localhost:5000/one", ("localhost:5000/one:latest",)),
    ],
)
def test_a_model_is_its_latest(model: str, others: tuple[str, ...]) -> None:
    asks: list[tuple[Any, dict[str, Any]]] = [
        (chat, {"messages": [HELLO]}),
        (generate, {"prompt": "hello"}),
        (embed, {"input": "hello"}),
        (embeddings, {"prompt": "hello"}),
    ]
    assert {asked(protocol, **more | {"model": model}).aliases for protocol, more in asks} == {others}


CALL = {"function": {"name": "f", "arguments": {"x": [1]}}}
MESSAGES = [
    pytest.param({"role": "User", "content": "a"}, {"role": "user", "content": "a"}, id="roles have no case"),
    pytest.param({"role": "system", "content": None}, {"role": "system", "content": ""}, id="no content"),
    pytest.param({}, {"role": "", "content": ""}, id="nothing"),
    pytest.param(
        {"role": "assistant", "content": "a", "thinking": "b"}, {"role": "assistant", "content": "a"}, id="thinking"
    ),
    pytest.param(
        {"role": "user", "content": "a", "images": ["/9j/4A", "iVBORw0", "UklGRg", "R0lGODlh", 5]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4A"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0"}},
                {"type": "image_url", "image_url": {"url": "data:image/webp;base64,UklGRg"}},
                {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}},
            ],
        },
        id="images",
    ),
    pytest.param(
        {"role": "assistant", "tool_calls": [CALL, {"id": "mine", "function": {"name": "g"}}, {}]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": '{"x":[1]}'}},
                {"id": "mine", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                {"id": "call_2", "type": "function", "function": {"name": "", "arguments": "{}"}},
            ],
        },
        id="calls",
    ),
]


@pytest.mark.parametrize(("sent", "seen"), MESSAGES)
def test_messages(sent: dict[str, Any], seen: dict[str, Any]) -> None:
    assert asked(chat, messages=[sent]).body["messages"] == [seen]


def called(*names: str) -> dict[str, Any]:
    calls = [{"id": f"id-{place}-{name}", "function": {"name": name}} for place, name in enumerate(names)]
    return {"role": "assistant", "tool_calls": calls}


RESULTS = [
    pytest.param([called("f", "g"), {}, {}], ["id-0-f", "id-1-g"], id="in order"),
    pytest.param([called("f", "g"), {"tool_name": "g"}, {"tool_name": "f"}], ["id-1-g", "id-0-f"], id="by name"),
    pytest.param([called("f", "f"), {"tool_name": "f"}, {"tool_name": "f"}], ["id-0-f", "id-1-f"], id="of one name"),
    pytest.param([called("f", "g"), {"tool_name": "h"}, {}], ["id-0-f", "id-1-g"], id="by a name that none has"),
    pytest.param([called("f", "g"), {"tool_call_id": "id-0-f"}, {}], ["id-0-f", "id-1-g"], id="by id"),
    pytest.param([called("f"), {"tool_call_id": "other"}, {}], ["other", "id-0-f"], id="by an id that none has"),
    pytest.param([called("f"), {}, {}], ["id-0-f", None], id="one too many"),
    pytest.param([{}], [None], id="without a call"),
    pytest.param([called("f"), called("g"), {}, {}], ["id-0-g", None], id="of the turn before only"),
]


@pytest.mark.parametrize(("turns", "ids"), RESULTS)
def test_a_tool_s_result_answers_a_call(turns: list[dict[str, Any]], ids: list[str | None]) -> None:
    messages = [{"role": "tool", "content": "r"} | turn for turn in turns]
    results = [each for each in asked(chat, messages=messages).body["messages"] if each["role"] == "tool"]
    assert [result.get("tool_call_id") for result in results] == ids


def test_arguments_as_text_are_understood_but_the_server_would_refuse_them() -> None:
    call = {"function": {"name": "f", "arguments": '{"x": 1}'}}
    request = asked(chat, messages=[HELLO, {"role": "assistant", "tool_calls": [call]}])
    assert request.body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"x": 1}'
    assert request.objection is not None
    assert request.objection.status == 400
    assert request.objection.message == (
        "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments "
        "of type api.ToolCallFunctionArguments"
    )


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
PARAMETERS = [
    ({"format": "json"}, {"response_format": {"type": "json_object"}}),
    ({"format": SCHEMA}, {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}),
    ({"format": ""}, {}),
    ({"think": True}, {"think": True, "reasoning_effort": "medium"}),
    ({"think": "max"}, {"think": "max", "reasoning_effort": "max"}),
    ({"think": False}, {"think": False}),
    (
        {"options": {"temperature": 0.5, "num_predict": 9, "top_p": 0.1, "seed": 1, "stop": ["x"], "num_ctx": 5}},
        {
            "options": {"temperature": 0.5, "num_predict": 9, "top_p": 0.1, "seed": 1, "stop": ["x"], "num_ctx": 5},
            "temperature": 0.5,
            "max_tokens": 9,
            "top_p": 0.1,
            "seed": 1,
            "stop": ["x"],
        },
    ),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]},) * 2,
    ({"keep_alive": "5m", "logprobs": True, "top_logprobs": 20},) * 2,
]


@pytest.mark.parametrize(("sent", "seen"), PARAMETERS)
@pytest.mark.parametrize("protocol", [chat, generate], ids=lambda protocol: protocol.name)
def test_parameters(protocol: Any, sent: dict[str, Any], seen: dict[str, Any]) -> None:
    told = {"messages": [HELLO]} if protocol is chat else {"prompt": "hello"}
    assert asked(protocol, **told, **sent).body == {"model": "qwen3", "messages": [HELLO], "stream": True} | seen


# -- generate ----------------------------------------------------------------------------------------------------------


def test_a_prompt_is_a_user_s_message() -> None:
    request = asked(generate, prompt="hello", system="Be brief.", images=["iVBORw0"], suffix="end", context=[1, 2])
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0"}}
    assert request.body == {
        "model": "qwen3",
        "stream": True,
        "suffix": "end",
        "context": [1, 2],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "hello"}, image]},
        ],
    }


def test_raw_prompts_have_no_template() -> None:
    for more in ({"system": "a"}, {"template": "b"}, {"context": [1]}):
        body = {"model": "m", "prompt": "p", "raw": True} | more
        assert refused(generate, body) == "raw mode does not support template, system, or context"
    assert asked(generate, prompt="p", raw=True, template="", context=[]).body["raw"] is True


# -- loading -----------------------------------------------------------------------------------------------------------

DURATIONS = [
    *[(given, "load") for given in (None, 300, 0.5, -1, "5m", "1h30m", "24h0m0s", "100ms", "1.5h", ".5s")],
    *[(given, "unload") for given in (0, 0.0, "0", "0s", "0m0s", "-0", "+0.0h")],
]


@pytest.mark.parametrize(("keep_alive", "reason"), DURATIONS)
@pytest.mark.parametrize(
    ("protocol", "empty", "said"),
    [
        (chat, {}, {"message": {"role": "assistant", "content": ""}}),
        (chat, {"messages": []}, {"message": {"role": "assistant", "content": ""}}),
        (chat, {"messages": None}, {"message": {"role": "assistant", "content": ""}}),
        (generate, {}, {"response": ""}),
        (generate, {"prompt": "", "system": "s"}, {"response": ""}),
    ],
)
def test_a_request_for_nothing_loads_or_unloads_its_model(
    stamp: Stamp, protocol: Any, empty: dict[str, Any], said: dict[str, Any], keep_alive: Any, reason: str
) -> None:
    """wire-ollama §3.3: one object, whole even where streams are the default."""
    request = asked(protocol, keep_alive=keep_alive, **empty)
    assert request.settled is not None
    status, headers, body = request.settled(stamp)
    assert (status, headers) == (200, (("content-type", "application/json; charset=utf-8"),))
    created = {"model": "qwen3", "created_at": "2026-11-20T18:40:00.250000Z"}
    assert orjson.loads(body) == created | said | {"done": True, "done_reason": reason}
    assert not request.stream


# -- what is refused ---------------------------------------------------------------------------------------------------

GO = "json: cannot unmarshal {} into Go struct field {}Request.{} of type {}"
LEVELS = '"high", "medium", "low", "max", true, or false'
REFUSED = [
    ({"model": None}, "model is required"),
    ({"model": ""}, "model is required"),
    ({"model": 5}, GO.format("number", "{}", "model", "string")),
    ({"stream": "yes"}, GO.format("string", "{}", "stream", "bool")),
    ({"options": []}, GO.format("array", "{}", "options", "map[string]interface {}")),
    ({"logprobs": {}}, GO.format("object", "{}", "logprobs", "bool")),
    ({"top_logprobs": True}, GO.format("bool", "{}", "top_logprobs", "int")),
    ({"top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
    ({"top_logprobs": -1}, "top_logprobs must be between 0 and 20"),
    ({"think": "hard"}, f'invalid think value: "hard" (must be {LEVELS})'),
    ({"think": 5}, f"think must be a boolean or string ({LEVELS})"),
    ({"format": "yaml"}, 'invalid format; expected "json" or a valid JSON Schema object'),
    ({"format": [1]}, 'invalid format; expected "json" or a valid JSON Schema object'),
    ({"keep_alive": "5"}, 'time: invalid duration "5"'),
    ({"keep_alive": "5 m"}, 'time: invalid duration "5 m"'),
    ({"keep_alive": ""}, 'time: invalid duration ""'),
    ({"keep_alive": {}}, "keep_alive must be a duration or a number of seconds"),
]


@pytest.mark.parametrize(("sent", "message"), REFUSED)
@pytest.mark.parametrize(
    ("protocol", "name"), [(chat, "Chat"), (generate, "Generate"), (embed, "Embed"), (embeddings, "Embedding")]
)
def test_what_is_refused_everywhere(protocol: Any, name: str, sent: dict[str, Any], message: str) -> None:
    body = {"model": "m", "messages": [HELLO], "prompt": "p", "input": "i"} | sent
    assert refused(protocol, body) == message.replace("{}Request", f"{name}Request")


def test_a_duration_without_end_is_refused_at_once() -> None:
    assert refused(chat, {"model": "m", "keep_alive": "1" * 1_000_000}).startswith("time: invalid duration")


WRONG_MESSAGES = [
    ("hello", GO.format("string", "Chat", "messages", "[]api.Message")),
    ([None], GO.format("null", "Chat", "messages", "api.Message")),
    ([HELLO, "hello"], GO.format("string", "Chat", "messages", "api.Message")),
    ([{"content": [HELLO]}], GO.format("array", "Chat", "messages.content", "string")),
    ([{"role": 5}], GO.format("number", "Chat", "messages.role", "string")),
    ([{"images": "x"}], GO.format("string", "Chat", "messages.images", "[]api.ImageData")),
    ([{"tool_calls": [5]}], GO.format("number", "Chat", "messages.tool_calls", "api.ToolCall")),
    ([{"tool_calls": [{"function": []}]}], None),
    ([{"tool_calls": [{"function": {"name": []}}]}], None),
]


@pytest.mark.parametrize(("messages", "message"), WRONG_MESSAGES)
def test_messages_that_are_refused(messages: Any, message: str | None) -> None:
    told = refused(chat, {"model": "m", "messages": messages})
    assert told == message or (message is None and "messages.tool_calls" in told)


DEEP = b'{"model":"m","tools":[%b],"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":%b}}]}]}'


@pytest.mark.parametrize("depth", [240, 260, 1000, 2000])
def test_what_is_nested_too_deeply_is_refused(depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    for body in (DEEP % (b"{}", nested), DEEP % (nested, b"{}")):
        if depth == 240:
            chat.shape(chat.decode(HEAD, {}, body))
            continue
        with pytest.raises(WireError) as raised:
            chat.shape(chat.decode(HEAD, {}, body))
        assert raised.value.reply.status == 400
