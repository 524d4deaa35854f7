"""Requests of both operations to the canonical form, and what their answers tell in headers (wire-bedrock §1, §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols import bedrock_platform
from aimock_protocols.bedrock_invoke import families, vectors
from aimock_protocols.bedrock_invoke.counts import counted, milliseconds
from aimock_protocols.bedrock_invoke.family import Shape
from aimock_protocols.canonical import ChatRequest, Head, Headers, Reply, Results, Vectors
from aimock_protocols.members import member

STREAM_HEADERS: Headers = (*bedrock_platform.STREAM_HEADERS, ("X-Amzn-Bedrock-Content-Type", "application/json"))

_STREAMING = "/invoke-with-response-stream"
ECHOED = {
    "x-amzn-bedrock-performanceconfig-latency": "X-Amzn-Bedrock-PerformanceConfig-Latency",
    "x-amzn-bedrock-service-tier": "X-Amzn-Bedrock-Service-Tier",
}
"""Headers of a request that come back, and how they are spelled then."""


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request as its model's family has it; whether it is for a stream, the path tells. Raises WireError."""
    sent = bedrock_platform.read_object(body)
    model = bedrock_platform.model_id(params["model"])
    stream = head.path.rstrip("/").endswith(_STREAMING)
    family = families.of_request(model, sent)
    if stream and member(family, "documents") is None:
        raise bedrock_platform.refusal("The model is unsupported for streaming.")
    request = family.decode(sent, model, stream)
    request.aliases = bedrock_platform.aliases(params["model"])
    echoed = _echoed(head.headers)
    if echoed:
        request.native = {**request.native, **{name.lower(): value for name, value in echoed}}
        request.stream_headers = STREAM_HEADERS + echoed if stream else None
    return request


def _echoed(headers: Mapping[str, Any]) -> Headers:
    return tuple((spelled, headers[name]) for name, spelled in ECHOED.items() if type(headers.get(name)) is str)


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it."""
    family = families.of_request(request.model, request.native)
    return family.shape(request)._replace(echoed=_echoed(request.native))


def reply_headers(reply: Reply | Vectors | Results, shape: Shape) -> Headers:
    """The tokens of a whole answer, the milliseconds that it took, and what the request is told again."""
    told: dict[str, int | None]
    if isinstance(reply, Vectors):
        told = {"Input-Token-Count": vectors.tokens(reply, shape.prompt_tokens), "Invocation-Latency": vectors.LATENCY}
    elif isinstance(reply, Results):
        told = {"Input-Token-Count": shape.prompt_tokens, "Invocation-Latency": vectors.LATENCY}
    else:
        counts = counted(reply, shape.prompt_tokens)
        told = {
            "Input-Token-Count": counts.prompt,
            "Output-Token-Count": counts.completion,
            "Cache-Read-Input-Token-Count": counts.cache_read,
            "Cache-Write-Input-Token-Count": counts.cache_write,
            "Invocation-Latency": milliseconds(reply, counts),
        }
    figures = ((f"X-Amzn-Bedrock-{name}", str(figure)) for name, figure in told.items() if figure is not None)
    return (*figures, *shape.echoed)
