"""An API for reranking: the object is the protocol (see `canonical.WireProtocol`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, Head, Results, Stamp, WireError
from aimock_protocols.collapsing import dicts, json_object
from aimock_protocols.endpoint import Endpoint, ReadingPlatform
from aimock_protocols.rerank.asking import Shape
from aimock_protocols.rerank.ranking import Hit, Ranking, left_out, ranking

_KEPT = ("id", "model", "usage", "meta")
"""What an answer says beside its results, and a fixture may."""


@attrs.frozen(eq=False, kw_only=True)
class Reranker(Endpoint):
    """One API. What it has of its own are values and functions."""

    platform: ReadingPlatform
    read: Callable[[bytes], ChatRequest]
    """A request's body. Raises WireError."""
    shape: Callable[[ChatRequest], Shape]
    write: Callable[[Ranking, Mapping[str, Any], Shape, Stamp], dict[str, Any]]
    """An answer's body, from the ranking and what the fixture says."""
    place: str = "results"
    """Where results stand in an answer."""
    score: str = "relevance_score"
    """What their scores are called."""

    def decode(self, head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
        return self.read(body)

    def encode(self, reply: Results, shape: Shape, stamp: Stamp) -> bytes:
        (said,) = reply.said
        return orjson.dumps(self.write(ranking(said, shape), said, shape, stamp))

    def left_out(self, reply: Results, shape: Shape) -> list[str]:
        return left_out(reply.said[0], shape)

    def parse(self, body: bytes) -> Results:
        """Results by the indices of their documents. Raises ValueError on a body without, and WireError if it is an
        error."""
        value = json_object(body)
        error = self.platform.read_error(value)
        if error is not None:
            raise WireError(error)
        kept = {key: value[key] for key in _KEPT if key in value}
        return Results((results_in(value, self.place, self.score) | kept,))


def told(hit: Hit, shape: Shape) -> dict[str, Any]:
    """A result as most have it."""
    result: dict[str, Any] = {"index": hit.index, "relevance_score": hit.score}
    if shape.echoes:
        result["document"] = orjson.Fragment(shape.echoes[hit.index])
    return result


def results_in(value: Mapping[str, Any], place: str = "results", score: str = "relevance_score") -> dict[str, Any]:
    """The results of an answer as fixtures have them; documents, which follow from the request, are left out. Raises
    ValueError if there are none."""
    if not isinstance(value.get(place), list):
        raise ValueError(f"no list of {place} in the body")
    told = ({**result, "relevance_score": result.get(score)} for result in dicts(value[place]))
    return {"results": [{k: v for k, v in each.items() if k not in ("document", "relevanceScore")} for each in told]}
