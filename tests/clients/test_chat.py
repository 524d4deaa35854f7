"""Every kind of chat answer through the official SDK: whole, as raw chunks, and put together by its helper."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai import ContentFilterFinishReasonError, LengthFinishReasonError, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from pydantic import BaseModel

from aimock import AIMock

Whole = Callable[..., ChatCompletion]
Streamed = Callable[..., list[ChatCompletionChunk]]
Assembled = Callable[..., ParsedChatCompletion[Any]]

USAGE = {"stream_options": {"include_usage": True}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
PARIS = {"id": "call_paris", "name": "get_weather", "arguments": '{"city":"Paris","units":"metric"}'}
TOKYO = {"id": "call_tokyo", "name": "get_weather", "arguments": {"city": "東京", "days": [1, 2, 3]}}
EMOJI = "né 👩‍👩‍👧 🚀 🇫🇷 ok 👍🏽"

REPLIES: dict[str, dict[str, Any]] = {
    "text": {"content": "Hello! How can I help you today?"},
    "one tool call": {"toolCalls": [PARIS]},
    "parallel tool calls": {"toolCalls": [PARIS, TOKYO]},
    "text and tool calls": {"content": "Let me look.", "toolCalls": [PARIS, TOKYO]},
    "reasoning": {"reasoning": "The user greets me. I greet back.", "content": "Hello!"},
    "reasoning and tool call": {"reasoning": "I need a tool.", "toolCalls": [PARIS]},
    "refusal": {"refusal": "I cannot help with that."},
    "json content": {"content": {"name": "Ada", "born": 1815}},
    "ordered blocks": {
        "blocks": [
            {"type": "text", "text": "First. "},
            {"type": "toolCall", **PARIS},
            {"type": "text", "text": "Then."},
            {"type": "toolCall", "id": "call_2", "name": "other", "arguments": "{}"},
        ]
    },
    "only tool blocks": {"blocks": [{"type": "toolCall", **PARIS}]},
    "emoji": {"content": EMOJI},
    "cut off": {"content": "Once upon", "finishReason": "length"},
    "invalid arguments": {"toolCalls": [{"id": "call_bad", "name": "get_weather", "arguments": '{"city": '}]},
}


def expected(response: dict[str, Any]) -> dict[str, Any]:
    """What a client must make of a fixture's response."""
    blocks = response.get("blocks", [])
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    content = response.get("content", "".join(texts) if texts else None)
    calls = response.get("toolCalls", [block for block in blocks if block["type"] == "toolCall"])
    return {
        "content": _text(content),
        "calls": [(call["id"], call["name"], _text(call["arguments"])) for call in calls],
        "reasoning": response.get("reasoning"),
        "refusal": response.get("refusal"),
        "finish": response.get("finishReason", "tool_calls" if calls else "stop"),
    }


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def got(completion: ChatCompletion, index: int = 0) -> dict[str, Any]:
    """A completion in the terms of `expected`."""
    choice = completion.choices[index]
    message = choice.message
    return {
        "content": message.content,
        "calls": [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()],
        "reasoning": getattr(message, "reasoning_content", None),
        "refusal": message.refusal,
        "finish": choice.finish_reason,
    }


def joined(chunks: list[ChatCompletionChunk], index: int = 0) -> dict[str, Any]:
    """Raw chunks put together by hand, in the terms of `expected`: ids and names must come once, fragments in order."""
    text: dict[str, str] = {}
    calls: list[list[str]] = []
    finish: list[str] = []
    for choice in [choice for chunk in chunks for choice in chunk.choices if choice.index == index]:
        for key in ("content", "refusal", "reasoning_content"):
            piece = getattr(choice.delta, key, None)
            if piece is not None:
                text[key] = text.get(key, "") + piece
        for fragment in choice.delta.tool_calls or ():
            if fragment.id is not None:
                assert (fragment.index, fragment.type) == (len(calls), "function")
                calls.append([fragment.id, fragment.function.name, ""])
            else:
                assert (fragment.index, fragment.function.name) == (len(calls) - 1, None)
            calls[-1][2] += fragment.function.arguments
        if choice.finish_reason is not None:
            finish.append(choice.finish_reason)
    assert len(finish) == 1, "exactly one chunk of a choice says why it finished"
    return {
        "content": text.get("content"),
        "calls": [tuple(call) for call in calls],
        "reasoning": text.get("reasoning_content"),
        "refusal": text.get("refusal"),
        "finish": finish[0],
    }


# -- every reply in every way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_whole_answer_is_what_the_fixture_says(mock: AIMock, whole: Whole, reply: dict[str, Any]) -> None:
    mock.on_message("hello", reply)
    completion = whole(model="o3")
    assert got(completion) == expected(reply)
    assert (completion.object, completion.model, completion.choices[0].message.role) == (
        "chat.completion",
        "o3",
        "assistant",
    )


@pytest.mark.parametrize("chunk_size", [1, 3, 20, 1000])
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_raw_chunks_hold_what_the_fixture_says(
    mock: AIMock, client: OpenAI, reply: dict[str, Any], chunk_size: int
) -> None:
    """core-lessons E14, field 2.19, 2.22"""
    mock.on_message("hello", reply, chunk_size=chunk_size)
    chunks = list(
        client.chat.completions.create(model="o3", messages=[{"role": "user", "content": "hello"}], stream=True)
    )
    assert joined(chunks) == expected(reply)
    assert {(chunk.id, chunk.object, chunk.created, chunk.model) for chunk in chunks} == {
        (chunks[0].id, "chat.completion.chunk", chunks[0].created, "o3")
    }
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert chunks[0].choices[0].delta.role == "assistant", "E14: the first chunk has the role, reasoning or not"


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_raw_chunks_come_alike_to_sync_and_async_clients(
    mock: AIMock, streamed: Streamed, reply: dict[str, Any]
) -> None:
    mock.on_message("hello", reply, chunk_size=3)
    assert joined(streamed(model="o3")) == expected(reply)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_the_stream_helper_assembles_what_the_fixture_says(
    mock: AIMock, assembled: Assembled, reply: dict[str, Any]
) -> None:
    mock.on_message("hello", reply, chunk_size=3)
    if reply.get("finishReason") == "length":  # which the helper never lets pass, whatever was asked for
        with pytest.raises(LengthFinishReasonError) as raised:
            assembled(model="o3")
        assert got(raised.value.completion) == expected(reply)
    else:
        assert got(assembled(model="o3")) == expected(reply)


def test_20_2_parallel_calls_at_three_characters_reassemble_exactly(mock: AIMock, streamed: Streamed) -> None:
    mock.on_message("hello", {"toolCalls": [PARIS, TOKYO]}, chunk_size=3)
    chunks = streamed(tools=[WEATHER])
    fragments = [
        (fragment.index, fragment.function.arguments)
        for chunk in chunks
        for fragment in chunk.choices[0].delta.tool_calls or ()
    ]
    assert all(len(arguments) <= 3 for _, arguments in fragments)
    assert [index for index, _ in fragments] == sorted(index for index, _ in fragments), (
        "strictly one call after another"
    )
    for index, call in enumerate((PARIS, TOKYO)):
        assert "".join(text for at, text in fragments if at == index) == _text(call["arguments"])


def test_20_4_emoji_survive_slices_of_one_character(mock: AIMock, streamed: Streamed) -> None:
    mock.on_message("hello", {"content": EMOJI}, chunk_size=1)
    pieces = [chunk.choices[0].delta.content for chunk in streamed() if chunk.choices[0].delta.content]
    assert "".join(pieces) == EMOJI
    assert {"👩‍👩‍👧", "🚀", "🇫🇷", "👍🏽"} <= set(pieces), "what is drawn as one character is sent as one"


def test_field_19_c23_nulls_are_present_and_absent_calls_are_absent(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"})
    question: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    body = client.chat.completions.with_raw_response.create(**question).http_response.json()
    choice = body["choices"][0]
    assert choice["logprobs"] is None
    assert choice["message"] == {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []}
    for chunk in client.chat.completions.create(**question, stream=True):
        dumped = chunk.choices[0].to_dict(exclude_unset=True)
        assert dumped["logprobs"] is None
        assert "finish_reason" in dumped


# -- choices, usage, log probabilities -------------------------------------------------------------------------------


def test_two_choices_are_asked_for_and_given(mock: AIMock, whole: Whole, streamed: Streamed) -> None:
    reply = {"content": "Hello!", "toolCalls": [PARIS]}
    mock.on_message("hello", reply, chunk_size=3)
    completion = whole(n=2)
    assert [got(completion, index) for index in (0, 1)] == [expected(reply)] * 2
    assert [choice.index for choice in completion.choices] == [0, 1]
    chunks = streamed(n=2)
    assert [joined(chunks, index) for index in (0, 1)] == [expected(reply)] * 2
    roles = [choice.index for chunk in chunks for choice in chunk.choices if choice.delta.role is not None]
    assert roles == [0, 1]


def test_e1_include_usage_comes_last_with_no_choices(mock: AIMock, streamed: Streamed) -> None:
    """core-lessons E1, field 2.20"""
    mock.on_message("hello", {"content": "Hello, world"}, chunk_size=5)
    *chunks, last = streamed(**USAGE)
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert all("usage" in chunk.model_fields_set for chunk in chunks), "null, not absent"
    assert last.choices == []
    # A token for every four characters: "hello" is 2, "Hello, world" is 3.
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (2, 3, 5)
    assert last.usage.completion_tokens_details.reasoning_tokens == 0


@pytest.mark.parametrize(
    ("reply", "completion_tokens"),
    [
        pytest.param({"blocks": [{"type": "text", "text": "x" * 33}]}, 9, id="E2 blocks"),
        pytest.param({"toolCalls": [{"name": "four", "arguments": "{}"}]}, 2, id="call"),
        pytest.param({"content": "🚀" * 4}, 2, id="UTF-16 units"),
        pytest.param({"content": "x", "usage": {"cost": 0.5}}, 1, id="B10 only a cost"),
    ],
)
def test_usage_is_estimated(mock: AIMock, whole: Whole, reply: dict[str, Any], completion_tokens: int) -> None:
    mock.on_message("hello", reply)
    usage = whole().usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (2, completion_tokens)
    assert usage.total_tokens == 2 + completion_tokens
    assert usage.prompt_tokens_details.cached_tokens == 0


def test_usage_is_the_fixture_s_own(mock: AIMock, whole: Whole, streamed: Streamed) -> None:
    given = {"input_tokens": 7, "output_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}, "cost": 0.25}
    mock.on_message("hello", {"content": "Hi", "usage": given})
    for usage in (whole().usage, streamed(**USAGE)[-1].usage):
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 3, 10)
        assert usage.prompt_tokens_details.cached_tokens == 5
        assert usage.completion_tokens_details.reasoning_tokens == 0
        assert usage.model_extra["cost"] == 0.25


def test_logprobs_are_given_to_those_who_ask(mock: AIMock, whole: Whole, streamed: Streamed) -> None:
    mock.on_message("hello", {"content": "Hi there, né"}, chunk_size=4)
    assert whole().choices[0].logprobs is None
    tokens = whole(logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == "Hi there, né"
    assert bytes(byte for token in tokens for byte in token.bytes).decode() == "Hi there, né"
    assert [len(token.top_logprobs) for token in tokens] == [2] * len(tokens)
    assert all(token.logprob <= 0 for token in tokens)
    chunks = streamed(logprobs=True, top_logprobs=2)
    assert [
        token for chunk in chunks if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content
    ] == tokens
    assert chunks[0].choices[0].logprobs is None
    assert chunks[-1].choices[0].logprobs is None


def test_overrides_reach_the_client(mock: AIMock, whole: Whole, streamed: Streamed) -> None:
    mock.on_message(
        "hello",
        {"content": "Hi", "id": "chatcmpl-A1", "created": 1795200000, "model": "other", "systemFingerprint": "fp_1"},
    )
    for answer in (whole(), *streamed()):
        assert (answer.id, answer.created, answer.model, answer.system_fingerprint) == (
            "chatcmpl-A1",
            1795200000,
            "other",
            "fp_1",
        )


# -- structured output -----------------------------------------------------------------------------------------------


class Person(BaseModel):
    name: str
    born: int


def test_parse_gives_the_model_that_was_asked_for(mock: AIMock, parsed: Assembled, assembled: Assembled) -> None:
    mock.on({"userMessage": "hello", "responseFormat": "json_schema"}, {"content": {"name": "Ada", "born": 1815}})
    for answer in (parsed(response_format=Person), assembled(response_format=Person)):
        assert answer.choices[0].message.parsed == Person(name="Ada", born=1815)


def test_parse_reads_the_arguments_of_strict_tools(mock: AIMock, parsed: Assembled) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "get_weather", "strict": True, "parameters": schema}}
    mock.on_tool_call("get_weather", {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]})
    (call,) = parsed(tools=[tool]).choices[0].message.tool_calls
    assert call.function.parsed_arguments == {"city": "Paris"}


@pytest.mark.parametrize(
    ("reason", "error"), [("length", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)]
)
def test_parse_raises_on_an_answer_that_was_cut(
    mock: AIMock, parsed: Assembled, assembled: Assembled, reason: str, error: type[Exception]
) -> None:
    mock.on_message("hello", {"content": '{"name": "A', "finishReason": reason})
    with pytest.raises(error):
        parsed(response_format=Person)
    with pytest.raises(error):
        assembled(response_format=Person)


def test_a_refusal_is_parsed_as_one(mock: AIMock, parsed: Assembled) -> None:
    mock.on_message("hello", {"refusal": "I cannot."})
    message = parsed(response_format=Person).choices[0].message
    assert (message.refusal, message.parsed, message.content) == ("I cannot.", None, None)


def test_json_object_is_a_format_of_its_own(mock: AIMock, whole: Whole) -> None:
    mock.on_json_output("hello", {"ok": True}).on_message("hello", {"content": "plain"})
    assert whole(response_format={"type": "json_object"}).choices[0].message.content == '{"ok":true}'
    assert whole().choices[0].message.content == "plain"


# -- conversations ---------------------------------------------------------------------------------------------------


def assistant(completion: ChatCompletion) -> dict[str, Any]:
    """The message of an answer as it goes back into the conversation."""
    return completion.choices[0].message.to_dict()


def test_a_tool_is_called_and_its_result_answered(mock: AIMock, whole: Whole) -> None:
    mock.on_message("weather", {"toolCalls": [PARIS]}, has_tool_result=False)
    mock.on_message("weather", {"content": "It is sunny."}, has_tool_result=True)
    conversation: list[Any] = [{"role": "user", "content": "What is the weather?"}]
    first = whole(messages=conversation, tools=[WEATHER])
    (call,) = first.choices[0].message.tool_calls
    conversation += [assistant(first), {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    last = whole(messages=conversation, tools=[WEATHER])
    assert got(last) == expected({"content": "It is sunny."})


def test_minted_call_ids_differ_and_select_the_answer(mock: AIMock, whole: Whole) -> None:
    """field 2.22"""
    call = {"name": "get_weather", "arguments": "{}"}
    mock.on_message("hello", {"toolCalls": [call, call]}, has_tool_result=False)
    first = whole()
    ids = [each.id for each in first.choices[0].message.tool_calls]
    assert len(set(ids)) == 2
    again = [each.id for each in whole().choices[0].message.tool_calls]
    assert not set(ids) & set(again), "field_22: ids are unique across turns"
    mock.on_tool_result(ids[1], {"content": "the second"}).on_tool_result(ids[0], {"content": "the first"})
    for position, answer in enumerate(("the first", "the second")):
        conversation = [
            {"role": "user", "content": "hello"},
            assistant(first),
            {"role": "tool", "tool_call_id": ids[position], "content": "x"},
        ]
        assert whole(messages=conversation).choices[0].message.content == answer


def test_a4_field_2_only_the_last_message_is_a_tool_result(mock: AIMock, whole: Whole) -> None:
    mock.on_tool_result("call_old", {"content": "result"}).on_message("thanks", {"content": "welcome"})
    conversation: list[Any] = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": None, "tool_calls": [_call("call_old")]},
        {"role": "tool", "tool_call_id": "call_old", "content": "x"},
    ]
    assert whole(messages=conversation).choices[0].message.content == "result"
    conversation += [{"role": "assistant", "content": "result"}, {"role": "user", "content": "thanks"}]
    assert whole(messages=conversation).choices[0].message.content == "welcome"


def test_a7_results_of_one_call_id_are_told_apart_by_their_text(mock: AIMock, whole: Whole) -> None:
    for verdict, answer in (("approved", "done"), ("denied", "skipped")):
        mock.on({"toolCallId": "call_x", "toolResultContains": verdict}, {"content": answer})
    for verdict, answer in (("denied", "skipped"), ("approved", "done")):
        conversation = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "tool_calls": [_call("call_x")]},
            {"role": "tool", "tool_call_id": "call_x", "content": f'{{"verdict":"{verdict}"}}'},
        ]
        assert whole(messages=conversation).choices[0].message.content == answer


def _call(call_id: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}


def test_turns_follow_the_script(mock: AIMock, whole: Whole) -> None:
    for turn, answer in enumerate(("one", "two", "three")):
        mock.on_turn(turn, "next", {"content": answer})
    conversation: list[Any] = []
    answers = []
    for _ in range(3):
        conversation.append({"role": "user", "content": "next"})
        completion = whole(messages=conversation)
        answers.append(completion.choices[0].message.content)
        conversation.append(assistant(completion))
    assert answers == ["one", "two", "three"]


def test_a1_a2_text_is_found_in_parts_and_behind_an_attachment(mock: AIMock, whole: Whole) -> None:
    mock.on_message("describe", {"content": "A cat."})
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    text = {"type": "text", "text": "Please describe it"}
    for messages in (
        [{"role": "user", "content": [text, picture]}],
        [{"role": "user", "content": "describe"}, {"role": "user", "content": [picture]}],
    ):
        assert whole(messages=messages).choices[0].message.content == "A cat."


def test_a8_system_texts_must_all_occur_in_any_order(mock: AIMock, whole: Whole) -> None:
    """core-lessons A8, field 2.11"""
    mock.on_system_message(["alpha", "beta"], {"content": "both"}).on({}, {"content": "else"})
    for system, answer in (("beta and alpha", "both"), ("alpha", "else")):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": "x"}]
        assert whole(messages=messages).choices[0].message.content == answer


@pytest.mark.parametrize(
    ("wanted", "asked", "matches"),
    [
        pytest.param("gpt-4", "gpt-4o", False, id="A9 gpt-4 is not gpt-4o"),
        pytest.param("claude-opus-4", "claude-opus-4-20250514", True, id="A9 a dated snapshot"),
        pytest.param("gpt-4o", "gpt-4o-2024-08-06", True, id="another"),
        pytest.param("gpt-4o", "gpt-4o-mini", False, id="a smaller sister"),
        pytest.param("gpt-4o", "gpt-4o", True, id="the same"),
    ],
)
def test_field_6_model_names_match_up_to_their_date(
    mock: AIMock, whole: Whole, wanted: str, asked: str, matches: bool
) -> None:
    mock.on({"model": wanted}, {"content": "named"}).on({}, {"content": "else"})
    completion = whole(model=asked)
    assert completion.choices[0].message.content == ("named" if matches else "else")
    assert completion.model == asked


# -- the legacy dialect ----------------------------------------------------------------------------------------------


def test_legacy_functions_are_answered_in_kind(mock: AIMock, whole: Whole, streamed: Streamed) -> None:
    mock.on_message("hello", {"toolCalls": [PARIS]}, chunk_size=3)
    functions = [{"name": "get_weather", "parameters": {"type": "object", "properties": {}}}]
    choice = whole(functions=functions).choices[0]
    assert (choice.finish_reason, choice.message.tool_calls) == ("function_call", None)
    assert (choice.message.function_call.name, choice.message.function_call.arguments) == (
        "get_weather",
        PARIS["arguments"],
    )
    chunks = streamed(functions=functions)
    calls = [chunk.choices[0].delta.function_call for chunk in chunks if chunk.choices[0].delta.function_call]
    assert [call.name for call in calls if call.name] == ["get_weather"]
    assert "".join(call.arguments for call in calls) == PARIS["arguments"]
    assert chunks[-1].choices[0].finish_reason == "function_call"


def test_obfuscation_is_for_those_who_ask(mock: AIMock, streamed: Streamed) -> None:
    mock.on_message("hello", {"content": "Hello"})
    assert not any("obfuscation" in chunk.to_dict() for chunk in streamed(**USAGE))
    padded = streamed(stream_options={"include_obfuscation": True})
    assert all(chunk.to_dict()["obfuscation"] for chunk in padded)
