"""Moderation through OpenAI's SDK and Mistral's, as they are (wire-services §3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mistralai.client import Mistral
from openai import BadRequestError, InternalServerError, OpenAI, RateLimitError
from openai.types import Moderation, ModerationCreateResponse

from aimock import AIMock

IMAGE = {"type": "image_url", "image_url": {"url": "https://a.org/knife.png"}}
STRICT = {"X-AIMock-Strict": "true"}


@pytest.fixture
def moderate(flavour: str, client: OpenAI, run_async: Callable[..., Any]) -> Callable[..., ModerationCreateResponse]:
    def ask(given: Any, **more: Any) -> ModerationCreateResponse:
        if flavour == "sync":
            return client.moderations.create(input=given, **more)
        answer: ModerationCreateResponse = run_async(
            flavour, lambda connected: connected.moderations.create(input=given, **more)
        )
        return answer

    return ask


def names(result: Moderation) -> set[int]:
    """How many categories each part of a result has; the SDK's type wants all that it names."""
    told = Moderation.model_validate(result.to_dict()).to_dict()
    return {len(each) for each in told.values() if isinstance(each, dict)}


def test_each_input_has_its_own_result(mock: AIMock, moderate: Callable[..., Any]) -> None:
    mock.on_moderate("KILL", {"categories": {"violence": True}})
    mock.on_moderate(re.compile(r"^you \w+$"), {"flagged": True, "category_scores": {"harassment": 0.6}})
    answer = moderate(["I will kill", "hello", "you fool"])
    violent, harmless, rude = answer.results
    assert all(names(result) == {13} for result in answer.results)
    assert (violent.flagged, violent.categories.violence, violent.category_scores.violence) == (True, True, 0.9)
    assert (harmless.flagged, harmless.category_scores.violence) == (False, 0)
    assert (rude.flagged, rude.categories.harassment, rude.category_scores.harassment) == (True, False, 0.6)
    assert violent.category_applied_input_types.sexual == ["text"]
    assert answer.model == "omni-moderation-2024-09-26"
    assert re.fullmatch(r"modr-[0-9a-f]{32}", answer.id)
    entry = mock.get_last_request()
    assert (entry["service"], entry["body"]["input"]) == ("moderation", ["I will kill", "hello", "you fool"])


def test_text_and_images_together_are_one_input(mock: AIMock, moderate: Callable[..., Any]) -> None:
    mock.on_moderate("knife.png", {"categories": {"violence": True}})
    (result,) = moderate([{"type": "text", "text": "look"}, IMAGE]).results
    assert result.flagged
    assert result.category_applied_input_types.violence == ["text", "image"]
    assert result.category_applied_input_types.hate == ["text"]
    (result,) = moderate([IMAGE]).results
    assert result.category_applied_input_types.self_harm == ["image"]
    assert result.category_applied_input_types.hate == []
    (harmless,) = moderate([{"type": "image_url", "image_url": {"url": "data:image/png;base64,knife.png"}}]).results
    assert not harmless.flagged


def test_older_models_know_less(mock: AIMock, moderate: Callable[..., Any]) -> None:
    answer = moderate("hello", model="text-moderation-latest")
    assert answer.model == "text-moderation-007"
    told = answer.results[0].model_dump(by_alias=True, exclude_unset=True)
    assert "illicit" not in told["categories"]
    assert len(told["category_scores"]) == 11
    assert "category_applied_input_types" not in told


def test_an_answer_may_be_told_whole(mock: AIMock, moderate: Callable[..., Any]) -> None:
    results = [{"flagged": True}, {"categories": {"hate": True, "hate/threatening": True}}]
    mock.on(
        {"endpoint": "moderation", "query": re.compile("^a b$")}, {"results": results, "id": "modr-1", "model": "mine"}
    )
    answer = moderate(["a", "b"])
    assert (answer.id, answer.model) == ("modr-1", "mine")
    assert [result.flagged for result in answer.results] == [True, True]
    assert answer.results[1].categories.hate_threatening


@pytest.mark.parametrize("flavour", ["sync"])
def test_strict_servers_want_a_fixture_for_each_input(mock: AIMock, client: OpenAI, flavour: str) -> None:
    mock.on_moderate("hello", {})
    assert not client.moderations.create(input="hello", extra_headers=STRICT).results[0].flagged
    with pytest.raises(InternalServerError, match="Strict mode"):
        client.moderations.create(input=["hello", "bye"], extra_headers=STRICT)


@pytest.mark.parametrize("flavour", ["sync"])
def test_sequences_and_test_ids(mock: AIMock, client: OpenAI, flavour: str) -> None:
    for index, flagged in enumerate((True, False)):
        mock.on({"endpoint": "moderation", "query": "hello", "sequenceIndex": index}, {"flagged": flagged})

    def flags(test_id: str) -> list[bool]:
        answers = [
            client.moderations.create(input=["hello", "hello"], extra_headers={"X-Test-Id": test_id}) for _ in range(2)
        ]
        return [result.flagged for answer in answers for result in answer.results]

    assert flags("a") == flags("b") == [True, True, False, False]


@pytest.mark.parametrize("flavour", ["sync"])
def test_errors(mock: AIMock, client: OpenAI, flavour: str) -> None:
    mock.on_moderate("too much", {"error": {"message": "Slow down."}, "status": 429})
    with pytest.raises(RateLimitError, match="Slow down"):
        client.moderations.create(input=["hello", "too much"])
    with pytest.raises(BadRequestError) as raised:
        client.post("/moderations", body={"model": "omni-moderation-latest"}, cast_to=object)
    assert (raised.value.param, raised.value.code) == ("input", "missing_required_parameter")
    mock.set_chaos({"dropRate": 1.0})
    with pytest.raises(InternalServerError):
        client.moderations.create(input="hello")


@pytest.mark.parametrize("flavour", ["sync"])
def test_azure_s_path(mock: AIMock, connect: Callable[..., Any], flavour: str) -> None:
    mock.on_moderate("kill", {"flagged": True})
    azure = connect(OpenAI, base_url=f"{mock.url}/openai/v1", default_headers={"api-key": "key"})
    assert azure.moderations.create(input="kill").results[0].flagged


# -- Mistral ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mistral(mock: AIMock) -> Iterator[Mistral]:
    with Mistral(api_key="test", server_url=mock.url) as client:
        yield client


def test_mistral_s_texts(mock: AIMock, mistral: Mistral) -> None:
    mock.on_moderate("kill", {"categories": {"violence_and_threats": True}})
    answer = mistral.classifiers.moderate(model="mistral-moderation-latest", inputs=["I will kill", "hello"])
    assert (answer.model, len(answer.id)) == ("mistral-moderation-latest", 32)
    violent, harmless = answer.results
    assert violent.categories is not None
    assert [name for name, applies in violent.categories.items() if applies] == ["violence_and_threats"]
    assert len(violent.categories) == 9
    assert violent.category_scores is not None
    assert violent.category_scores["violence_and_threats"] == 0.9
    assert harmless.categories == dict.fromkeys(violent.categories, False)


def test_mistral_s_conversations(mock: AIMock, mistral: Mistral) -> None:
    mock.on_moderate("kill", {"categories": {"violence_and_threats": True}})
    inputs: Any = [
        [{"role": "user", "content": "kill"}, {"role": "assistant", "content": "No."}],
        [{"role": "user", "content": [{"type": "text", "text": "I will kill"}]}],
    ]
    answer = mistral.classifiers.moderate_chat(model="mistral-moderation-latest", inputs=inputs)
    flags = [result.categories and result.categories["violence_and_threats"] for result in answer.results]
    assert flags == [False, True]
    one: Any = inputs[1]
    assert len(mistral.classifiers.moderate_chat(model="mistral-moderation-latest", inputs=one).results) == 1
