"""generateContent requests in canonical form (wire-gemini §2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import gemini
from aimock_protocols.canonical import ChatRequest, Head, WireError
from aimock_protocols.gemini.fields import snake_case

Ask = Callable[..., ChatRequest]

HELLO = {"role": "user", "content": "hello"}


def user(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts), **more}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"text": value, **more}


def call(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **more}}


def result(name: str = "f", response: Any = None, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **more}}


def called(call_id: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def answer(call_id: str, content: str = "null") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


IMAGE = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
SEEN_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}

MESSAGES: list[Any] = [
    pytest.param([user(text("hello"))], [HELLO], id="text"),
    pytest.param([{"parts": [text("hello")]}], [HELLO], id="no role"),
    pytest.param([user(text("hel"), text("lo"))], [HELLO], id="texts are joined"),
    pytest.param([{"role": "user", "parts": text("hello")}], [HELLO], id="a single part"),
    pytest.param([user(text("hm", thought=True), text("hello"))], [HELLO], id="a thought"),
    pytest.param(
        [user(text("hello")), model(text("Hi"), text("hm", thought=True)), user(text("bye"))],
        [HELLO, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "bye"}],
        id="turns",
    ),
    pytest.param(
        [model(text("I call"), call(args={"x": 1}, id="a"), call("g"))],
        [
            {
                "role": "assistant",
                "content": "I call",
                "tool_calls": [called("a", arguments='{"x":1}'), called("call_gemini_g_1", "g")],
            }
        ],
        id="calls",
    ),
    pytest.param(
        [model(call(), call()), user(result(), result())],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [called("call_gemini_f_0"), called("call_gemini_f_1")],
            },
            answer("call_gemini_f_0"),
            answer("call_gemini_f_1"),
        ],
        id="results by name, in order",
    ),
    pytest.param(
        [model(call(id="a"), call(id="b")), user(result(id="b"), result())],
        [
            {"role": "assistant", "content": None, "tool_calls": [called("a"), called("b")]},
            answer("b"),
            answer("a"),
        ],
        id="a result by id, the other by name",
    ),
    pytest.param(
        [model(call(id="a")), user(result()), model(call(id="b")), user(result()), user(result())],
        [
            {"role": "assistant", "content": None, "tool_calls": [called("a")]},
            answer("a"),
            {"role": "assistant", "content": None, "tool_calls": [called("b")]},
            answer("b"),
            answer("call_gemini_f_0"),
        ],
        id="results of the last calls, and of none",
    ),
    pytest.param([user(result(id="z"))], [answer("z")], id="a result with an id of its own"),
    pytest.param(
        [{"role": "function", "parts": [result("g", "sunny")]}],
        [answer("call_gemini_g_0", "sunny")],
        id="the older role of results",
    ),
    pytest.param(
        [user(result(response={"a": [1]}), text("and?"))],
        [answer("call_gemini_f_0", '{"a":[1]}'), {"role": "user", "content": "and?"}],
        id="a result and a text",
    ),
    pytest.param([user()], [{"role": "user", "content": ""}], id="no parts"),
    pytest.param([{"role": "user"}], [{"role": "user", "content": ""}], id="nothing"),
    pytest.param([user({"executableCode": {"code": "1"}})], [{"role": "user", "content": ""}], id="unknown parts"),
    pytest.param(
        [model({"executableCode": {"code": "1"}}, {"codeExecutionResult": {}})],
        [{"role": "assistant", "content": None}],
        id="the provider's own tools",
    ),
    pytest.param([{"role": "system", "parts": [text("x")]}, user(text("hello"))], [HELLO], id="a role there is not"),
    pytest.param([user({"text": 5}, {"text": None}, text("hello"))], [HELLO], id="texts that are none"),
    pytest.param([user(IMAGE)], [{"role": "user", "content": [SEEN_IMAGE]}], id="an image"),
    pytest.param(
        [user(text("what"), IMAGE, text("?"))],
        [{"role": "user", "content": [{"type": "text", "text": "what?"}, SEEN_IMAGE]}],
        id="an image and text",
    ),
    pytest.param(
        [
            user(
                {"inline_data": {"mime_type": "audio/wav", "data": "aGk="}},
                {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
                {"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b.png"}},
                {"file_data": {"file_uri": "https://x/y.mp4"}},
            )
        ],
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk="}},
                    {"type": "image_url", "image_url": {"url": "gs://a/b.png"}},
                    {"type": "file", "file": {"file_id": "https://x/y.mp4"}},
                ],
            }
        ],
        id="media of every kind",
    ),
]


@pytest.mark.parametrize(("contents", "messages"), MESSAGES)
def test_messages(ask_gemini: Ask, contents: list[Any], messages: list[Any]) -> None:
    assert ask_gemini(*contents).body["messages"] == messages


def in_snake_case(value: Any) -> Any:
    """The same request as Python's clients may send it: nothing within arguments, results and schemas is renamed."""
    if isinstance(value, list):
        return [in_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    free = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels")
    return {snake_case(name): inner if name in free else in_snake_case(inner) for name, inner in value.items()}


@pytest.mark.parametrize(("contents", "messages"), MESSAGES)
def test_either_case_will_do(ask_gemini: Ask, contents: list[Any], messages: list[Any]) -> None:
    assert ask_gemini(*in_snake_case(contents)).body["messages"] == messages


SCHEMA = {"type": "OBJECT", "properties": {"someThing": {"anyOf": [{"type": "STRING"}]}}}
FULL: dict[str, Any] = {
    "systemInstruction": {"role": "user", "parts": [{"text": "Be "}, {"text": "kind."}]},
    "tools": [
        {"functionDeclarations": [{"name": "f", "description": "d", "parameters": SCHEMA}, {"name": "g"}]},
        {"functionDeclarations": [{"name": "h", "parametersJsonSchema": SCHEMA}], "googleSearch": {}},
        {"codeExecution": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 100,
        "stopSequences": ["END"],
        "seed": 7,
        "candidateCount": 2,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseMimeType": "application/json",
        "responseSchema": SCHEMA,
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "cachedContent": "cachedContents/x",
}


@pytest.mark.parametrize("snake", [False, True])
def test_everything_at_once(ask_gemini: Ask, snake: bool) -> None:
    """Members at every level in either case; schemas are not touched; what has no counterpart stays as it was sent."""
    sent = in_snake_case(FULL) if snake else FULL
    request = ask_gemini(**sent)
    body = request.body
    assert body["messages"] == [{"role": "system", "content": "Be kind."}, HELLO]
    functions = [tool["function"] for tool in body["tools"] if "function" in tool]
    assert functions == [
        {"name": "f", "description": "d", "parameters": SCHEMA},
        {"name": "g"},
        {"name": "h", "parameters": SCHEMA},
    ]
    search, code = [tool for tool in body["tools"] if "function" not in tool]
    assert (list(search), list(code)) == (
        (["google_search"], ["code_execution"]) if snake else (["googleSearch"], ["codeExecution"])
    )
    assert body["tool_choice"] == "required"
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    expected = {
        "model": "gemini-x",
        "stream": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "max_tokens": 100,
        "stop": ["END"],
        "seed": 7,
        "n": 2,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "reasoning_effort": "low",
    }
    assert body.items() >= expected.items()
    for name in ("safetySettings", "cachedContent", "toolConfig", "generationConfig"):
        told = in_snake_case({name: None})
        assert (next(iter(told)) if snake else name) in body
    assert request.native == {"contents": [user(text("hello"))], **sent}
    assert gemini.shape(request).candidates == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"parts": [text("a"), text("b")]}, "ab"),
        ({"parts": text("a")}, "a"),
        ({"role": "user", "parts": [text("a")]}, "a"),
        ("a", "a"),
        ("", None),
        ({}, None),
        ({"parts": []}, None),
        (None, None),
    ],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_prompt(ask_gemini: Ask, name: str, given: Any, told: str | None) -> None:
    messages = ask_gemini(**{name: given}).body["messages"]
    assert messages == ([HELLO] if told is None else [{"role": "system", "content": told}, HELLO])


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"mode": "AUTO"}, "auto"),
        ({"mode": "any"}, "required"),
        ({"mode": "NONE"}, "none"),
        ({"mode": "VALIDATED"}, "auto"),
        ({"mode": 2}, "required"),
        ({"mode": 3}, "none"),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, {"type": "function", "function": {"name": "f"}}),
        ({"mode": "ANY", "allowed_function_names": ["f"]}, {"type": "function", "function": {"name": "f"}}),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, "required"),
        ({"mode": "AUTO", "allowedFunctionNames": ["f"]}, "auto"),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({"mode": "odd"}, None),
        ({"mode": 99}, None),
        ({"mode": -1}, None),
        ({"mode": []}, None),
        ({}, None),
    ],
)
def test_how_tools_are_chosen(ask_gemini: Ask, config: Any, choice: Any) -> None:
    assert ask_gemini(toolConfig={"functionCallingConfig": config}).body.get("tool_choice") == choice


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"responseMimeType": "application/json"}, {"type": "json_object"}),
        ({"response_mime_type": "application/json"}, {"type": "json_object"}),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
            {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        ),
        (
            {"responseMimeType": "application/json", "response_json_schema": SCHEMA},
            {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        ),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": 5}, None),
        ({"responseSchema": SCHEMA}, None),
    ],
)
def test_the_format_of_the_answer(ask_gemini: Ask, config: Any, wanted: Any) -> None:
    assert ask_gemini(generationConfig=config).body.get("response_format") == wanted


@pytest.mark.parametrize(
    ("query", "stream", "is_array"),
    [
        (None, False, False),
        ("alt=sse", True, False),
        ("%24alt=sse", True, False),
        ("", True, True),
        ("alt=json", True, True),
        ("key=sse", True, True),
    ],
)
def test_streams(ask_gemini: Ask, query: str | None, stream: bool, is_array: bool) -> None:
    request = ask_gemini(query=query, stream="odd")
    assert (request.stream, request.body["stream"]) == (stream, stream)
    assert gemini.shape(request).is_array is is_array
    assert (dict(request.stream_headers or ()).get("content-type") is not None) is is_array


@pytest.mark.parametrize(
    ("params", "model", "aliases"),
    [
        ({"model": "gemini-x"}, "gemini-x", ()),
        ({"model": "models%2Fgemini-x"}, "gemini-x", ()),
        ({"model": "a%2525b"}, "a%25b", ()),
        ({"tuned": "my%20own"}, "tunedModels/my own", ("my own",)),
        ({"endpoint": "42"}, "endpoints/42", ("42",)),
    ],
)
def test_the_model_of_a_path(head: Head, params: dict[str, str], model: str, aliases: tuple[str, ...]) -> None:
    """Percent-decoded once; a tuned or deployed one has its bare name besides."""
    request = gemini.decode(head, params, orjson.dumps({"contents": [{"parts": [{"text": "x"}]}], "model": "other"}))
    assert (request.model, request.body["model"], request.aliases) == (model, model, aliases)


# -- what is refused, and what is objected to --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "contents is not specified"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": None}, "contents is not specified"),
        ({"contents": "hello"}, "Invalid value at 'contents'"),
        ({"contents": [None]}, r"Invalid value at 'contents\[0\]'"),
        ({"contents": [{}, {"parts": ["x"]}]}, r"Invalid value at 'contents\[1\]\.parts\[0\]'"),
        ({"contents": [{"parts": 5}]}, r"Invalid value at 'contents\[0\]\.parts'"),
        ({"contents": {"parts": {"text": "x"}}, "systemInstruction": 5}, "system_instruction"),
        ({"contents": {"parts": {"text": "x"}}, "systemInstruction": {"parts": 5}}, r"system_instruction\.parts"),
        ({"contents": {"parts": {"text": "x"}}, "tools": 5}, "'tools'"),
        ({"contents": {"parts": {"text": "x"}}, "tools": [5]}, r"'tools\[0\]'"),
        ({"contents": {"parts": {"text": "x"}}, "tools": [{"functionDeclarations": [5]}]}, "function_declarations"),
        ({"contents": {"parts": {"text": "x"}}, "generationConfig": []}, "generation_config"),
        ({"contents": {"parts": {"text": "x"}}, "toolConfig": []}, "tool_config"),
        ({"contents": {"parts": {"text": "x"}}, "generationConfig": {"candidateCount": 0}}, "candidate_count"),
        ({"contents": {"parts": {"text": "x"}}, "generationConfig": {"candidate_count": 10**9}}, "candidate_count"),
    ],
)
def test_what_is_refused(head: Head, body: Any, message: str) -> None:
    with pytest.raises(WireError, match=message) as refused:
        gemini.decode(head, {"model": "m"}, orjson.dumps(body))
    assert refused.value.reply.status == 400


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("user", b'{"functionResponse":{"name":"f","response":%b}}'),
        ("model", b'{"functionCall":{"name":"f","args":%b}}'),
    ],
)
def test_depth_is_no_crash(head: Head, role: str, part: bytes) -> None:
    deep = b"[" * 500 + b"]" * 500
    body = b'{"contents":[{"role":"%b","parts":[%b]}]}' % (role.encode(), part % deep)
    with pytest.raises(WireError, match="nested too deeply"):
        gemini.decode(head, {"model": "m"}, body)


SIGNED = {"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"}
OBJECTIONS: list[Any] = [
    pytest.param(
        [{"role": "system", "parts": [text("x")]}, user(text("a"))], "role: Please use a valid role", id="role"
    ),
    pytest.param([{"role": 5, "parts": [text("x")]}, user(text("a"))], "role: Please use a valid role", id="no role"),
    pytest.param([user(text("a")), model()], "parts must not be empty", id="no parts"),
    pytest.param(
        [user(text("a")), model(call()), user(result())], r"thought_signature.*`f`, position 2", id="unsigned"
    ),
    pytest.param([user(text("a")), model(SIGNED, call()), user(result())], None, id="parallel, the first is signed"),
    pytest.param(
        [user(text("a")), model(SIGNED), user(result()), model(call("g")), user(result("g"))],
        r"`g`, position 4",
        id="every step has a signature",
    ),
    pytest.param(
        [user(text("a")), model(call()), user(result()), model(text("Hi")), user(text("b"))], None, id="earlier turns"
    ),
    pytest.param(
        [user(text("a")), model({"function_call": {"name": "f"}, "thought_signature": "c2ln"}), user(result())],
        None,
        id="snake case",
    ),
    pytest.param([user(text("a"))], None, id="no calls"),
]


@pytest.mark.parametrize(("contents", "objection"), OBJECTIONS)
def test_what_is_objected_to(ask_gemini: Ask, contents: list[Any], objection: str | None) -> None:
    """wire-gemini §3.2: from Gemini 3 on a call of the turn under way must come back with its signature."""
    told = ask_gemini(*contents, model="gemini-3-pro-preview").objection
    assert (told is None) is (objection is None)
    if told is not None:
        assert told.status == 400
        assert re.search(objection or "", told.message)
    older = ask_gemini(*contents, model="gemini-2.5-pro").objection
    assert (older is None) is (objection is None or "position" in objection)


# -- whatever comes ----------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('ab{}"/é🚀', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["parts", "text", "name", "role", "args", "id"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PARTS = ("text", "thought", "thoughtSignature", "functionCall", "function_response", "inlineData", "fileData")
odd_parts = st.fixed_dictionaries({}, optional=dict.fromkeys(PARTS, anything))
odd_contents = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "model"]) | anything,
        "parts": st.lists(odd_parts, max_size=3) | anything,
    },
)
MEMBERS = ("systemInstruction", "tools", "tool_config", "generationConfig", "serviceTier", "stream", "model", "n")
odd_bodies = st.fixed_dictionaries(
    {"contents": st.lists(odd_contents, max_size=3) | anything}, optional=dict.fromkeys(MEMBERS, anything)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=odd_bodies)
def test_whatever_comes_is_a_request_or_a_400(head: Head, body: Any) -> None:
    try:
        sent = orjson.dumps(body)
    except orjson.JSONEncodeError:
        return  # integers beyond what it writes
    try:
        request = gemini.decode(head, {"model": "gemini-3-x"}, sent)
        hash(gemini.shape(request))
    except WireError as error:
        refused = error.reply
    else:
        assert {message["role"] for message in request.body["messages"]} <= {"user", "assistant", "tool", "system"}
        return
    assert refused.status == 400
