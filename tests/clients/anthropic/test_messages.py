"""Messages through the official SDK: sync, asyncio and Trio (wire-anthropic-messages §19, §21)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from anthropic import APIStatusError, BadRequestError, beta_tool
from pydantic import BaseModel

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 100}
HELLO = {"role": "user", "content": "hello"}

Said = Callable[..., Any]


def blocks(message: Any) -> list[Any]:
    return [block.to_dict(mode="json") for block in message.content]


# -- whole and streamed ------------------------------------------------------------------------------------------------


def test_text(mock: AIMock, said: Said) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"})
    message = said()
    assert (message.type, message.role, message.model) == ("message", "assistant", "claude-haiku-4-5")
    assert message.id.startswith("msg_01")
    assert [block.text for block in message.content] == ["Hi there, né 🚀"]
    assert (message.stop_reason, message.stop_sequence, message.stop_details) == ("end_turn", None, None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (2, 4)
    assert (message.usage.cache_read_input_tokens, message.usage.cache_creation_input_tokens) == (0, 0)
    assert message.usage.service_tier == "standard"
    assert message._request_id.startswith("req_011C")


def test_events(mock: AIMock, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"}, chunk_size=4)
    told = events()
    assert [event.type for event in told] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert "".join(event.delta.text for event in told[2:6]) == "Hi there, né 🚀"
    assert (told[0].message.usage.input_tokens, told[0].message.usage.output_tokens) == (2, 1)
    assert (told[-2].usage.input_tokens, told[-2].usage.output_tokens) == (2, 4)
    assert told[-2].delta.stop_reason == "end_turn"


TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
REPLIES: list[Any] = [
    ({"content": "Hi"}, [{"type": "text", "text": "Hi"}]),
    (
        {"toolCalls": [{"name": "f", "arguments": {"x": 1}, "id": "a"}, {"name": "f", "arguments": "", "id": "b"}]},
        [
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "b", "name": "f", "input": {}, "caller": {"type": "direct"}},
        ],
    ),
    (
        {"content": "Hi", "reasoning": "Hm.", "reasoningSignature": "c2ln", "redactedThinking": ["x", "y"]},
        [
            {"type": "redacted_thinking", "data": "x"},
            {"type": "redacted_thinking", "data": "y"},
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "text", "text": "Hi"},
        ],
    ),
    (
        {"blocks": [{"type": "toolCall", "name": "f", "arguments": "{}", "id": "a"}, {"type": "text", "text": "Hi"}]},
        [
            {"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}},
            {"type": "text", "text": "Hi"},
        ],
    ),
    ({"content": ""}, [{"type": "text", "text": ""}]),
]


@pytest.mark.parametrize(("response", "content"), REPLIES)
def test_the_helper_puts_a_stream_together(
    mock: AIMock, said: Said, put_together: Said, response: dict[str, Any], content: list[Any]
) -> None:
    """wire-anthropic §21.1, §21.13, §23; field 2.24, 2.31."""
    mock.on_message("hello", response, chunk_size=2)
    whole, streamed = said(tools=TOOLS), put_together(tools=TOOLS)
    assert blocks(whole) == blocks(streamed) == content
    assert whole.stop_reason == streamed.stop_reason
    assert whole.usage == streamed.usage


def test_the_helper_s_own_events(mock: AIMock, claude: Any) -> None:
    mock.on_message("hello", {"content": "Hi there", "reasoning": "Hm."}, chunk_size=3)
    with claude.messages.stream(**QUESTION, messages=[HELLO]) as stream:
        kinds = [event.type for event in stream]
    assert (kinds.count("text"), kinds.count("thinking"), kinds.count("signature")) == (3, 1, 1)
    with claude.messages.stream(**QUESTION, messages=[HELLO]) as stream:
        assert "".join(stream.text_stream) == "Hi there"


def test_thinking_and_its_display(mock: AIMock, said: Said) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Hm."})
    shown, hidden = (
        said(thinking={"type": "enabled", "budget_tokens": 1024, "display": display}).content[0]
        for display in ("summarized", "omitted")
    )
    assert (shown.thinking, hidden.thinking) == ("Hm.", "")
    assert shown.signature == hidden.signature != ""


@pytest.mark.parametrize(
    ("reply", "stop_reason"),
    [
        ({"finishReason": "length"}, "max_tokens"),
        ({"finishReason": "content_filter"}, "refusal"),
        ({"finishReason": "pause_turn"}, "pause_turn"),
        ({"finishReason": "stop_sequence"}, "stop_sequence"),
    ],
)
def test_stop_reasons(mock: AIMock, said: Said, put_together: Said, reply: dict[str, Any], stop_reason: str) -> None:
    mock.on_message("hello", {"content": "Hi"} | reply)
    for message in (said(stop_sequences=["END"]), put_together(stop_sequences=["END"])):
        assert message.stop_reason == stop_reason
        assert message.stop_sequence == ("END" if stop_reason == "stop_sequence" else None)
        assert (message.stop_details is not None) == (stop_reason == "refusal")


def test_a_refusal(mock: AIMock, said: Said, put_together: Said) -> None:
    mock.on_message("hello", {"refusal": "I cannot help."})
    for message in (said(), put_together()):
        assert (message.stop_reason, message.content) == ("refusal", [])
        assert message.stop_details.explanation == "I cannot help."


def test_searches(mock: AIMock, put_together: Said) -> None:
    mock.on_message("hello", {"content": "Found it.", "webSearches": ["weather in Paris"]})
    search, result, text = put_together().content
    assert (search.type, search.input) == ("server_tool_use", {"query": "weather in Paris"})
    assert (result.tool_use_id, result.content[0].title) == (search.id, "weather in Paris")
    assert text.text == "Found it."


def test_usage_of_the_fixture(mock: AIMock, said: Said, put_together: Said) -> None:
    usage = {"input_tokens": 10, "output_tokens": 25, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3}
    mock.on_message("hello", {"content": "Hi", "usage": usage})
    for message in (said(), put_together()):
        assert message.usage.to_dict().items() >= usage.items()
        assert message.usage.cache_creation.ephemeral_5m_input_tokens == 3


def test_ids_differ_from_each_other_but_not_from_run_to_run(connect_claude: Said) -> None:
    """field 2.22"""
    runs = []
    for _ in range(2):
        with AIMock(seed=7) as mock:
            mock.on_message("hello", {"toolCalls": [{"name": "f", "arguments": "{}"}] * 2})
            client = connect_claude(base_url=mock.url)
            messages = [client.messages.create(**QUESTION, messages=[HELLO]) for _ in range(2)]
        ids = [message._request_id for message in messages] + [message.id for message in messages]
        runs.append(ids + [block.id for message in messages for block in message.content])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 8


# -- conversations -----------------------------------------------------------------------------------------------------


def test_a_tool_result_with_text_beside_it(mock: AIMock, said: Said) -> None:
    """wire-anthropic §21.5, §23, core-lessons A6, field 2.5."""
    mock.on({"userMessage": "and now?", "hasToolResult": True, "toolCallId": "T"}, {"content": "Go on."})
    mock.on({"userMessage": "and now?"}, {"content": "A fresh turn."})
    turn = [{"type": "tool_use", "id": "T", "name": "f", "input": {}}]
    answer = [{"type": "tool_result", "tool_use_id": "T", "content": "ok"}, {"type": "text", "text": "and now?"}]
    messages = [HELLO, {"role": "assistant", "content": turn}, {"role": "user", "content": answer}]
    assert said(messages=messages).content[0].text == "Go on."


@pytest.mark.filterwarnings("ignore:The model 'claude-opus-4-20250514':DeprecationWarning")
def test_the_system_prompt_the_tools_and_the_format_can_be_matched(mock: AIMock, said: Said) -> None:
    mock.on({"systemMessage": "Be kind."}, {"content": "system"})
    mock.on({"toolName": "f"}, {"content": "tool"})
    mock.on({"responseFormat": "json_schema"}, {"content": "{}"})
    mock.on({"model": "claude-opus-4"}, {"content": "model"})
    schema = {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}
    assert said(system="Be kind.").content[0].text == "system"
    assert said(system=[{"type": "text", "text": "Be kind."}]).content[0].text == "system"
    assert said(tools=TOOLS).content[0].text == "tool"
    assert said(output_config={"format": schema}).content[0].text == "{}"
    assert said(model="claude-opus-4-20250514").content[0].text == "model"  # core-lessons A9


def test_structured_output(mock: AIMock, claude: Any) -> None:
    class Person(BaseModel):
        name: str
        born: int

    mock.on({"responseFormat": "json_schema"}, {"content": {"name": "Ada", "born": 1815}})
    message = claude.messages.parse(**QUESTION, messages=[HELLO], output_format=Person)
    assert message.parsed_output == Person(name="Ada", born=1815)


@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_runner(mock: AIMock, claude: Any, stream: bool) -> None:
    @beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"It is sunny in {city}."

    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Tokyo")]
    mock.on_tool_call("get_weather", {"content": "Let me see.", "toolCalls": calls}, has_tool_result=False)
    mock.on({"toolResultContains": "sunny in Tokyo"}, {"content": "Both are sunny."})
    runner = claude.beta.messages.tool_runner(
        **QUESTION, messages=[{"role": "user", "content": "weather?"}], tools=[get_weather], stream=stream
    )
    assert runner.until_done().content[-1].text == "Both are sunny."
    assert len(mock.get_requests()) == 2


def conversation_without_thought(message: Any, *, drop: bool) -> list[Any]:
    content = [block for block in blocks(message) if not (drop and "thinking" in block["type"])]
    call = next(block for block in content if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}
    return [HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]


@pytest.mark.parametrize("thought", [{"reasoning": "Hm."}, {"redactedThinking": ["data"]}])
def test_a_strict_server_wants_thoughts_back(claude: Any, mock: AIMock, thought: dict[str, Any]) -> None:
    """wire-anthropic §21.6, §4, field 2.23: what was sent can be sent back; what lost its thought cannot."""
    mock.on({"hasToolResult": True}, {"content": "Done."})
    mock.on_message("hello", {"toolCalls": [{"name": "f", "arguments": {"x": 1}}], **thought})
    more = {**QUESTION, "thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": TOOLS}
    strict = {"extra_headers": {"X-AIMock-Strict": "true"}}
    with claude.messages.stream(**more, messages=[HELLO]) as stream:
        first = stream.get_final_message()
    whole = conversation_without_thought(first, drop=False)
    assert claude.messages.create(**more, **strict, messages=whole).content[0].text == "Done."
    robbed = conversation_without_thought(first, drop=True)
    assert claude.messages.create(**more, messages=robbed).content[0].text == "Done."
    with pytest.raises(BadRequestError, match=r"messages\.1\.content\.0: ") as refused:
        claude.messages.create(**more, **strict, messages=robbed)
    assert refused.value.type == "invalid_request_error"


def test_a_request_that_is_refused_uses_up_neither_a_sequence_nor_an_error(claude: Any, mock: AIMock) -> None:
    """core-lessons G2"""
    mock.on({}, {"content": "one"}, sequence_index=0)
    robbed = [
        HELLO,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "T", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "T", "content": "ok"}]},
    ]
    more = {**QUESTION, "thinking": {"type": "enabled", "budget_tokens": 1024}, "messages": robbed}
    mock.next_request_error(418)
    mock.strict = True
    with pytest.raises(BadRequestError):
        claude.messages.create(**more)
    mock.strict = False
    with pytest.raises(APIStatusError) as teapot:
        claude.messages.create(**more)
    assert teapot.value.status_code == 418
    assert claude.messages.create(**more).content[0].text == "one"


def test_a_model_without_reasoning_gives_none_in_strict_mode(claude: Any, mock: AIMock) -> None:
    """wire-anthropic §7, §23, core-lessons E13, field 2.32: neither thought, signature nor hidden thoughts."""
    call = {"name": "f", "arguments": "{}"}
    mock.on_message("hello", {"toolCalls": [call], "reasoning": "Hm.", "redactedThinking": ["x"]})
    more = {**QUESTION, "model": "claude-3-5-sonnet-20241022", "messages": [HELLO]}
    strict = {"extra_headers": {"X-AIMock-Strict": "true"}}
    kinds = [[block.type for block in claude.messages.create(**more, **told).content] for told in ({}, strict)]
    assert kinds == [["redacted_thinking", "thinking", "tool_use"], ["tool_use"]]


# -- beside the messages -----------------------------------------------------------------------------------------------


def test_tokens_are_counted(mock: AIMock, claude: Any) -> None:
    mock.on_message("hello", {"content": "Hi"}, sequence_index=0)
    asked = {"model": QUESTION["model"], "messages": [HELLO], "system": "Be kind.", "tools": TOOLS}
    counted = claude.messages.count_tokens(**asked).input_tokens
    assert claude.beta.messages.count_tokens(**asked).input_tokens == counted
    assert claude.messages.create(**asked, max_tokens=10).usage.input_tokens == counted  # the sequence has not moved
    assert len(mock.get_requests()) == 1


def test_models(mock: AIMock, claude: Any) -> None:
    for model in ("claude-opus-4-5-20251101", "claude-haiku-4-5-20251001", "gpt-4o"):
        mock.on({"model": model}, {"content": "Hi"})
    assert [model.id for model in claude.models.list()] == ["claude-opus-4-5-20251101", "claude-haiku-4-5-20251001"]
    assert [model.id for model in claude.models.list(limit=1)] == [model.id for model in claude.models.list()]
    one = claude.models.retrieve("claude-opus-4-5")
    assert (one.id, one.display_name, one.lifecycle) == ("claude-opus-4-5-20251101", "Claude Opus 4.5", "active")
    assert one.created_at.year == 2025


def test_raw_responses_and_their_headers(mock: AIMock, claude: Any) -> None:
    """wire-anthropic §12."""
    mock.on_message("hello", {"content": "Hi"})
    raw = claude.messages.with_raw_response.create(**QUESTION, messages=[HELLO])
    assert raw.headers["content-type"] == "application/json"
    assert raw.request_id == raw.headers["request-id"] == raw.parse()._request_id
    assert raw.headers["anthropic-organization-id"]
    for family in ("requests", "tokens", "input-tokens", "output-tokens"):
        limit, remaining = (int(raw.headers[f"anthropic-ratelimit-{family}-{part}"]) for part in ("limit", "remaining"))
        assert 0 < remaining <= limit
        assert raw.headers[f"anthropic-ratelimit-{family}-reset"].endswith("Z")
    assert not [name for name in raw.headers if name.startswith("x-ratelimit")]
    with claude.messages.with_streaming_response.create(**QUESTION, messages=[HELLO], stream=True) as streamed:
        assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert streamed.headers["request-id"] != raw.request_id
        assert b"event: ping\n" in streamed.read()


@pytest.mark.parametrize(
    "credentials", [{}, {"api_key": None, "auth_token": "t"}, {"default_headers": {"x-api-key": "sk-ant-x"}}]
)
def test_any_credentials_will_do(mock: AIMock, connect_claude: Said, credentials: dict[str, Any]) -> None:
    """wire-anthropic §21.9; none of them stays in the journal."""
    mock.on_message("hello", {"content": "Hi"})
    assert connect_claude(**credentials).messages.create(**QUESTION, messages=[HELLO]).content[0].text == "Hi"
    assert "sk-ant-x" not in str(mock.get_requests())


def test_the_journal_has_the_request_in_canonical_form(mock: AIMock, claude: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    claude.messages.create(**QUESTION, messages=[HELLO], system="Be kind.", tools=TOOLS)
    (entry,) = mock.get_requests()
    assert entry["path"] == "/v1/messages"
    assert entry["body"]["messages"] == [{"role": "system", "content": "Be kind."}, HELLO]
    assert entry["body"]["tools"][0]["function"]["name"] == "f"


def test_a_response_function_sees_the_canonical_form(mock: AIMock, said: Said) -> None:
    mock.on({}, lambda body: {"content": body["messages"][0]["content"], "reasoning": "Hm."})
    assert [block.type for block in said(system="Be kind.").content] == ["thinking", "text"]
    assert said(system="Be kind.").content[1].text == "Be kind."
