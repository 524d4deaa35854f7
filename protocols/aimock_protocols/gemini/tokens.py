"""What a request would cost, and what its tokens are (wire-gemini §5, §7.1). Tokens are four characters long here."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

from aimock_protocols.canonical import ChatRequest, SideRequest, WireResponse
from aimock_protocols.gemini.decode import chat_request, model_of
from aimock_protocols.gemini.fields import field, many, one
from aimock_protocols.gemini.platform import WHOLE_HEADERS, read_object, refusal
from aimock_protocols.gemini.shape import prompt_tokens
from aimock_protocols.slicing import slices
from aimock_protocols.usage import prompt_length

_TOKEN_LENGTH = 4
_VOCABULARY = 256_000


def count_tokens(request: SideRequest) -> WireResponse:
    """The estimate that an answer to the same request would tell as its prompt. Raises WireError."""
    return _response(_counted(_asked(request)))


def count_billable(request: SideRequest) -> WireResponse:
    """The same as Vertex AI tells it, with the characters that are charged for. Raises WireError."""
    asked = _asked(request)
    return _response(_counted(asked) | {"totalBillableCharacters": prompt_length(asked.body["messages"])})


def _asked(request: SideRequest) -> ChatRequest:
    sent = read_object(request.body)
    inner = one(sent, "generateContentRequest", "generate_content_request")
    return chat_request(inner or sent, *model_of(request.params))


def _counted(asked: ChatRequest) -> dict[str, Any]:
    count = prompt_tokens(asked.body)
    return {"totalTokens": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}]}


def compute_tokens(request: SideRequest) -> WireResponse:
    """The tokens of each content, or of each prompt. Raises WireError."""
    texts = list(_texts(read_object(request.body)))
    if not texts:
        raise refusal("* ComputeTokensRequest.contents: contents is not specified")
    return _response({"tokensInfo": [_tokens(role, text) for role, text in texts]})


def _texts(sent: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who says what."""
    for place, instance in enumerate(many(sent, "instances", "instances")):
        prompt = instance.get("prompt", instance.get("content"))
        if type(prompt) is not str:
            raise refusal(f"Invalid value at 'instances[{place}]': prompt must be a string")
        yield "user", prompt
    for place, content in enumerate(many(sent, "contents", "contents")):
        parts = many(content, "parts", f"contents[{place}].parts")
        role = field(content, "role")
        yield (
            role if type(role) is str else "user",
            "".join(text for part in parts if type(text := part.get("text")) is str),
        )


def _tokens(role: str, text: str) -> dict[str, Any]:
    """The tokens of a text, each as its bytes and as a number that follows from them."""
    tokens = [piece.encode() for piece in slices(text, _TOKEN_LENGTH)]
    return {
        "tokenIds": [str(zlib.crc32(token) % _VOCABULARY) for token in tokens],
        "tokens": [base64.b64encode(token).decode() for token in tokens],
        "role": role,
    }


def _response(body: dict[str, Any]) -> WireResponse:
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))
