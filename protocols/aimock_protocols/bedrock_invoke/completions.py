"""The families that go on with a prompt: Claude's first models, Titan, Llama, Mistral's and Cohere's first models, and
DeepSeek R1 (wire-bedrock §5.2, §5.3, §5.5 to §5.7)."""

from __future__ import annotations

from typing import Any

from aimock_protocols.bedrock_invoke import prompts
from aimock_protocols.bedrock_invoke.completion import Completion, Said, having
from aimock_protocols.bedrock_invoke.family import provided_by
from aimock_protocols.collapsing import integer, mapping, string

_HUMAN = "\n\nHuman:"
"""What Claude stops at by itself."""
_SAMPLING = {"temperature": "temperature", "top_p": "top_p"}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _first(values: Any) -> dict[str, Any]:
    return mapping(values[0]) if isinstance(values, list) and values else {}


# -- Claude ------------------------------------------------------------------------------------------------------------


def _claude(said: Said) -> dict[str, Any]:
    stop = _HUMAN if said.reason == "stop_sequence" else None
    return {"type": "completion", "completion": said.text, "stop_reason": said.reason, "stop": stop}


CLAUDE_TEXT = Completion(
    name="claude_text",
    models=provided_by(r"anthropic\."),
    asks=having("max_tokens_to_sample"),
    answers=having("completion"),
    messages=prompts.claude,
    options={**_SAMPLING, "max_tokens": "max_tokens_to_sample", "top_k": "top_k", "stop": "stop_sequences"},
    reasons={"stop": "stop_sequence", "length": "max_tokens"},
    whole=_claude,
    piece=_claude,
    read=lambda document: Said(_text(document.get("completion")), string(document.get("stop_reason"))),
)

# -- Titan -------------------------------------------------------------------------------------------------------------


def _titan_whole(said: Said) -> dict[str, Any]:
    result = {"tokenCount": said.completion, "outputText": said.text, "completionReason": said.reason}
    return {"inputTextTokenCount": said.prompt, "results": [result]}


def _titan_piece(said: Said) -> dict[str, Any]:
    return {
        "outputText": said.text,
        "index": 0,
        "totalOutputTextTokenCount": None if said.reason is None else said.completion,
        "completionReason": said.reason,
        "inputTextTokenCount": said.prompt if said.place == 0 or said.reason is not None else None,
    }


def _titan(document: dict[str, Any]) -> Said:
    result = _first(document.get("results")) or document
    return Said(
        _text(result.get("outputText")),
        string(result.get("completionReason")),
        integer(document.get("inputTextTokenCount")),
        integer(result.get("totalOutputTextTokenCount", result.get("tokenCount"))),
    )


TITAN_TEXT = Completion(
    name="titan_text",
    models=provided_by(r"amazon\.titan-(?:text|tg1)"),
    asks=having("inputText"),
    answers=having("results", "outputText"),
    messages=prompts.plain,
    options={"max_tokens": "maxTokenCount", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"},
    reasons={"stop": "FINISH", "length": "LENGTH", "content_filter": "CONTENT_FILTERED"},
    whole=_titan_whole,
    piece=_titan_piece,
    read=_titan,
    prompt="inputText",
    settings="textGenerationConfig",
)

# -- Llama -------------------------------------------------------------------------------------------------------------


def _llama(said: Said) -> dict[str, Any]:
    """Tokens are counted as they come: every piece is one, until the end tells how many there were."""
    return {
        "generation": said.text,
        "prompt_token_count": said.prompt if said.place == 0 else None,
        "generation_token_count": said.place + 1 if said.reason is None else said.completion,
        "stop_reason": said.reason,
    }


LLAMA = Completion(
    name="llama",
    models=provided_by(r"meta\."),
    asks=having("max_gen_len"),
    answers=having("generation"),
    messages=prompts.llama,
    options={**_SAMPLING, "max_tokens": "max_gen_len"},
    reasons={},
    whole=_llama,
    piece=_llama,
    read=lambda document: Said(
        _text(document.get("generation")),
        string(document.get("stop_reason")),
        integer(document.get("prompt_token_count")),
        integer(document.get("generation_token_count")),
    ),
)

# -- Mistral -----------------------------------------------------------------------------------------------------------


def _mistral(said: Said) -> dict[str, Any]:
    return {"outputs": [{"text": said.text, "stop_reason": said.reason}]}


def _read_mistral(document: dict[str, Any]) -> Said:
    output = _first(document.get("outputs"))
    return Said(_text(output.get("text")), string(output.get("stop_reason")))


MISTRAL_TEXT = Completion(
    name="mistral_text",
    models=provided_by(r"mistral\."),
    asks=having("prompt"),
    answers=having("outputs"),
    messages=prompts.mistral,
    options={**_SAMPLING, "max_tokens": "max_tokens", "top_k": "top_k", "stop": "stop"},
    reasons={},
    whole=_mistral,
    piece=_mistral,
    read=_read_mistral,
)

# -- Cohere ------------------------------------------------------------------------------------------------------------


def _cohere_whole(said: Said) -> dict[str, Any]:
    generation = {"id": said.id, "text": said.text, "finish_reason": said.reason}
    return {"id": said.id, "generations": [generation], "prompt": ""}


def _cohere_piece(said: Said) -> dict[str, Any]:
    if said.reason is None:
        return {"index": 0, "is_finished": False, "text": said.text}
    return {"index": 0, "is_finished": True, "text": "", "finish_reason": said.reason, "id": said.id}


def _cohere(document: dict[str, Any]) -> Said:
    generation = _first(document.get("generations")) or document
    return Said(_text(generation.get("text")), string(generation.get("finish_reason")), id=string(document.get("id")))


COHERE_TEXT = Completion(
    name="cohere_text",
    models=provided_by(r"cohere\.command-(?!r)"),
    asks=having("return_likelihoods", "num_generations"),
    answers=having("generations", "is_finished"),
    messages=prompts.plain,
    options={
        "max_tokens": "max_tokens",
        "temperature": "temperature",
        "top_p": "p",
        "top_k": "k",
        "stop": "stop_sequences",
    },
    reasons={"stop": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR_TOXIC"},
    whole=_cohere_whole,
    piece=_cohere_piece,
    read=_cohere,
    mint=lambda stamp: stamp.uuid("answer"),
)

# -- DeepSeek ----------------------------------------------------------------------------------------------------------


def _deepseek(said: Said) -> dict[str, Any]:
    return {"choices": [{"text": said.text, "stop_reason": said.reason}]}


def _read_deepseek(document: dict[str, Any]) -> Said:
    choice = _first(document.get("choices"))
    return Said(_text(choice.get("text")), string(choice.get("stop_reason")))


DEEPSEEK_TEXT = Completion(
    name="deepseek_text",
    models=provided_by(r"deepseek\.r1"),
    asks=having("prompt"),
    answers=lambda document: "text" in _first(document.get("choices")),
    messages=prompts.deepseek,
    options={**_SAMPLING, "max_tokens": "max_tokens", "stop": "stop"},
    reasons={},
    whole=_deepseek,
    piece=_deepseek,
    read=_read_deepseek,
)
