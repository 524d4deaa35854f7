"""Azure OpenAI: OpenAI's chat with content filters, members in alphabetical order, and a gateway's errors
(wire-openai-chat §14).

A reply tells the model that was asked for, which is the deployment's name, unless its fixture names another: Azure
itself tells the model behind the deployment, which only the fixture can know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import attrs

from aimock_protocols import openai_chat
from aimock_protocols.canonical import ChatRequest, ErrorReply, Head
from aimock_protocols.openai_chat.speaker import Speaker
from aimock_protocols.openai_dialects.dialect import Fact, Mint
from aimock_protocols.openai_dialects.openai import CHUNK, ERROR, OPENAI

_SAFE = {"filtered": False, "severity": "safe"}
_UNDETECTED = {"detected": False, "filtered": False}
_SEVERITIES = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), _SAFE)
_OF_THE_PROMPT = [{"prompt_index": 0, "content_filter_results": _SEVERITIES | {"jailbreak": _UNDETECTED}}]
_OF_THE_ANSWER = _SEVERITIES | {"protected_material_code": _UNDETECTED, "protected_material_text": _UNDETECTED}

_GATEWAY: Any = {
    "error": {"code": Fact.ERROR_CODE_OR_STATUS, "message": Fact.ERROR_MESSAGE, "hint": Fact.ERROR_HINT},
}
_FILTERED: Any = {
    "error": {
        "message": Fact.ERROR_MESSAGE,
        "type": None,
        "param": "prompt",
        "code": Fact.ERROR_CODE,
        "status": Fact.ERROR_STATUS,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": _SEVERITIES | {"hate": {"filtered": True, "severity": "high"}},
        },
    }
}

AZURE = attrs.evolve(
    OPENAI,
    whole={
        "choices": Fact.CHOICES,
        "created": Fact.CREATED,
        "id": Fact.ID,
        "model": Fact.MODEL,
        "object": "chat.completion",
        "prompt_filter_results": _OF_THE_PROMPT,
        "system_fingerprint": Fact.FINGERPRINT,
        "usage": Fact.USAGE,
    },
    choice=OPENAI.choice | {"content_filter_results": _OF_THE_ANSWER},
    chunk={name: value for name, value in CHUNK.items() if name != "service_tier"},
    streamed_choice=OPENAI.streamed_choice | {"content_filter_results": _SEVERITIES},
    opening_choice={"content_filter_results": {}},
    finishing_choice={"content_filter_results": {}},
    preamble={
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": _OF_THE_PROMPT,
    },
    last_chunk={name: value for name, value in CHUNK.items() if name != "service_tier"} | {"usage": Fact.USAGE},
    sorts_members=True,
    error={"error": ERROR | {"innererror": Fact.ERROR_METADATA}},
    errors=dict.fromkeys((401, 403, 404, 408, 429, 500, 502, 503, 504), _GATEWAY) | {"content_filter": _FILTERED},
    model={
        "status": "succeeded",
        "id": Fact.MODEL_NAME,
        "object": "model",
        "created_at": OPENAI.model["created"],
        "updated_at": OPENAI.model["created"],
        "lifecycle_status": "generally-available",
        "capabilities": {
            "fine_tune": False,
            "inference": True,
            "completion": False,
            "chat_completion": True,
            "embeddings": False,
        },
        "deprecation": {},
    },
    headers=(("x-ms-region", "East US 2"),),
    minted_headers=(("apim-request-id", Mint("", "uuid")),),
)


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request as OpenAI has it. Below a deployment Azure knows no path without an `api-version`."""
    request = openai_chat.decode(head, params, body)
    if "deployment" in params and "api-version" not in parse_qs(head.query):
        request.objection = ErrorReply("Resource not found", code="404", status=404)
    return request


@attrs.frozen(eq=False)
class _Azure(Speaker):
    decode = staticmethod(decode)


chat = _Azure("azure_openai:chat", AZURE)
