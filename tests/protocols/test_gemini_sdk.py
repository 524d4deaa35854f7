"""Google's own SDK as the judge: its types accept what is sent, strictly and whole, and nothing makes it warn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from google.genai import models as converters
from google.genai import types

from aimock_protocols import gemini, json_array
from aimock_protocols.canonical import ChatRequest, Frame, Reply, SideRequest, Stamp, Text, ToolCall
from aimock_protocols.gemini import vertex

Ask = Callable[..., ChatRequest]

CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), id="text"),
    pytest.param(Reply((Text(""),)), id="empty text"),
    pytest.param(Reply(), id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x": [1, {"é": "🚀"}]}'), ToolCall("g", ""))), id="calls"),
    pytest.param(Reply((ToolCall("f", "{oops"), ToolCall("g", "[1]"))), id="calls without an object"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x": 1}', "i"), Text("def"))), id="interleaved"),
    pytest.param(Reply(refusal="I cannot."), id="blocked"),
    pytest.param(Reply((Text("Well"),), refusal="I cannot."), id="broken off"),
    pytest.param(Reply((Text("answer"),), reasoning="thought", reasoning_signature="sig-1"), id="thinking"),
    pytest.param(Reply((ToolCall("f", "{}"),), reasoning="thought"), id="thinking before a call"),
    pytest.param(Reply((Text("a"),), web_searches=("one", "two né")), id="searches"),
    pytest.param(Reply((Text("Hi"),), finish_reason="odd"), id="an odd reason"),
    pytest.param(Reply((Text("Hi"),), finish_reason="FUNCTION_CALL"), id="a reason there is not"),
    pytest.param(
        Reply((Text("Hi"),), usage={"prompt_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 2}}),
        id="usage",
    ),
]
NOT_IN_ITS_TYPES = {"serviceTier"}
"""Members of the usage that the service sends (it stands in recorded traffic), and that the SDK passes over."""

protocols = pytest.mark.parametrize("protocol", [gemini, vertex], ids=["developer", "vertex"])
models = pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro-preview"])


def judged(told: dict[str, Any]) -> types.GenerateContentResponse:
    """The response by the SDK's types, which forbid members that they do not know."""
    told["usageMetadata"] = {
        name: value for name, value in told["usageMetadata"].items() if name not in NOT_IN_ITS_TYPES
    }
    response = types.GenerateContentResponse.model_validate_json(orjson.dumps(told))
    for candidate in response.candidates or ():
        if candidate.finish_reason is not None:
            assert candidate.finish_reason in list(types.FinishReason)
    return response


def chunks(frames: list[Frame]) -> list[Any]:
    stream = b"".join(frame.data for frame in frames)
    if stream.startswith(b"["):
        return [orjson.loads(element) for element in json_array.elements([stream])]
    return [orjson.loads(event.removeprefix(b"data: ")) for event in stream.split(b"\r\n\r\n")[:-1]]


@protocols
@models
@pytest.mark.parametrize("reply", CASES)
def test_whole_bodies_have_the_sdk_s_types(
    ask_gemini: Ask, stamp: Stamp, reply: Reply, protocol: Any, model: str
) -> None:
    told = orjson.loads(protocol.encode(reply, protocol.shape(ask_gemini(model=model)), stamp))
    response = judged(told)
    assert response.response_id
    assert response.model_version == model
    assert response.usage_metadata is not None
    assert (response.create_time is not None) is (protocol is vertex)
    if reply.parts:
        assert response.candidates
        parts = (response.candidates[0].content or types.Content()).parts or []
        assert "".join(part.text or "" for part in parts if not part.thought) == (reply.text or "")
        assert len(response.function_calls or ()) == len(reply.tool_calls)


@protocols
@models
@pytest.mark.parametrize("reply", CASES)
@pytest.mark.parametrize("query", ["alt=sse", ""], ids=["events", "array"])
@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_chunks_have_them_too_and_say_what_the_whole_says(
    ask_gemini: Ask, stamp: Stamp, reply: Reply, protocol: Any, model: str, query: str, chunk_size: int
) -> None:
    shape = protocol.shape(ask_gemini(model=model, query=query))
    told = [judged(chunk) for chunk in chunks(list(protocol.frames(reply, shape, stamp, chunk_size)))]
    whole = judged(orjson.loads(protocol.encode(reply, shape, stamp)))
    assert together(told) == together([whole])
    assert told[-1].usage_metadata == whole.usage_metadata
    assert {(chunk.response_id, chunk.model_version) for chunk in told} == {(whole.response_id, whole.model_version)}


def together(responses: list[types.GenerateContentResponse]) -> tuple[Any, ...]:
    """What responses say in all."""
    candidates = [candidate for response in responses for candidate in response.candidates or ()]
    parts = [part for candidate in candidates for part in (candidate.content or types.Content()).parts or ()]
    last = responses[-1]
    return (
        "".join(part.text or "" for part in parts if part.thought),
        "".join(part.text or "" for part in parts if not part.thought),
        [part.function_call for part in parts if part.function_call],
        [part.thought_signature for part in parts if part.thought_signature],
        [candidate.finish_reason for candidate in candidates if candidate.finish_reason],
        [candidate.grounding_metadata for candidate in candidates if candidate.grounding_metadata],
        last.prompt_feedback,
    )


def test_models_and_counts_have_the_sdk_s_types(side_request: Callable[..., SideRequest]) -> None:
    """After the SDK has renamed what it calls otherwise; `tuned_model_info` is its own copy of it all."""

    def renamed(rename: Callable[[Any], dict[str, Any]], told: Any) -> types.Model:
        return types.Model.model_validate(
            {name: value for name, value in rename(told).items() if name != "tuned_model_info"}
        )

    listed = orjson.loads(gemini.list_models(side_request("gemini-mine")).body)["models"]
    for told in listed:
        model = renamed(converters._Model_from_mldev, told)
        assert (model.name, model.supported_actions, model.input_token_limit) == (
            told["name"],
            told["supportedGenerationMethods"],
            told["inputTokenLimit"],
        )
    for told in orjson.loads(vertex.list_publisher_models(side_request("gemini-mine")).body)["publisherModels"]:
        assert renamed(converters._Model_from_vertex, told).version == "default"
    body = orjson.dumps({"contents": [{"parts": [{"text": "hello"}]}]})
    counted = orjson.loads(gemini.count_tokens(side_request(body=body, model="m")).body)
    assert types.CountTokensResponse.model_validate({"totalTokens": counted["totalTokens"]}).total_tokens == 2
    computed = vertex.compute_tokens(side_request(body=body, model="m")).body
    assert types.ComputeTokensResponse.model_validate_json(computed).tokens_info
