"""OpenRouter's chat, whole and streamed, its errors, generations and discovery (wire-openai-chat §16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock.memories import Memories
from aimock_protocols import openrouter, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    FrameKind,
    Head,
    MidStreamError,
    Reply,
    SideRequest,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.openrouter import completions

SIGNED = Reply((Text("Hi"),), reasoning="Hm", reasoning_signature="sig", redacted_thinking=("hid",))


@pytest.fixture(scope="session")
def ask(head: Head) -> Callable[..., ChatRequest]:
    def ask(model: str = "openai/gpt-5", **more: Any) -> ChatRequest:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]} | more
        return openrouter.decode(head, {}, orjson.dumps(body))

    return ask


@pytest.fixture
def whole(ask: Callable[..., ChatRequest], stamp: Stamp) -> Callable[..., Any]:
    def whole(reply: Reply, model: str = "openai/gpt-5", **more: Any) -> Any:
        body = openrouter.encode(reply, openrouter.shape(ask(model, **more)), stamp)
        return orjson.loads(body)

    return whole


@pytest.fixture
def streamed(ask: Callable[..., ChatRequest], stamp: Stamp) -> Callable[..., list[Any]]:
    def streamed(reply: Reply, model: str = "openai/gpt-5", **more: Any) -> list[Any]:
        frames = openrouter.frames(reply, openrouter.shape(ask(model, **more)), stamp, 20)
        told = [event.data for event in sse.events(frame.data for frame in frames)]
        assert told[-1] == "[DONE]" or reply.mid_stream_error is not None
        return [orjson.loads(data) for data in told if data != "[DONE]"]

    return streamed


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "fallbacks"),
    [
        ({}, ()),
        ({"models": ["b", "c"]}, ("b", "c")),
        ({"models": ["b", "openai/gpt-5", "b", "", None, 5, "c"]}, ("b", "c")),
        ({"models": "b"}, ()),
        ({"models": ["b"], "provider": {"allow_fallbacks": False}}, ()),
        ({"models": ["b"], "provider": {"allow_fallbacks": 0}}, ("b",)),
        ({"models": ["b"], "provider": [], "route": "fallback"}, ("b",)),
    ],
)
def test_fallbacks(ask: Callable[..., ChatRequest], more: dict[str, Any], fallbacks: tuple[str, ...]) -> None:
    request = ask(**more)
    assert (request.model, request.fallbacks) == ("openai/gpt-5", fallbacks)
    assert request.native["model"] == "openai/gpt-5"


def test_a_list_alone_names_the_model_too(head: Head) -> None:
    request = openrouter.decode(head, {}, b'{"models":["a","b"],"messages":[]}')
    assert (request.model, request.body["model"], request.fallbacks) == ("a", "a", ("b",))
    assert "model" not in request.native


# -- replies ---------------------------------------------------------------------------------------------------------


def test_a_whole_body(whole: Callable[..., Any]) -> None:
    assert whole(Reply((Text("Hi"), ToolCall("f", "{}", "c")), finish_reason="tool_calls")) == {
        "id": "gen-1795200000-rhwsddmWaxsdrWnjrhws",
        "object": "chat.completion",
        "created": 1795200000,
        "model": "openai/gpt-5",
        "provider": "OpenAI",
        "system_fingerprint": None,
        "service_tier": None,
        "choices": [
            {
                "index": 0,
                "logprobs": None,
                "finish_reason": "tool_calls",
                "native_finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": None,
                    "reasoning": None,
                    "tool_calls": [
                        {
                            "type": "function",
                            "index": 0,
                            "id": "c",
                            "function": {"name": "f", "arguments": "{}"},
                        }
                    ],
                },
            }
        ],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 2,
            "total_tokens": 4,
            "cost": 0,
            "is_byok": False,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 0,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "cost_details": {
                "upstream_inference_cost": 0,
                "upstream_inference_prompt_cost": 0,
                "upstream_inference_completions_cost": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0, "audio_tokens": 0},
        },
    }


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("openai/gpt-5", "OpenAI"),
        ("anthropic/claude-x:free", "Anthropic"),
        ("x-ai/grok", "xAI"),
        ("somebody/their-model", "somebody"),
        ("no-slug", "no-slug"),
        ("", ""),
    ],
)
def test_the_provider_is_told_by_its_display_name(whole: Callable[..., Any], model: str, provider: str) -> None:
    assert whole(Reply(), model)["provider"] == provider
    assert whole(Reply(provider="Mine"), model)["provider"] == "Mine"


def test_the_reply_s_own_words(whole: Callable[..., Any]) -> None:
    told = whole(Reply((Text("Hi"),), id="mine", finish_reason="stop", native_finish_reason="end_turn"))
    choice = told["choices"][0]
    assert (told["id"], choice["finish_reason"], choice["native_finish_reason"]) == ("mine", "stop", "end_turn")


def test_costs_and_what_else_a_usage_says(whole: Callable[..., Any]) -> None:
    """core-fixtures §5.3: extras are kept, and what they leave open is filled in."""
    given = {"cost": 0.5, "cost_details": {"upstream_inference_prompt_cost": 0.1}, "is_byok": True, "odd": 1}
    told = whole(Reply((Text("Hi"),), usage=given | {"completion_tokens_details": {"reasoning_tokens": 7}}))["usage"]
    assert (told["cost"], told["is_byok"], told["odd"], told["prompt_tokens"]) == (0.5, True, 1, 2)
    assert told["cost_details"] == {
        "upstream_inference_cost": 0,
        "upstream_inference_prompt_cost": 0.1,
        "upstream_inference_completions_cost": 0,
    }
    assert told["completion_tokens_details"] == {"reasoning_tokens": 7, "image_tokens": 0, "audio_tokens": 0}


ANTHROPIC = {"format": "anthropic-claude-v1", "index": 0}
OPENAI = {"format": "openai-responses-v1", "index": 0}
DETAILS = [
    pytest.param(
        "anthropic/claude-x",
        [
            {"type": "reasoning.text", "text": "Hm", **ANTHROPIC, "signature": "sig"},
            {"type": "reasoning.encrypted", "data": "hid", **ANTHROPIC},
        ],
        id="text",
    ),
    pytest.param(
        "openai/gpt-5",
        [
            {"type": "reasoning.summary", "summary": "Hm", **OPENAI},
            {"type": "reasoning.encrypted", "data": "hid", **OPENAI},
            {"type": "reasoning.encrypted", "data": "sig", **OPENAI},
        ],
        id="summary",
    ),
]


@pytest.mark.parametrize(("model", "details"), DETAILS)
def test_reasoning_and_its_details(whole: Callable[..., Any], model: str, details: list[Any]) -> None:
    message = whole(SIGNED, model)["choices"][0]["message"]
    assert (message["reasoning"], message["reasoning_details"]) == ("Hm", details)


def test_a_signature_without_thoughts(whole: Callable[..., Any]) -> None:
    message = whole(Reply((Text("Hi"),), reasoning_signature="sig"), "google/gemini-3")["choices"][0]["message"]
    detail = {"type": "reasoning.text", "signature": "sig", "format": "google-gemini-v1", "index": 0}
    assert (message["reasoning"], message["reasoning_details"]) == (None, [detail])


@pytest.mark.parametrize("more", [{"reasoning": {"exclude": True}}, {"include_reasoning": False}])
def test_reasoning_that_is_not_to_be_told(
    whole: Callable[..., Any], streamed: Callable[..., list[Any]], more: dict[str, Any]
) -> None:
    message = whole(SIGNED, **more)["choices"][0]["message"]
    assert message["reasoning"] is None
    assert "reasoning_details" not in message
    assert "reasoning" not in orjson.dumps([chunk["choices"] for chunk in streamed(SIGNED, **more)]).decode()
    assert whole(SIGNED, reasoning={"exclude": False})["choices"][0]["message"]["reasoning"] == "Hm"


def test_every_delta_has_role_and_content_and_the_usage_comes_unasked(streamed: Callable[..., list[Any]]) -> None:
    reply = attrs.evolve(SIGNED, parts=(Text("Hi"), ToolCall("f", "{}", "c")), redacted_thinking=())
    *chunks, usage = streamed(reply, "anthropic/claude-x")
    thought = {"type": "reasoning.text", "text": "Hm", **ANTHROPIC}
    function = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    silent = {"content": "", "role": "assistant"}
    calling = {"content": None, "role": "assistant"}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {**silent, "reasoning": "Hm", "reasoning_details": [thought]},
        {**silent, "reasoning_details": [{"type": "reasoning.text", "signature": "sig", **ANTHROPIC}]},
        {"content": "Hi", "role": "assistant"},
        {**calling, "tool_calls": [function]},
        {**calling, "tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        silent,
    ]
    reasons = [(each["choices"][0]["finish_reason"], each["choices"][0]["native_finish_reason"]) for each in chunks]
    assert reasons == [(None, None)] * 5 + [("tool_calls", "tool_calls")]
    assert usage["choices"] == chunks[-1]["choices"], "the chunk of the usage repeats the choice that has finished"
    assert (usage["usage"]["cost"], usage["service_tier"]) == (0, None)
    assert {tuple(chunk)[:5] for chunk in [*chunks, usage]} == {("id", "object", "created", "model", "provider")}


def test_a_stream_may_be_announced(ask: Callable[..., ChatRequest], stamp: Stamp) -> None:
    reply = Reply((Text("Hi"),), announced=True)
    first, *rest = openrouter.frames(reply, openrouter.shape(ask()), stamp, 20)
    assert (first.data, first.kind) == (b": OPENROUTER PROCESSING\n\n", FrameKind.PING)
    silent = attrs.evolve(reply, announced=False)
    assert rest == list(openrouter.frames(silent, openrouter.shape(ask()), stamp, 20))
    assert openrouter.keepalive is not None
    assert openrouter.keepalive.frame == first


# -- errors ----------------------------------------------------------------------------------------------------------


def test_errors_have_their_status_inside(stamp: Stamp) -> None:
    told = openrouter.error(ErrorReply("No.", "odd", "p", "c", 402, metadata={"raw": "x"}), stamp)
    assert (told.status, orjson.loads(told.body)) == (
        402,
        {"error": {"code": 402, "message": "No.", "metadata": {"raw": "x"}}},
    )
    assert orjson.loads(openrouter.error(ErrorReply("No."), stamp).body) == {"error": {"code": 500, "message": "No."}}


def test_an_error_in_a_stream_is_a_chunk_that_finishes_by_it(streamed: Callable[..., list[Any]]) -> None:
    broken = MidStreamError(1, ErrorReply("Overloaded", status=529, code="overloaded_error"))
    first, last = streamed(Reply((Text("Hi"),), mid_stream_error=broken))
    assert last["error"] == {
        "code": 529,
        "message": "Overloaded",
        "metadata": {"error_type": "provider_overloaded", "provider_code": "overloaded_error"},
    }
    assert last["choices"] == [
        {
            "index": 0,
            "delta": {"content": "", "role": "assistant"},
            "finish_reason": "error",
            "native_finish_reason": "error",
        }
    ]
    same = ("id", "object", "created", "model", "provider")
    assert [last[name] for name in same] == [first[name] for name in same]
    back = openrouter.collapse([b"data: " + orjson.dumps(each) + b"\n\n" for each in (first, last)]).mid_stream_error
    assert back is not None
    assert (back.error.message, back.error.status, back.error.type, back.error.code) == (
        "Overloaded",
        529,
        "provider_overloaded",
        "overloaded_error",
    )


def test_the_generation_s_id_stands_in_a_header(whole: Callable[..., Any], stamp: Stamp) -> None:
    assert dict(openrouter.fresh_headers(stamp)) == {"x-generation-id": whole(Reply())["id"]}


# -- beside the chat -------------------------------------------------------------------------------------------------


def side(stamp: Stamp, *models: str, query: str = "", memory: Any = None, **params: str) -> SideRequest:
    @attrs.frozen
    class Asked:
        method: str = "GET"
        path: str = "/"
        query: str = ""
        headers: dict[str, str] = attrs.field(factory=dict)

    return SideRequest(Asked(query=query), params, b"", stamp, models, memory or Memories().of("", ""))


def test_a_generation_is_told_after_it_was_answered(ask: Callable[..., ChatRequest], stamp: Stamp) -> None:
    memory = Memories().of("", "openrouter")
    request = ask(stream=True)
    assert request.remembers
    reply = Reply((Text("Hi"),), usage={"prompt_tokens": 5, "cost": 0.25}, native_finish_reason="completed")
    openrouter.remember(request, reply, openrouter.shape(request), stamp, 20, memory)
    (name,) = memory.keys()
    told = orjson.loads(openrouter.generation(side(stamp, query=f"id={name}", memory=memory)).body)["data"]
    assert told["id"] == name == "gen-1795200000-rhwsddmWaxsdrWnjrhws"
    assert (told["model"], told["provider_name"], told["streamed"]) == ("openai/gpt-5", "OpenAI", True)
    assert (told["tokens_prompt"], told["total_cost"], told["native_finish_reason"]) == (5, 0.25, "completed")
    assert told["created_at"] == "2026-11-20T18:40:00.250000Z"


@pytest.mark.parametrize(("query", "status"), [("", 400), ("id=", 400), ("id=gen-x", 404), ("other=1", 400)])
def test_a_generation_that_there_is_not(stamp: Stamp, query: str, status: int) -> None:
    with pytest.raises(WireError) as refused:
        openrouter.generation(side(stamp, query=query))
    assert refused.value.reply.status == status


def test_text_completions_are_generations_too(head: Head, stamp: Stamp) -> None:
    memory = Memories().of("", "openrouter")
    request = completions.decode(head, {}, b'{"model":"a","models":["b"],"prompt":"hello"}')
    assert (request.fallbacks, request.remembers) == (("b",), True)
    completions.remember(request, Reply((Text("Hi"),)), completions.shape(request), stamp, 20, memory)
    assert len(memory.keys()) == 1


def test_models(stamp: Stamp) -> None:
    listed = orjson.loads(openrouter.list_models(side(stamp, "anthropic/claude-x", "plain")).body)
    assert (listed["total_count"], listed["links"]) == (2, {"next": None})
    claude, plain = listed["data"]
    assert (claude["id"], claude["name"], claude["architecture"]["tokenizer"]) == (
        "anthropic/claude-x",
        "Anthropic: claude-x",
        "Claude",
    )
    assert plain["name"] == "plain"
    assert all(isinstance(price, str) for price in claude["pricing"].values())
    assert orjson.loads(openrouter.count_models(side(stamp, "a", "b")).body) == {"data": {"count": 2}}


def test_the_endpoints_of_a_model(stamp: Stamp) -> None:
    told = orjson.loads(openrouter.list_endpoints(side(stamp, "openai/gpt-5", author="openai", slug="gpt-5")).body)
    (endpoint,) = told["data"]["endpoints"]
    assert (told["data"]["id"], endpoint["provider_name"], endpoint["tag"]) == ("openai/gpt-5", "OpenAI", "openai")
    model = openrouter.retrieve_model(side(stamp, "openai/gpt-5", author="openai", slug="gpt%2D5"))
    assert orjson.loads(model.body)["data"]["id"] == "openai/gpt-5"
    for function in (openrouter.list_endpoints, openrouter.retrieve_model):
        with pytest.raises(WireError, match="openai/none"):
            function(side(stamp, "openai/gpt-5", author="openai", slug="none"))


def test_keys_and_credits(stamp: Stamp) -> None:
    key = orjson.loads(openrouter.read_key(side(stamp)).body)["data"]
    assert (key["limit"], key["usage"], key["rate_limit"]["requests"]) == (None, 0, -1)
    assert orjson.loads(openrouter.read_credits(side(stamp)).body) == {"data": {"total_credits": 0, "total_usage": 0}}
    providers = orjson.loads(openrouter.list_providers(side(stamp)).body)["data"]
    assert {"OpenAI", "Anthropic", "Google"} <= {provider["name"] for provider in providers}
