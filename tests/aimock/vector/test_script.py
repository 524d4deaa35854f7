"""What a collection was told beforehand: results, failures, delays, readiness."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from aimock.surfaces.vector import from_config
from aimock.surfaces.vector.mock import VectorMock

Ask = Callable[..., httpx.Response]

RECORDS = [{"id": "a", "values": [1, 0]}, {"id": 7, "values": [0, 1]}]
TOLD = [{"id": "x", "score": 0.9, "metadata": {"t": 1}}, {"id": 2, "score": 0.5, "document": "two"}]


def ids(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()]


# -- results ---------------------------------------------------------------------------------------------------------


def test_told_results_win_over_the_store_and_are_cut(mock: VectorMock, ask: Ask) -> None:
    mock.upsert("docs", RECORDS)
    assert ids(ask()) == ["a", 7]
    mock.on_query("docs", TOLD)
    assert ask().json() == [
        {"id": "x", "score": 0.9, "metadata": {"t": 1}, "document": None},
        {"id": 2, "score": 0.5, "metadata": None, "document": "two"},
    ]
    assert ids(ask(k=1)) == ["x"]
    mock.on_query("docs", [])
    assert ids(ask()) == []


def test_a_collection_that_is_not_there_is_made_for_them(mock: VectorMock, ask: Ask) -> None:
    assert ask("faq").status_code == 404
    mock.on_query("faq", TOLD)
    assert ids(ask("faq")) == ["x", 2]


def test_a_function_is_told_the_query(mock: VectorMock, ask: Ask) -> None:
    queries: list[Any] = []

    def answer(query: dict[str, Any]) -> list[dict[str, Any]]:
        queries.append(query)
        return [{"id": str(number), "score": 1} for number in range(5)]

    mock.on_query("docs", answer)
    assert ids(ask(k=2, filter={"t": 1})) == ["0", "1"]
    assert queries == [{"vector": [1, 0], "topK": 2, "filter": {"t": 1}, "collection": "docs"}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda query: 1 / 0, "Query handler threw: division by zero"),
        (lambda query: [{"id": "a"}], "Query handler threw: results[0].score: is missing"),
        (lambda query: 5, "Query handler threw: results: expected an array, got 5"),
    ],
)
def test_a_function_that_fails_is_an_error_in_the_words_of_the_api(
    mock: VectorMock, ask: Ask, answer: Any, said: str
) -> None:
    mock.on_query("docs", answer)
    response = ask()
    assert (response.status_code, response.json()) == (500, {"plainly": said})


def test_steps_come_in_turn_for_each_test(mock: VectorMock, ask: Ask) -> None:
    mock.upsert("docs", RECORDS)
    mock.on_query("docs", [{"id": "first", "score": 1}], sequence_index=0)
    mock.on_query("docs", [{"id": "third", "score": 1}], sequence_index=2)
    assert [ids(ask(test_id="t")) for _ in range(4)] == [["first"], ["a", 7], ["third"], ["a", 7]]
    assert ids(ask(test_id="other")) == ["first"]
    mock.on_query("docs", [{"id": "else", "score": 1}])
    assert ids(ask(test_id="t")) == ["else"]
    assert mock._server is not None
    mock._server.reset_match_counts("t")
    assert [ids(ask(test_id=test_id)) for test_id in ("t", "other")] == [["first"], ["else"]]
    mock._server.reset()
    assert ids(ask(test_id="other")) == ["first"]


def test_what_is_told_again_takes_the_place_of_what_was_told(mock: VectorMock, ask: Ask) -> None:
    for told in ("old", "new"):
        mock.on_query("docs", [{"id": told, "score": 1}], sequence_index=0)
    assert ids(ask()) == ["new"]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([{"score": 1}], "results[0].id: is missing"),
        ([{"id": "a", "score": "1"}], 'results[0].score: expected a number, got "1"'),
        ([{"id": "a", "scores": 1}], 'results[0].scores: unknown key, did you mean "score"?'),
        (
            [{"id": -1, "score": 1}],
            "results[0].id: expected a string that is not empty, or a whole number of 0 or more",
        ),
    ],
)
def test_results_that_are_none_are_refused(mock: VectorMock, results: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        mock.on_query("docs", results)
    assert mock.health()["collections"] == 0


# -- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_comes_so_often_for_each_test(mock: VectorMock, ask: Ask) -> None:
    mock.add_collection("docs", vectors=RECORDS, error={"op": "query", "status": 503, "times": 2})
    statuses = [ask(test_id=test_id).status_code for test_id in ("t", "t", "t", "other")]
    assert statuses == [503, 503, 200, 503]
    assert ask(test_id="new").json() == {"plainly": "Injected error"}
    assert httpx.get(f"{mock.url}/of/docs").json()["records"] == 2
    assert mock._server is not None
    mock._server.reset_match_counts("t")
    assert ask(test_id="t").status_code == 503


def test_failures_come_one_after_the_other(mock: VectorMock, ask: Ask) -> None:
    faults = [{"status": 429, "times": 1, "body": "slow down"}, {"times": 1, "body": {"code": 7}}]
    mock.add_collection("docs", vectors=RECORDS, error=faults)
    first, second, third = ask(), httpx.get(f"{mock.url}/of/docs"), ask()
    assert (first.status_code, first.json()) == (429, {"plainly": "slow down"})
    assert (second.status_code, second.json()) == (500, {"code": 7})
    assert ids(third) == ["a", 7]
    entries = mock.get_requests()
    assert [entry["response"]["status"] for entry in entries] == [429, 500, 200]


def test_a_failure_without_times_stays_until_it_is_taken_away(mock: VectorMock, ask: Ask) -> None:
    mock.add_collection("docs", vectors=RECORDS, error={"status": 500})
    assert [ask().status_code for _ in range(3)] == [500, 500, 500]
    (collection,) = mock.service.store
    assert httpx.get(f"{mock.url}/with/{collection.id}").status_code == 500
    mock.add_collection("docs", error=[])
    assert httpx.get(f"{mock.url}/with/{collection.id}").json() == {"name": "docs"}


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plain")
async def test_answers_are_late_if_that_was_told(memory: Callable[..., Any], autojump_clock: Any) -> None:
    server = memory(replay_speed=2)
    await trio.testing.wait_all_tasks_blocked()
    section = {"collections": [{"name": "slow", "vectors": RECORDS, "delayMs": 3000}, {"name": "docs"}]}
    server.state.mounts.add("/vector", from_config(section, directory=None))

    async def seconds(name: str) -> float:
        start = trio.current_time()
        seen = await server.exchange(path=f"/vector/of/{name}", vector=[1, 0])
        assert seen.status == 200
        return trio.current_time() - start

    assert await seconds("slow") == pytest.approx(1.5)
    assert await seconds("docs") == pytest.approx(0)


@pytest.mark.usefixtures("plain")
async def test_a_client_that_leaves_a_late_answer_is_noted(memory: Callable[..., Any], autojump_clock: Any) -> None:
    server = memory()
    await trio.testing.wait_all_tasks_blocked()
    section = {"collections": [{"name": "slow", "vectors": RECORDS, "delayMs": 60_000}]}
    server.state.mounts.add("/vector", from_config(section, directory=None))
    client = server.send(path="/vector/of/slow", vector=[1, 0])
    await trio.sleep(1)
    client.leave()
    await trio.sleep(1)
    (entry,) = server.journal
    assert entry["response"]["interrupted"] is True


def test_chaos_spoils_late_answers_too(mock: VectorMock, ask: Ask) -> None:
    mock.add_collection("docs", vectors=RECORDS, delay_ms=1)
    response = httpx.post(f"{mock.url}/of/docs", json={"vector": [1, 0]}, headers={"x-aimock-fault": "malformed"})
    assert (response.status_code, response.text.startswith("{malformed")) == (200, True)


def test_a_collection_may_become_ready_after_some_polls(mock: VectorMock) -> None:
    mock.add_collection("docs", ready_after_polls=2)

    def is_ready(test_id: str) -> bool:
        told = httpx.get(f"{mock.url}/of/docs", headers={"x-test-id": test_id}).json()
        return bool(told["ready"])

    assert [is_ready("t") for _ in range(4)] == [False, False, True, True]
    assert is_ready("other") is False
