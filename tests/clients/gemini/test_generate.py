"""generateContent through the official SDK: Developer API, Vertex AI and its express mode (wire-gemini §12, §14).

Every warning is an error here, and what the SDK logs as one is too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

from aimock import AIMock

Said = Callable[..., list[types.GenerateContentResponse]]

every_platform = pytest.mark.parametrize("platform", ["default", "v1beta", "v1alpha", "vertex", "express"])
both_kinds = pytest.mark.parametrize("platform", ["default", "vertex"])
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(autouse=True)
def _nothing_is_complained_of(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    told = [record.message for record in caplog.records if record.name.startswith("google")]
    levels = [record.levelno for record in caplog.records if record.name.startswith("google")]
    assert all(level < logging.WARNING for level in levels), told


def candidate(response: types.GenerateContentResponse) -> types.Candidate:
    assert response.candidates
    return response.candidates[0]


def parts(responses: list[types.GenerateContentResponse]) -> list[types.Part]:
    contents = [candidate(response).content for response in responses]
    return [part for content in contents if content is not None for part in content.parts or ()]


def answer(responses: list[types.GenerateContentResponse]) -> str:
    return "".join(part.text or "" for part in parts(responses) if not part.thought)


def function(name: str) -> types.FunctionDeclaration:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    return types.FunctionDeclaration(name=name, description=name, parameters_json_schema=schema)


TOOLS = [types.Tool(function_declarations=[function("f"), function("g")])]
NO_CALLING = types.AutomaticFunctionCallingConfig(disable=True)


# -- whole and streamed ------------------------------------------------------------------------------------------------


@every_platform
@whole_and_streamed
def test_text(mock: AIMock, said: Said, platform: str, stream: bool) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"}, chunk_size=4)
    told = said("hello", stream, platform)
    assert len(told) == (4 if stream else 1)
    assert answer(told) == "Hi there, né 🚀"
    last = told[-1]
    assert candidate(last).finish_reason is types.FinishReason.STOP
    assert {response.model_version for response in told} == {"gemini-2.5-flash"}
    assert len({response.response_id for response in told}) == 1
    usage = last.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (2, 4, 6)
    on_vertex = platform in ("vertex", "express")
    assert (last.create_time is not None) is on_vertex
    assert (usage.traffic_type is types.TrafficType.ON_DEMAND) is on_vertex
    for response in told:
        assert response.sdk_http_response is not None


@both_kinds
@whole_and_streamed
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro-preview"])
def test_parallel_calls(mock: AIMock, said: Said, platform: str, stream: bool, model: str) -> None:
    calls = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": "{}", "id": "mine"}]
    mock.on_message("hello", {"content": "I call.", "toolCalls": calls})
    told = said("hello", stream, platform, model, tools=TOOLS, automatic_function_calling=NO_CALLING)
    made = [part.function_call for part in parts(told) if part.function_call]
    assert [(call.name, call.args) for call in made] == [("f", {"x": 1}), ("g", {})]
    assert made[0].id
    assert made[1].id == "mine"
    assert answer(told) == "I call."
    assert candidate(told[-1]).finish_reason is types.FinishReason.STOP
    signatures = [part.thought_signature for part in parts(told) if part.function_call]
    assert signatures == [b"aimock-signature" if model.startswith("gemini-3") else None, None]


@both_kinds
@whole_and_streamed
def test_thoughts(mock: AIMock, said: Said, platform: str, stream: bool) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Hm, so.", "reasoningSignature": "c2ln"}, chunk_size=3)
    config = {"thinking_config": types.ThinkingConfig(include_thoughts=True, thinking_budget=100)}
    told = said("hello", stream, platform, **config)
    assert "".join(part.text or "" for part in parts(told) if part.thought) == "Hm, so."
    assert answer(told) == "Hi"
    assert parts(told)[-1].thought_signature == b"sig"
    usage = told[-1].usage_metadata
    assert usage is not None
    assert usage.thoughts_token_count == 2


@whole_and_streamed
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"content": "Hi", "finishReason": "length"}, types.FinishReason.MAX_TOKENS),
        ({"content": "Hi", "finishReason": "content_filter"}, types.FinishReason.SAFETY),
        ({"content": "Hi", "finishReason": "RECITATION"}, types.FinishReason.RECITATION),
        ({"content": "Hi", "finishReason": "FUNCTION_CALL"}, types.FinishReason.STOP),
        ({"content": "Hi", "finishReason": "odd"}, types.FinishReason.OTHER),
        ({"content": "Hi"}, types.FinishReason.STOP),
    ],
)
def test_why_it_ends(mock: AIMock, said: Said, stream: bool, reply: Any, reason: types.FinishReason) -> None:
    mock.on_message("hello", reply)
    assert candidate(said("hello", stream)[-1]).finish_reason is reason


@whole_and_streamed
def test_a_prompt_that_is_blocked(mock: AIMock, said: Said, stream: bool) -> None:
    mock.on_message("hello", {"refusal": "Not this."})
    (told,) = said("hello", stream)
    assert told.candidates is None
    assert told.prompt_feedback is not None
    assert told.prompt_feedback.block_reason is types.BlockedReason.SAFETY
    assert told.prompt_feedback.block_reason_message == "Not this."


@both_kinds
@whole_and_streamed
def test_searches(mock: AIMock, said: Said, platform: str, stream: bool) -> None:
    mock.on({"toolName": "never"}, {"content": "never"})
    mock.on_message("hello", {"content": "Found it.", "webSearches": ["the weather", "in Paris"]})
    grounded = candidate(
        said("hello", stream, platform, tools=[types.Tool(google_search=types.GoogleSearch())])[-1]
    ).grounding_metadata
    assert grounded is not None
    assert grounded.web_search_queries == ["the weather", "in Paris"]
    assert grounded.grounding_chunks is not None
    assert len(grounded.grounding_chunks) == 2


class Weather(BaseModel):
    sky: str
    degrees: int


@whole_and_streamed
@pytest.mark.parametrize("schema", ["response_schema", "response_json_schema"])
def test_structured_output(mock: AIMock, said: Said, stream: bool, schema: str) -> None:
    mock.on({"responseFormat": "json_schema"}, {"content": {"sky": "blue", "degrees": 20}})
    wanted = Weather if schema == "response_schema" else Weather.model_json_schema()
    told = said("hello", stream, response_mime_type="application/json", **{schema: wanted})
    assert Weather.model_validate_json(answer(told)) == Weather(sky="blue", degrees=20)
    if not stream:
        assert told[0].parsed == (
            Weather(sky="blue", degrees=20) if schema == "response_schema" else {"sky": "blue", "degrees": 20}
        )


def test_several_candidates(mock: AIMock, gemini: genai.Client) -> None:
    mock.on_message("hello", {"content": "Hi"})
    told = gemini.models.generate_content(
        model="gemini-2.5-flash", contents="hello", config=types.GenerateContentConfig(candidate_count=2)
    )
    assert [each.index for each in told.candidates or ()] == [0, 1]


# -- conversations -----------------------------------------------------------------------------------------------------


@every_platform
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-flash-preview"])
def test_the_sdk_calls_a_function_by_itself(
    mock: AIMock, connect_gemini: Callable[..., genai.Client], platform: str, model: str
) -> None:
    """It sends call and result back, by id and with the signature: a strict server has nothing to object to."""

    def weather_of(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    mock.on({"toolResultContains": "sunny in Paris"}, {"content": "It is sunny."})
    mock.on_message("weather", {"toolCalls": [{"name": "weather_of", "arguments": {"city": "Paris"}}]})
    mock.strict = True
    client = connect_gemini(platform)
    told = client.models.generate_content(
        model=model, contents="weather?", config=types.GenerateContentConfig(tools=[weather_of])
    )
    assert told.text == "It is sunny."
    first, second = (entry["body"] for entry in mock.get_requests())
    assert first["tools"][0]["function"]["name"] == "weather_of"
    (call,) = second["messages"][1]["tool_calls"]
    assert second["messages"][2] == {
        "role": "tool",
        "tool_call_id": call["id"],
        "content": '{"result":"sunny in Paris"}',
    }


@pytest.mark.parametrize(("model", "refused"), [("gemini-3-flash-preview", True), ("gemini-2.5-flash", False)])
def test_a_call_that_has_lost_its_signature(mock: AIMock, gemini: genai.Client, model: str, refused: bool) -> None:
    """wire-gemini §3.2: strict servers refuse it as Gemini 3 does."""
    mock.on({"hasToolResult": True}, {"content": "Done."})
    contents = [
        types.Content(role="user", parts=[types.Part(text="hello")]),
        types.Content(role="model", parts=[types.Part(function_call=types.FunctionCall(name="f", args={}))]),
        types.Content(
            role="user", parts=[types.Part(function_response=types.FunctionResponse(name="f", response={"a": 1}))]
        ),
    ]
    assert gemini.models.generate_content(model=model, contents=contents).text == "Done."
    mock.strict = True
    if not refused:
        assert gemini.models.generate_content(model=model, contents=contents).text == "Done."
        return
    with pytest.raises(genai.errors.ClientError, match="thought_signature") as told:
        gemini.models.generate_content(model=model, contents=contents)
    assert (told.value.code, told.value.status) == (400, "INVALID_ARGUMENT")


def test_a_chat(mock: AIMock, gemini: genai.Client) -> None:
    mock.on({"userMessage": "hello", "turnIndex": 0}, {"content": "Hi, who are you?"}, chunk_size=3)
    mock.on({"userMessage": "Ann", "turnIndex": 1, "systemMessage": "kind"}, {"content": "Hi Ann!"}, chunk_size=3)
    chat = gemini.chats.create(
        model="gemini-2.5-flash", config=types.GenerateContentConfig(system_instruction="Be kind.")
    )
    assert chat.send_message("hello").text == "Hi, who are you?"
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Ann")) == "Hi Ann!"
    assert [content.role for content in chat.get_history()[:4]] == ["user", "model", "user", "model"]


def test_media(mock: AIMock, gemini: genai.Client) -> None:
    mock.on_message("what", {"content": "A cat."})
    image = types.Part.from_bytes(data=b"png", mime_type="image/png")
    stored = types.Part.from_uri(file_uri="gs://bucket/cat.mp4", mime_type="video/mp4")
    contents: Any = ["what is it", image, stored]
    assert gemini.models.generate_content(model="gemini-2.5-flash", contents=contents).text == "A cat."
    (message,) = mock.get_requests()[0]["body"]["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "file"]


# -- beside it ---------------------------------------------------------------------------------------------------------


@every_platform
def test_tokens(mock: AIMock, connect_gemini: Callable[..., genai.Client], platform: str) -> None:
    mock.on_message("hello", {"content": "Hi"}, sequence_index=0)
    client = connect_gemini(platform)
    asked: Any = {"model": "gemini-2.5-flash", "contents": "hello, you"}
    counted = client.models.count_tokens(**asked).total_tokens
    answered = client.models.generate_content(**asked).usage_metadata
    assert answered is not None
    assert counted == answered.prompt_token_count == 3
    assert len(mock.get_requests()) == 1
    if platform in ("vertex", "express"):
        (info,) = client.models.compute_tokens(**asked).tokens_info or ()
        assert b"".join(info.tokens or ()) == b"hello, you"


@every_platform
@pytest.mark.parametrize("model", ["gemini-embedding-001", "text-embedding-004", "gemini-embedding-2"])
def test_embeddings(mock: AIMock, connect_gemini: Callable[..., genai.Client], platform: str, model: str) -> None:
    """wire-gemini §6: one text and two, each by its fixture or by what follows from it."""
    mock.on({"inputText": re.compile("^one$"), "endpoint": "embedding", "model": model}, {"embedding": [0.25, -1.0]})
    client = connect_gemini(platform)
    (one,) = client.models.embed_content(model=model, contents="one").embeddings or ()
    assert one.values == [0.25, -1.0]
    two = types.Content(parts=[types.Part(text="two")])
    first = types.Content(parts=[types.Part(text="one")])
    both = client.models.embed_content(
        model=model, contents=[first, two], config=types.EmbedContentConfig(output_dimensionality=64)
    ).embeddings
    assert both is not None
    assert [len(each.values or ()) for each in both] == [2, 64]
    assert mock.get_requests()[-1]["body"]["_endpointType"] == "embedding"


@every_platform
def test_models(mock: AIMock, connect_gemini: Callable[..., genai.Client], platform: str) -> None:
    mock.on({"model": "gemini-mine"}, {"content": "Hi"})
    client = connect_gemini(platform)
    names = [model.name for model in client.models.list(config={"page_size": 3})]
    prefix = "publishers/google/models/" if platform in ("vertex", "express") else "models/"
    assert {f"{prefix}gemini-mine", f"{prefix}gemini-2.5-flash"} <= set(names)
    assert len(set(names)) == len(names) > 3
    assert client.models.get(model="gemini-mine").name == f"{prefix}gemini-mine"
    with pytest.raises(genai.errors.ClientError, match="is not found") as missing:
        client.models.get(model="gemini-none")
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")


def test_tuned_and_deployed_models(mock: AIMock, connect_gemini: Callable[..., genai.Client]) -> None:
    mock.on({"model": "mine"}, {"content": "Hi"}).on({"model": "endpoints/42"}, {"content": "Ho"})
    tuned = connect_gemini().models.generate_content(model="tunedModels/mine", contents="hello")
    assert (tuned.text, tuned.model_version) == ("Hi", "tunedModels/mine")
    deployed = connect_gemini("vertex").models.generate_content(
        model="projects/p/locations/us-central1/endpoints/42", contents="hello"
    )
    assert (deployed.text, deployed.model_version) == ("Ho", "endpoints/42")


@every_platform
def test_no_credential_stays_in_the_journal(
    mock: AIMock, connect_gemini: Callable[..., genai.Client], platform: str
) -> None:
    mock.on_message("hello", {"content": "Hi"})
    connect_gemini(platform).models.generate_content(model="gemini-2.5-flash", contents="hello")
    (entry,) = mock.get_requests()
    assert "AIzaSecret" not in str(entry)
    assert "Bearer test" not in str(entry)
    version = {"default": "v1", "vertex": "v1beta1", "express": "v1beta1"}.get(platform, platform)
    assert entry["path"].startswith(f"/{version}/")
