"""Requests of InvokeModel, by family, to the canonical form (wire-bedrock §5)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import orjson
import pytest

from aimock_protocols import bedrock_invoke
from aimock_protocols.bedrock_invoke.families import of_request
from aimock_protocols.canonical import ChatRequest, WireError

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
CLAUDE_2 = "anthropic.claude-v2"
TITAN = "amazon.titan-text-lite-v1"
TITAN_VECTORS = "amazon.titan-embed-text-v2:0"
NOVA = "amazon.nova-lite-v1:0"
NOVA_VECTORS = "amazon.nova-2-multimodal-embeddings-v1:0"
LLAMA = "meta.llama3-8b-instruct-v1:0"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
MISTRAL_LARGE = "mistral.mistral-large-2402-v1:0"
COMMAND_R = "cohere.command-r-v1:0"
COHERE_VECTORS = "cohere.embed-v4:0"
DEEPSEEK = "us.deepseek.r1-v1:0"


@attrs.frozen
class Head:
    path: str = "/model/m/invoke"
    method: str = "POST"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


def ask(model: str, **body: Any) -> ChatRequest:
    return bedrock_invoke.decode(Head(), {"model": model}, json.dumps(body).encode())


def messages(model: str, **body: Any) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in ask(model, **body).body["messages"]]


SYSTEM, USER, ASSISTANT = ("system", "Be kind."), ("user", "hello"), ("assistant", "Hi!")


# -- which family ------------------------------------------------------------------------------------------------------

TURNS = [{"role": "user", "content": "hello"}]
LIKE_OPENAI = ("openai", "qwen", "moonshot", "moonshotai", "minimax", "zai", "nvidia", "google", "writer", "ai21")
UNTYPED = [{"role": "user", "content": [{"text": "hello"}]}]


@pytest.mark.parametrize(
    ("model", "body", "family"),
    [
        (CLAUDE, {}, "claude"),
        (CLAUDE_2, {"prompt": "", "max_tokens_to_sample": 1}, "claude_text"),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", {"messages": TURNS}, "claude"),
        ("arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-8b-instruct-v1:0", {}, "llama"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-lite-v1:0", {}, "nova"),
        ("amazon.titan-text-premier-v1:0", {"inputText": ""}, "titan_text"),
        ("amazon.titan-tg1-large", {}, "titan_text"),
        ("amazon.titan-embed-text-v1", {"inputText": ""}, "titan_embedding"),
        ("amazon.titan-embed-image-v1", {"inputImage": ""}, "titan_embedding"),
        (NOVA_VECTORS, {}, "nova_embedding"),
        ("us.amazon.nova-2-lite-v1:0", {}, "nova"),
        (COHERE_VECTORS, {}, "cohere_embedding"),
        ("cohere.command-r-plus-v1:0", {}, "command_r"),
        ("cohere.command-light-text-v14", {}, "cohere_text"),
        (MISTRAL_LARGE, {"prompt": ""}, "mistral_text"),
        (MISTRAL_LARGE, {"messages": []}, "mistral_chat"),
        ("us.mistral.pixtral-large-2502-v1:0", {"messages": []}, "openai_style"),
        ("mistral.ministral-3-8b-instruct", {"messages": []}, "openai_style"),
        (DEEPSEEK, {"prompt": ""}, "deepseek_text"),
        ("deepseek.v3-v1:0", {"messages": []}, "openai_style"),
        *(
            (f"{vendor}.some-model-v1:0", {"messages": []}, "openai_style")
            for vendor in (
                "openai",
                "qwen",
                "moonshot",
                "moonshotai",
                "minimax",
                "zai",
                "nvidia",
                "google",
                "writer",
                "ai21",
            )
        ),
        # by the body alone
        ("m", {"anthropic_version": "x"}, "claude"),
        ("m", {"prompt": "", "max_tokens_to_sample": 1}, "claude_text"),
        ("m", {"inputText": ""}, "titan_text"),
        ("m", {"inputText": "", "dimensions": 256}, "titan_embedding"),
        ("m", {"inputText": "", "normalize": True}, "titan_embedding"),
        ("m", {"inputText": "", "embeddingTypes": ["float"]}, "titan_embedding"),
        ("m", {"schemaVersion": "messages-v1", "messages": TURNS}, "nova"),
        ("m", {"messages": UNTYPED}, "nova"),
        ("m", {"prompt": "", "max_gen_len": 1}, "llama"),
        ("m", {"message": "hello"}, "command_r"),
        ("m", {"chat_history": []}, "command_r"),
        ("m", {"texts": [], "input_type": "x"}, "cohere_embedding"),
        ("m", {"images": [], "input_type": "image"}, "cohere_embedding"),
        ("m", {"taskType": "x", "singleEmbeddingParams": {}}, "nova_embedding"),
        ("m", {"messages": TURNS}, "openai_style"),
        ("m", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]}, "openai_style"),
        ("m", {"prompt": "", "max_tokens": 1}, "mistral_text"),
        ("arn:aws:bedrock:us-east-1:1:imported-model/abc", {"prompt": "", "max_gen_len": 1}, "llama"),
    ],
)
def test_the_family(model: str, body: dict[str, Any], family: str) -> None:
    assert of_request(model, body).name == family


# -- prompts -----------------------------------------------------------------------------------------------------------


def llama(role: str, text: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>"


def llama4(role: str, text: str) -> str:
    return f"<|header_start|>{role}<|header_end|>\n\n{text}<|eot|>"


LLAMA_OPEN = "<|start_header_id|>assistant<|end_header_id|>\n\n"


@pytest.mark.parametrize(
    ("model", "prompt", "expected"),
    [
        (CLAUDE_2, "\n\nHuman: hello\n\nAssistant:", [USER]),
        (CLAUDE_2, "Be kind.\n\nHuman: hello\n\nAssistant: ", [SYSTEM, USER]),
        (
            CLAUDE_2,
            "\n\nHuman: hello\n\nAssistant: Hi!\n\nHuman: and\nyou?\n\nAssistant:",
            [USER, ASSISTANT, ("user", "and\nyou?")],
        ),
        (CLAUDE_2, "hello", [USER]),
        (CLAUDE_2, "", [("user", "")]),
        (LLAMA, "<|begin_of_text|>" + llama("user", "hello") + LLAMA_OPEN, [USER]),
        (
            LLAMA,
            llama("system", "Be kind.") + llama("user", "hello") + llama("assistant", "Hi!") + llama("user", "hello"),
            [SYSTEM, USER, ASSISTANT, USER],
        ),
        ("meta.llama4-scout-17b-instruct-v1:0", llama4("system", "Be kind.") + llama4("user", "hello"), [SYSTEM, USER]),
        ("meta.llama3-1-8b-instruct-v1:0", llama("ipython", "3"), [("tool", "3")]),
        (LLAMA, "<|start_header_id|>user<|end_header_id|>hello", [USER]),
        (LLAMA, "hello", [USER]),
        (MISTRAL, "<s>[INST] hello [/INST]", [USER]),
        (
            MISTRAL,
            "<s>[INST] hello [/INST] Hi!</s>[INST] hello [/INST]",
            [USER, ASSISTANT, USER],
        ),
        (MISTRAL, "[INST] hello", [USER]),
        (MISTRAL, "hello", [USER]),
        (DEEPSEEK, "<｜begin▁of▁sentence｜><｜User｜>hello<｜Assistant｜><think>\n", [USER]),
        (
            DEEPSEEK,
            "<｜begin▁of▁sentence｜>Be kind.<｜User｜>hello<｜Assistant｜>Hi!<｜end▁of▁sentence｜>"
            "<｜User｜>hello<｜Assistant｜>",
            [SYSTEM, USER, ASSISTANT, USER],
        ),
        (DEEPSEEK, "hello", [USER]),
        ("cohere.command-text-v14", "hello", [USER]),
    ],
)
def test_a_prompt_is_read_back_as_its_messages(model: str, prompt: str, expected: list[tuple[str, str]]) -> None:
    body = {"max_tokens_to_sample": 1} if "claude" in model else {}
    assert messages(model, prompt=prompt, **body) == expected


@pytest.mark.parametrize(
    "mark", ["<|start_header_id|>", "<|start_header_id|>a ", "[INST]", "[/INST]", "\n", "Human:\n"]
)
def test_prompts_are_read_in_linear_time(mark: str) -> None:
    """A megabyte of what nearly is a mark; were it quadratic, the test would not end."""
    for model in (CLAUDE_2, LLAMA, MISTRAL):
        assert messages(model, prompt=mark * (1_000_000 // len(mark)), max_tokens_to_sample=1)


SAMPLING = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop": ["END"]}


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        (
            CLAUDE_2,
            {
                "prompt": "hello",
                "max_tokens_to_sample": 9,
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 4,
                "stop_sequences": ["END"],
            },
            SAMPLING,
        ),
        (
            TITAN,
            {
                "inputText": "hello",
                "textGenerationConfig": {
                    "maxTokenCount": 9,
                    "temperature": 0.5,
                    "topP": 0.9,
                    "stopSequences": ["END"],
                },
            },
            {**SAMPLING, "top_k": None},
        ),
        (
            NOVA,
            {
                "messages": UNTYPED,
                "inferenceConfig": {
                    "max_new_tokens": 9,
                    "temperature": 0.5,
                    "top_p": 0.9,
                    "top_k": 4,
                    "stopSequences": ["END"],
                },
            },
            SAMPLING,
        ),
        (
            NOVA,
            {"messages": UNTYPED, "inferenceConfig": {"maxTokens": 9, "topP": 0.9, "topK": 4}},
            {"max_tokens": 9, "top_p": 0.9, "top_k": 4},
        ),
        (
            LLAMA,
            {"prompt": "hello", "max_gen_len": 9, "temperature": 0.5, "top_p": 0.9},
            {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9},
        ),
        (
            COMMAND_R,
            {"message": "hello", "max_tokens": 9, "temperature": 0.5, "p": 0.9, "k": 4, "stop_sequences": ["END"]},
            SAMPLING,
        ),
        (
            "cohere.command-text-v14",
            {"prompt": "hello", "max_tokens": 9, "temperature": 0.5, "p": 0.9, "k": 4, "stop_sequences": ["END"]},
            SAMPLING,
        ),
        (
            MISTRAL,
            {"prompt": "hello", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop": ["END"]},
            SAMPLING,
        ),
        (MISTRAL_LARGE, {"messages": TURNS, "tool_choice": "any"}, {"tool_choice": "required"}),
        (MISTRAL_LARGE, {"messages": TURNS, "tool_choice": "auto"}, {"tool_choice": "auto"}),
    ],
)
def test_options(model: str, body: dict[str, Any], expected: dict[str, Any]) -> None:
    told = ask(model, **body).body
    assert {name: told.get(name) for name in expected} == expected


# -- conversations -----------------------------------------------------------------------------------------------------


def test_command_r() -> None:
    """As Cohere's own chat is read, first version, but with the model of the path."""
    request = ask(
        COMMAND_R,
        message="weather?",
        preamble="Be kind.",
        chat_history=[{"role": "USER", "message": "hello"}, {"role": "CHATBOT", "message": "Hi!"}],
        tools=[{"name": "f", "description": "d", "parameter_definitions": {"x": {"type": "int", "required": True}}}],
        tool_results=[{"call": {"name": "f", "parameters": {"x": 1}}, "outputs": [{"text": "sun"}]}],
        stream=True,
    )
    turns = [(message["role"], message["content"]) for message in request.body["messages"]]
    assert turns[:4] == [SYSTEM, USER, ASSISTANT, ("user", "weather?")]
    assert [role for role, _ in turns[4:]] == ["assistant", "tool"]
    assert request.body["tools"][0]["function"]["parameters"]["required"] == ["x"]
    assert (request.model, request.body["model"], request.stream) == (COMMAND_R, COMMAND_R, False)


def test_results_of_tools_need_no_message() -> None:
    results = [{"call": {"name": "f", "parameters": {}}, "outputs": []}]
    assert [role for role, _ in messages(COMMAND_R, message="", tool_results=results)] == ["assistant", "tool"]


def test_nova() -> None:
    request = ask(
        NOVA,
        system=[{"text": "Be kind."}],
        messages=[
            *UNTYPED,
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "i", "name": "f", "input": {"x": 1}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "i", "content": [{"json": {"y": 2}}]}}]},
        ],
        toolConfig={"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
    )
    assert [message["role"] for message in request.body["messages"]] == ["system", "user", "assistant", "tool"]
    assert request.body["messages"][3] == {"role": "tool", "tool_call_id": "i", "content": '{"y":2}'}
    assert request.body["tools"][0]["function"]["name"] == "f"


def test_claude_has_the_model_and_the_stream_of_the_path() -> None:
    head = Head("/model/m/invoke-with-response-stream/")
    body = orjson.dumps({"anthropic_version": "x", "messages": TURNS, "model": "other", "stream": False})
    request = bedrock_invoke.decode(head, {"model": "us.anthropic.claude-x-v1%3A0"}, body)
    assert (request.model, request.stream) == ("us.anthropic.claude-x-v1:0", True)
    assert (request.body["model"], request.body["stream"]) == ("us.anthropic.claude-x-v1:0", True)
    assert "claude-x" in request.aliases


def test_headers_that_come_back() -> None:
    told = {"x-amzn-bedrock-service-tier": "flex", "x-amzn-bedrock-trace": "ENABLED"}
    body = orjson.dumps({"inputText": "hello"})
    whole = bedrock_invoke.decode(Head(headers=told), {"model": TITAN}, body)
    assert bedrock_invoke.shape(whole).echoed == (("X-Amzn-Bedrock-Service-Tier", "flex"),)
    assert whole.stream_headers is None
    head = Head("/model/m/invoke-with-response-stream", headers=told)
    streamed = bedrock_invoke.decode(head, {"model": TITAN}, body)
    assert streamed.stream_headers == (*bedrock_invoke.stream_headers, ("X-Amzn-Bedrock-Service-Tier", "flex"))


# -- embeddings --------------------------------------------------------------------------------------------------------


def nova(**more: Any) -> dict[str, Any]:
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {"embeddingPurpose": "GENERIC_INDEX", **more}}


@pytest.mark.parametrize(
    ("model", "body", "texts", "dimensions"),
    [
        (TITAN_VECTORS, {"inputText": "a", "dimensions": 256}, ["a"], 256),
        (TITAN_VECTORS, {"inputText": "a"}, ["a"], None),
        (
            "amazon.titan-embed-image-v1",
            {"inputText": "a", "inputImage": "aWs=", "embeddingConfig": {"outputEmbeddingLength": 384}},
            ["aaWs="],
            384,
        ),
        ("cohere.embed-english-v3", {"texts": ["a", "b"], "input_type": "x"}, ["a", "b"], None),
        (COHERE_VECTORS, {"images": ["data:x"], "output_dimension": 512}, ["data:x"], 512),
        (
            COHERE_VECTORS,
            {"inputs": [{"content": [{"type": "text", "text": "a"}, {"image_url": {"url": "data:x"}}]}, {}]},
            ["adata:x", ""],
            None,
        ),
        (NOVA_VECTORS, nova(text={"value": "a"}, embeddingDimension=384), ["a"], 384),
        (NOVA_VECTORS, nova(image={"format": "png"}), ['{"format":"png"}'], None),
    ],
)
def test_embeddings(model: str, body: dict[str, Any], texts: list[str], dimensions: int | None) -> None:
    request = ask(model, **body)
    assert (request.endpoint, request.model) == ("embedding", model)
    assert (request.body["input"], request.body.get("dimensions")) == (texts, dimensions)


# -- what is refused ---------------------------------------------------------------------------------------------------

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("model", "body", "fault"),
    [
        (
            CLAUDE_2,
            {"prompt": None, "max_tokens_to_sample": 1},
            "#/prompt: expected type: String, found: Null",
        ),
        (
            TITAN,
            {"inputText": "a", "textGenerationConfig": 1},
            "#/textGenerationConfig: expected",
        ),
        (LLAMA, {}, "#: required key [prompt] not found"),
        (COMMAND_R, {}, "#: required key [message] not found"),
        ("qwen.qwen3-32b-v1:0", {"messages": [[]]}, "#/messages/0: expected type: JSONObject, found: JSONArray"),
        (NOVA, {}, "#: required key [messages] not found"),
        (TITAN_VECTORS, {}, "#: required key [inputText] not found"),
        (TITAN_VECTORS, {"inputText": "a", "normalize": 1}, "#/normalize: expected type: Boolean"),
        (TITAN_VECTORS, {"inputText": "a", "embeddingTypes": ["x"]}, '"x" is not a valid enum value'),
        (
            TITAN_VECTORS,
            {"inputText": "a", "dimensions": True},
            "#/dimensions: expected type: Integer",
        ),
        (COHERE_VECTORS, {}, "#: required key [texts] not found"),
        (COHERE_VECTORS, {"texts": ["a"] * 97}, "#/texts: expected maximum item count: 96, found: 97"),
        (COHERE_VECTORS, {"texts": [5]}, "#/texts/0: expected type: String, found: Integer"),
        (
            COHERE_VECTORS,
            {"texts": [], "embedding_types": [[]]},
            "#/embedding_types/0: [] is not a valid enum value",
        ),
        (NOVA_VECTORS, {"taskType": "SEGMENTED_EMBEDDING"}, "#/taskType: "),
        (NOVA_VECTORS, nova(), "#/singleEmbeddingParams: required key [text] not found"),
        (
            NOVA_VECTORS,
            nova(text={}),
            "#/singleEmbeddingParams/text: required key [value]",
        ),
    ],
)
def test_malformed(model: str, body: dict[str, Any], fault: str) -> None:
    with pytest.raises(WireError) as raised:
        ask(model, **body)
    message = raised.value.reply.message
    assert (raised.value.reply.status, message.startswith("Malformed input request: #")) == (400, True)
    assert fault in message
    assert message.endswith(", please reformat your input and try again.")


@pytest.mark.parametrize("body", [{}, {"hello": "you"}, {"query": "a"}])
def test_no_family(body: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="matches no model") as raised:
        ask("m", **body)
    assert raised.value.reply.status == 400


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (COMMAND_R, {"message": "a", "tool_results": [{"outputs": DEEP}]}),
        (COMMAND_R, {"message": "a", "chat_history": [{"role": "USER", "message": "a", "x": DEEP}]}),
        (NOVA, {"messages": UNTYPED, "toolConfig": {"tools": [{"toolSpec": {"name": DEEP}}]}}),
        (CLAUDE, {"messages": TURNS, "tools": DEEP}),
        (NOVA_VECTORS, nova(image=DEEP)),
    ],
)
def test_what_is_too_deep_to_be_told_is_a_400(model: str, body: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="too deeply") as raised:
        bedrock_invoke.shape(ask(model, **body))
    assert raised.value.reply.status == 400


ODD: list[Any] = [None, True, 5, 10**30, "text", [], [None], {}, {"text": 1}, DEEP]


@pytest.mark.parametrize("value", ODD, ids=lambda value: str(value)[:20])
def test_odd_values_crash_nothing(value: Any) -> None:
    """A body is answered or is a 400, whatever stands in it."""
    names = ["messages", "message", "prompt", "inputText", "texts", "inputs", "system", "chat_history", "tools"]
    names += ["toolConfig", "inferenceConfig", "textGenerationConfig", "tool_results", "embedding_types", "stop"]
    names += [
        "taskType",
        "singleEmbeddingParams",
        "anthropic_version",
        "embeddingConfig",
        "schemaVersion",
        "dimensions",
    ]
    models = ["m", CLAUDE_2, TITAN, TITAN_VECTORS, "amazon.nova-x"]
    models += ["meta.l", MISTRAL_LARGE, "cohere.command-r", "cohere.embed-v4", "openai.gpt-oss-1"]
    models += [NOVA_VECTORS]
    base = {
        "messages": TURNS,
        "message": "a",
        "prompt": "a",
        "inputText": "a",
        "texts": ["a"],
        **nova(text={"value": "a"}),
    }
    decoded = 0
    for model in models:
        for name in names:
            try:
                bedrock_invoke.shape(ask(model, **{**base, name: value}))
                decoded += 1
            except WireError as refusal:
                assert refusal.reply.status == 400  # noqa: PT017  most are no refusals
    assert decoded > 50
