"""Moderation: what follows from what a fixture says, and who is meant (wire-services §3)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types import Moderation

from aimock_protocols.canonical import Head, Results, Stamp, WireError
from aimock_protocols.moderation import mistral, openai
from aimock_protocols.moderation.shared import among
from aimock_protocols.moderation.verdicts import MAX_INPUTS

IMAGE = {"type": "image_url", "image_url": {"url": "https://a.org/b.png"}}


def asked(head: Head, given: Any, **more: Any) -> Any:
    return openai.decode(head, {}, orjson.dumps({"input": given, **more}))


def results(head: Head, stamp: Stamp, given: Any, *said: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    shape = openai.shape(asked(head, given, **more))
    told: list[dict[str, Any]] = orjson.loads(openai.encode(Results(said or ({},)), shape, stamp))["results"]
    for each in told:
        if "category_applied_input_types" in each:
            Moderation.model_validate(each)
    return told


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("hello", ["hello"]),
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        ([{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b"}], ["a https://a.org/b.png b"]),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,kill"}}], [""]),
    ],
)
def test_inputs(head: Head, given: Any, texts: list[str]) -> None:
    request = asked(head, given)
    assert request.body["input"] == texts
    assert [part.body["input"] for part in openai.separated(request)] == [[text] for text in texts]


@pytest.mark.parametrize(
    ("said", "flagged", "applies", "score"),
    [
        ({}, False, False, 0.0),
        ({"flagged": True}, True, False, 0.0),
        ({"categories": {"violence": True}}, True, True, 0.9),
        ({"categories": {"violence": True}, "category_scores": {"violence": 0.4}}, True, True, 0.4),
        ({"categories": {"violence": True}, "flagged": False}, False, True, 0.9),
        ({"categories": {"violence": False}}, False, False, 0.0),
        ({"category_scores": {"violence": 0.8}}, False, False, 0.8),
    ],
)
def test_what_follows_from_what_is_said(
    head: Head, stamp: Stamp, said: dict[str, Any], flagged: bool, applies: bool, score: float
) -> None:
    for given in ({}, {"results": [said]}):
        (result,) = results(head, stamp, "x", given or said)
        assert result["flagged"] is flagged
        assert result["categories"]["violence"] is applies
        assert result["category_scores"]["violence"] == score
        assert tuple(result["categories"]) == tuple(result["category_scores"]) == openai.CATEGORIES
        assert not any(applies for name, applies in result["categories"].items() if name != "violence")


def test_a_result_for_each_input(head: Head, stamp: Stamp) -> None:
    def flags(*said: dict[str, Any]) -> list[bool]:
        return [each["flagged"] for each in results(head, stamp, ["a", "b", "c"], *said)]

    one = {"flagged": True}
    assert flags() == [False] * 3
    assert flags(one) == [True] * 3
    assert flags({"results": [{}, one]}) == [False, True, False]
    assert flags({"results": [one] * 5}) == [True] * 3
    assert flags({}, {"results": [one]}, one) == [False, True, True]


def test_kinds_of_input(head: Head, stamp: Stamp) -> None:
    def applied(given: Any) -> tuple[list[str], list[str]]:
        (result,) = results(head, stamp, given)
        told = result["category_applied_input_types"]
        return told["violence/graphic"], told["sexual/minors"]

    text = {"type": "text", "text": "a"}
    assert applied("a") == applied([text, text]) == (["text"], ["text"])
    assert applied([IMAGE]) == (["image"], [])
    assert applied([IMAGE, text]) == (["text", "image"], ["text"])
    own: dict[str, Any] = {"category_applied_input_types": {"sexual/minors": []}}
    assert results(head, stamp, "a", own)[0]["category_applied_input_types"]["sexual/minors"] == []


@pytest.mark.parametrize(
    ("model", "told", "categories"),
    [
        (None, "omni-moderation-2024-09-26", 13),
        ("omni-moderation-latest", "omni-moderation-2024-09-26", 13),
        ("omni-moderation-2024-09-26", "omni-moderation-2024-09-26", 13),
        ("text-moderation-latest", "text-moderation-007", 11),
        ("text-moderation-stable", "text-moderation-007", 11),
        ("text-moderation-006", "text-moderation-006", 11),
        ("mine", "mine", 13),
    ],
)
def test_models(head: Head, stamp: Stamp, model: str | None, told: str, categories: int) -> None:
    shape = openai.shape(asked(head, "a", model=model))
    body = orjson.loads(openai.encode(Results(), shape, stamp))
    assert (body["model"], len(body["results"][0]["categories"])) == (told, categories)
    assert ("category_applied_input_types" in body["results"][0]) is (categories == 13)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": None}, "input", "invalid_type"),
        ({"input": []}, "input", "empty_array"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input", "array_above_max_length"),
        ({"input": ["a", {"type": "text", "text": "b"}]}, "input[0]", "invalid_type"),
        ({"input": [{"type": "text"}]}, "input[0].text", "missing_required_parameter"),
        ({"input": [{"type": "image_url"}]}, "input[0].image_url.url", "missing_required_parameter"),
        ({"input": [IMAGE, {"type": "audio"}]}, "input[1].type", "invalid_value"),
    ],
)
def test_what_is_refused(head: Head, body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(WireError) as refused:
        openai.decode(head, {}, orjson.dumps(body))
    reply = refused.value.reply
    assert (reply.status, reply.type, reply.param, reply.code) == (400, "invalid_request_error", param, code)


def test_mistral_s_inputs(head: Head) -> None:
    def texts(protocol: Any, given: Any) -> list[str]:
        request = protocol.decode(head, {}, orjson.dumps({"model": "m", "input": given}))
        told: list[str] = request.body["input"]
        return told

    message = {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "image_url"}, "c"]}
    assert texts(mistral.texts, "a") == texts(mistral.texts, ["a"]) == ["a"]
    assert texts(mistral.conversations, [{"role": "user", "content": "a"}, message]) == ["b"]
    assert texts(mistral.conversations, [[message], [{"role": "tool", "content": None}]]) == ["b", ""]
    with pytest.raises(WireError, match="2048 at most"):
        texts(mistral.texts, ["a"] * (MAX_INPUTS + 1))


@pytest.mark.parametrize(
    ("path", "agent", "body", "is_mistral"),
    [
        ("/v1/moderations", "OpenAI/Python 3", b'{"model": "omni-moderation-latest"}', False),
        ("/v1/moderations", "mistral-client-python/3", b"{", True),
        ("/v1/moderations", "", b'{"model": "mistral-moderation-2411"}', True),
        ("/mistral/v1/moderations", "", b"{}", True),
        ("/v1/moderations", "", b'{"model": 5}', False),
        ("/v1/moderations", "", b"", False),
    ],
)
def test_who_is_meant(head: Head, path: str, agent: str, body: bytes, is_mistral: bool) -> None:
    told = among(type(head)(path=path, headers={"user-agent": agent} if agent else {}), body)  # type: ignore[call-arg]
    assert told is (mistral.texts if is_mistral else openai)


def test_errors_are_read_again(stamp: Stamp) -> None:
    from aimock_protocols.canonical import ErrorReply

    protocols: tuple[Any, ...] = (openai, mistral.texts)
    for protocol in protocols:
        with pytest.raises(WireError, match=r"No\."):
            protocol.parse(protocol.error(ErrorReply("No.", status=429), stamp).body)
        with pytest.raises(ValueError, match="no list of results"):
            protocol.parse(b"{}")
