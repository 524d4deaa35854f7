"""InvokeModel and its stream by boto3, for every family of models (wire-bedrock §3, §5, §12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from aimock import AIMock

CHAT = [{"role": "user", "content": "hello"}]
CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": CHAT}
METRICS = "amazon-bedrock-invocationMetrics"

FAMILIES: list[Any] = [
    pytest.param(
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        CLAUDE,
        lambda whole: whole["content"][0]["text"],
        lambda piece: piece.get("delta", {}).get("text", ""),
        id="Claude",
    ),
    pytest.param(
        "anthropic.claude-v2:1",
        {"prompt": "\n\nHuman: hello\n\nAssistant:", "max_tokens_to_sample": 100},
        lambda whole: whole["completion"],
        lambda piece: piece["completion"],
        id="Claude 2",
    ),
    pytest.param(
        "amazon.titan-text-express-v1",
        {"inputText": "hello", "textGenerationConfig": {"maxTokenCount": 100}},
        lambda whole: whole["results"][0]["outputText"],
        lambda piece: piece["outputText"],
        id="Titan",
    ),
    pytest.param(
        "us.amazon.nova-lite-v1:0",
        {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "hello"}]}]},
        lambda whole: whole["output"]["message"]["content"][0]["text"],
        lambda piece: piece.get("contentBlockDelta", {}).get("delta", {}).get("text", ""),
        id="Nova",
    ),
    pytest.param(
        "us.meta.llama3-3-70b-instruct-v1:0",
        {"prompt": "<|start_header_id|>user<|end_header_id|>\n\nhello<|eot_id|>", "max_gen_len": 100},
        lambda whole: whole["generation"],
        lambda piece: piece["generation"],
        id="Llama",
    ),
    pytest.param(
        "mistral.mixtral-8x7b-instruct-v0:1",
        {"prompt": "<s>[INST] hello [/INST]", "max_tokens": 100},
        lambda whole: whole["outputs"][0]["text"],
        lambda piece: piece["outputs"][0]["text"],
        id="Mistral text",
    ),
    pytest.param(
        "mistral.mistral-large-2407-v1:0",
        {"messages": CHAT},
        lambda whole: whole["choices"][0]["message"]["content"],
        lambda piece: piece["choices"][0]["message"]["content"],
        id="Mistral chat",
    ),
    pytest.param(
        "cohere.command-r-plus-v1:0",
        {"message": "hello"},
        lambda whole: whole["text"],
        lambda piece: piece.get("text", ""),
        id="Command R",
    ),
    pytest.param(
        "cohere.command-text-v14",
        {"prompt": "hello", "stream": True},
        lambda whole: whole["generations"][0]["text"],
        lambda piece: piece["text"],
        id="Command",
    ),
    pytest.param(
        "us.deepseek.r1-v1:0",
        {"prompt": "<｜begin▁of▁sentence｜><｜User｜>hello<｜Assistant｜>", "max_tokens": 100},
        lambda whole: whole["choices"][0]["text"],
        lambda piece: piece["choices"][0]["text"],
        id="DeepSeek R1",
    ),
    *(
        pytest.param(
            model,
            {"messages": CHAT},
            lambda whole: whole["choices"][0]["message"]["content"],
            lambda piece: piece["choices"][0]["delta"].get("content", ""),
            id=model,
        )
        for model in ("openai.gpt-oss-120b-1:0", "qwen.qwen3-32b-v1:0", "deepseek.v3-v1:0", "moonshot.kimi-k2-thinking")
    ),
]

Ask = Callable[..., Any]


@pytest.fixture
def invoke(bedrock: Any) -> Ask:
    """invoke(model, **body): the JSON of a whole answer."""

    def ask(model: str, **body: Any) -> Any:
        return json.loads(bedrock.invoke_model(modelId=model, body=json.dumps(body))["body"].read())

    return ask


@pytest.fixture
def stream(bedrock: Any) -> Ask:
    """stream(model, **body): the documents of a streamed answer."""

    def ask(model: str, **body: Any) -> list[Any]:
        events = bedrock.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
        return [json.loads(event["chunk"]["bytes"]) for event in events]

    return ask


@pytest.mark.parametrize(("model", "body", "text", "piece"), FAMILIES)
def test_every_family_answers_in_its_own_words(
    mock: AIMock, invoke: Ask, stream: Ask, model: str, body: dict[str, Any], text: Ask, piece: Ask
) -> None:
    mock.on({"userMessage": "hello", "model": model}, {"content": "Hello, you 🚀"}, chunk_size=4)
    assert text(invoke(model, **body)) == "Hello, you 🚀"
    documents = stream(model, **body)
    pieces = [found for document in documents if (found := piece(document))]
    assert pieces == ["Hell", "o, y", "ou 🚀"]
    assert [METRICS in document for document in documents] == [False] * (len(documents) - 1) + [True]
    assert documents[-1][METRICS]["outputTokenCount"] == 4
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [200, 200]


TOLD_BY_BODY = [case for case in FAMILIES if case.id not in ("Mistral chat", "Command", "DeepSeek R1")]
"""The bodies of the others look like those of Mistral text and OpenAI's."""


@pytest.mark.parametrize(("model", "body", "text", "piece"), TOLD_BY_BODY)
def test_a_model_nobody_knows_is_known_by_its_body(
    mock: AIMock, invoke: Ask, stream: Ask, model: str, body: dict[str, Any], text: Ask, piece: Ask
) -> None:
    """Application profiles and imported models say nothing of what they are."""
    mock.on({"userMessage": "hello"}, {"content": "Hello"})
    profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mi1dadi0g15f"
    assert text(invoke(profile, **body)) == "Hello"
    assert "".join(map(piece, stream(profile, **body))) == "Hello"


@pytest.mark.parametrize(
    "model",
    [
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "eu.anthropic.claude-3-5-sonnet-20241022-v2:0",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    ],
)
def test_a_fixture_names_the_model_plainly(mock: AIMock, invoke: Ask, model: str) -> None:
    """wire-bedrock §12.5"""
    mock.on({"model": "anthropic.claude-3-5-sonnet-20241022-v2:0"}, {"content": "Hi"})
    answer = invoke(model, **CLAUDE)
    assert (answer["content"][0]["text"], answer["model"]) == ("Hi", "claude-3-5-sonnet-20241022")


def test_a_conversation_with_tools(mock: AIMock, invoke: Ask, stream: Ask) -> None:
    """Nova calls two tools at once; their results come back, and the answer follows."""
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]
    mock.on({"toolName": "get_weather", "hasToolResult": False}, {"toolCalls": calls})
    mock.on({"hasToolResult": True}, {"content": "Sunny."})
    tool = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}
    question = {"role": "user", "content": [{"text": "weather?"}]}
    body = {"messages": [question], "toolConfig": {"tools": [tool]}}
    answer = invoke("amazon.nova-pro-v1:0", **body)
    message = answer["output"]["message"]
    uses = [block["toolUse"] for block in message["content"]]
    assert [use["input"] for use in uses] == [{"city": "Paris"}, {"city": "Rome"}]
    assert [str(UUID(use["toolUseId"])) for use in uses] == [use["toolUseId"] for use in uses]
    assert answer["stopReason"] == "tool_use"
    streamed = stream("amazon.nova-pro-v1:0", **body)
    inputs = [
        each["contentBlockDelta"]["delta"]["toolUse"]["input"] for each in streamed if "contentBlockDelta" in each
    ]
    assert list(map(json.loads, inputs)) == [{"city": "Paris"}, {"city": "Rome"}]
    results = [{"toolResult": {"toolUseId": use["toolUseId"], "content": [{"json": {"sun": 1}}]}} for use in uses]
    body["messages"] = [question, message, {"role": "user", "content": results}]
    assert invoke("amazon.nova-pro-v1:0", **body)["output"]["message"]["content"] == [{"text": "Sunny."}]


def test_command_r_calls_a_tool_and_hears_its_result(mock: AIMock, invoke: Ask, stream: Ask) -> None:
    mock.on({"hasToolResult": False}, {"content": "I look.", "toolCalls": [{"name": "f", "arguments": {"x": 1}}]})
    mock.on({"hasToolResult": True}, {"content": "Sunny."})
    tools = [{"name": "f", "description": "d", "parameter_definitions": {"x": {"type": "int", "required": True}}}]
    body = {"message": "weather?", "tools": tools}
    answer = invoke("cohere.command-r-v1:0", **body)
    assert (answer["text"], answer["tool_calls"]) == ("I look.", [{"name": "f", "parameters": {"x": 1}}])
    (calls,) = [
        each for each in stream("cohere.command-r-v1:0", **body) if each["event_type"] == "tool-calls-generation"
    ]
    assert calls["tool_calls"] == answer["tool_calls"]
    results = [{"call": answer["tool_calls"][0], "outputs": [{"sun": 1}]}]
    again = invoke("cohere.command-r-v1:0", **body, tool_results=results, chat_history=answer["chat_history"][:-1])
    assert again["text"] == "Sunny."


def test_gpt_oss_thinks_aloud(mock: AIMock, invoke: Ask, stream: Ask) -> None:
    """AWS, "OpenAI models": the thought stands in the content, before the answer."""
    mock.on({}, {"content": "Hi", "reasoning": "Be kind."})
    model = "openai.gpt-oss-20b-1:0"
    expected = "<reasoning>Be kind.</reasoning>Hi"
    assert invoke(model, messages=CHAT)["choices"][0]["message"]["content"] == expected
    deltas = [document["choices"][0]["delta"] for document in stream(model, messages=CHAT)]
    assert "".join(delta.get("content", "") for delta in deltas) == expected


def test_headers(mock: AIMock, bedrock: Any) -> None:
    """wire-bedrock §1.3, §12.6"""
    usage = {"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": 3}
    mock.on({}, {"content": "Hi", "usage": usage})
    model = "anthropic.claude-3-haiku-20240307-v1:0"
    asked = {"modelId": model, "body": json.dumps(CLAUDE), "performanceConfigLatency": "optimized"}
    whole, streamed = bedrock.invoke_model(**asked), bedrock.invoke_model_with_response_stream(**asked)
    headers = whole["ResponseMetadata"]["HTTPHeaders"]
    told = {name.removeprefix("x-amzn-bedrock-"): value for name, value in headers.items() if "bedrock" in name}
    assert told == {
        "input-token-count": "7",
        "output-token-count": "5",
        "cache-read-input-token-count": "3",
        "invocation-latency": "450",
        "performanceconfig-latency": "optimized",
    }
    assert (whole["contentType"], whole["performanceConfigLatency"]) == ("application/json", "optimized")
    assert (streamed["contentType"], streamed["performanceConfigLatency"]) == ("application/json", "optimized")
    ids = {UUID(answer["ResponseMetadata"]["RequestId"]) for answer in (whole, streamed)}
    assert len(ids) == 2
    *_, last = streamed["body"]
    metrics = json.loads(last["chunk"]["bytes"])[METRICS]
    assert metrics == {
        "inputTokenCount": 7,
        "outputTokenCount": 5,
        "cacheReadInputTokenCount": 3,
        "invocationLatency": 450,
        "firstByteLatency": 400,
    }


# -- embeddings --------------------------------------------------------------------------------------------------------

NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"


def nova(text: str, **more: Any) -> dict[str, Any]:
    single = {"embeddingPurpose": "GENERIC_INDEX", "text": {"truncationMode": "NONE", "value": text}, **more}
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": single}


def test_embeddings_and_chat_share_a_route(mock: AIMock, invoke: Ask, bedrock: Any) -> None:
    mock.on({"inputText": "hello"}, {"embedding": [0.5, -1.0]}).on({"userMessage": "hello"}, {"content": "Hi"})
    assert invoke("anthropic.claude-3-haiku-20240307-v1:0", **CLAUDE)["content"][0]["text"] == "Hi"
    titan = invoke("amazon.titan-embed-text-v2:0", inputText="hello")
    assert titan == {
        "embedding": [0.5, -1.0],
        "embeddingsByType": {"float": [0.5, -1.0]},
        "inputTextTokenCount": 2,
    }
    cohere = invoke("cohere.embed-english-v3", texts=["hello"], input_type="search_query")
    assert (cohere["embeddings"], cohere["response_type"]) == ([[0.5, -1.0]], "embeddings_floats")
    fourth = invoke("cohere.embed-v4:0", texts=["hello"], input_type="search_query")
    assert (fourth["embeddings"], fourth["response_type"]) == ({"float": [[0.5, -1.0]]}, "embeddings_by_type")
    assert invoke(NOVA, **nova("hello"))["embeddings"] == [{"embeddingType": "TEXT", "embedding": [0.5, -1.0]}]
    answer = bedrock.invoke_model(modelId=NOVA, body=json.dumps(nova("hello")))
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert {name: value for name, value in headers.items() if "bedrock" in name} == {
        "x-amzn-bedrock-input-token-count": "2",
        "x-amzn-bedrock-invocation-latency": "80",
    }


def test_every_text_has_a_vector_of_the_size_that_is_asked_for(invoke: Ask) -> None:
    texts = {"texts": ["a", "b"], "input_type": "search_document"}
    first, second = invoke("cohere.embed-multilingual-v3", **texts)["embeddings"]
    assert (len(first), len(second), first == second) == (1024, 1024, False)
    assert len(invoke("cohere.embed-v4:0", **texts, output_dimension=256)["embeddings"]["float"][0]) == 256
    assert len(invoke("amazon.titan-embed-text-v1", inputText="a")["embedding"]) == 1536
    vector = invoke("amazon.titan-embed-text-v2:0", inputText="a", dimensions=512)["embedding"]
    assert len(vector) == 512
    assert sum(value * value for value in vector) == pytest.approx(1)
    raw = invoke("amazon.titan-embed-text-v2:0", inputText="a", dimensions=512, normalize=False)["embedding"]
    assert sum(value * value for value in raw) > 2
    assert len(invoke(NOVA, **nova("a", embeddingDimension=384))["embeddings"][0]["embedding"]) == 384
