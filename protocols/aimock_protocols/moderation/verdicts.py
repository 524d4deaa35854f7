"""From what a fixture says of an input to all that an answer tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from aimock_protocols.canonical import ChatRequest, Results, WireError
from aimock_protocols.collapsing import json_object, listed, mapping
from aimock_protocols.openai_platform import read_error

MAX_INPUTS = 2048
_SCORE = 0.9
"""Of a category that is said to apply, and of which no score is said."""


def request(sent: dict[str, Any], model: str, texts: list[str]) -> ChatRequest:
    """The canonical request: what is to be judged as a list of texts, a result for each."""
    return ChatRequest({**sent, "model": model, "input": texts}, sent, model, endpoint="moderation")


def separated(request: ChatRequest) -> list[ChatRequest]:
    """The request as it is for each of its inputs."""
    return [attrs.evolve(request, body={**request.body, "input": [text]}) for text in request.body["input"]]


def verdicts(reply: Results, inputs: int) -> list[dict[str, Any]]:
    """What is said of each input: each by itself, or of all at once."""
    if len(reply.said) == 1:
        return _of_all(reply.said[0], inputs)
    return [_of_all(said, 1)[0] for said in reply.said]


def _of_all(said: Mapping[str, Any], inputs: int) -> list[dict[str, Any]]:
    """One of the `results` for each, nothing where there are too few; or the same of all."""
    if "results" not in said:
        return [dict(said)] * inputs
    told = [mapping(each) for each in listed(said["results"])[:inputs]]
    return told + [{}] * (inputs - len(told))


def judged(verdict: Mapping[str, Any], categories: Iterable[str]) -> dict[str, Any]:
    """Whether each category applies, and its score; those that are not known here come last."""
    applies, scores = mapping(verdict.get("categories")), mapping(verdict.get("category_scores"))
    names = dict.fromkeys((*categories, *applies, *scores))
    return {
        "categories": {name: applies.get(name, False) for name in names},
        "category_scores": {name: scores.get(name, _SCORE if applies.get(name) else 0.0) for name in names},
    }


def parse(body: bytes) -> Results:
    """What an answer tells, as it stands. Raises ValueError if it has no results, and WireError if it is an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    if not isinstance(value.get("results"), list):
        raise ValueError("no list of results in the body")
    return Results(({key: value[key] for key in ("id", "model", "results") if key in value},))
