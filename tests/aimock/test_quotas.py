"""Quotas: buckets on a clock of the test's own, and what clients are told of them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from openai import DefaultHttpxClient, OpenAI, RateLimitError
from trio.testing import MockClock

from aimock import AIMock
from aimock.fixtures import fixture_from
from aimock.net.exchange import Head
from aimock.quotas import Per, Quota, Quotas, quota_from_json

Start = Callable[..., Any]
Call = Callable[..., Any]

OK = {"content": "fine"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def head(headers: dict[str, str], query: str = "") -> Head:
    return Head("POST", "/", "/", query, headers, tuple(headers.items()))


def key(name: str) -> Head:
    return head({"authorization": f"Bearer {name}"})


# -- buckets -----------------------------------------------------------------------------------------------------------


def test_a_bucket_is_full_at_first_and_refills_all_the_time() -> None:
    clock = Clock()
    quotas = Quotas(Quota(requests_per_minute=2), clock)
    left = [quotas.take(key("a"), "m", 5) for _ in range(3)]
    assert [allowance.remaining_requests for allowance, _ in left] == [1, 0, 0]
    assert [allowance.requests_reset for allowance, _ in left] == [30, 60, 60]
    excess = left[2][1]
    assert (left[0][1], left[1][1]) == (None, None)
    assert excess is not None
    assert (excess.unit, excess.limit, excess.used, excess.requested, excess.wait) == ("requests", 2, 2, 1, 30)
    clock.now += 29.9
    assert quotas.take(key("a"), "m", 5)[1] is not None
    clock.now += 0.1
    assert quotas.take(key("a"), "m", 5)[1] is None
    clock.now += 3600
    assert quotas.take(key("a"), "m", 5)[0].remaining_requests == 1, "never more than full"


def test_a_request_costs_its_tokens_and_one_that_is_refused_costs_nothing() -> None:
    clock = Clock()
    quotas = Quotas(Quota(requests_per_minute=10, tokens_per_minute=100), clock)
    first, _ = quotas.take(key("a"), "m", 60)
    refused, excess = quotas.take(key("a"), "m", 50)
    assert (first.remaining_tokens, first.remaining_requests) == (40, 9)
    assert (refused.remaining_tokens, refused.remaining_requests) == (40, 9)
    assert excess is not None
    assert (excess.unit, excess.limit, excess.used, excess.requested, excess.wait) == ("tokens", 100, 60, 50, 6)
    assert quotas.take(key("a"), "m", 40)[0].remaining_tokens == 0


def test_a_request_that_is_larger_than_the_quota_is_never_served() -> None:
    clock = Clock()
    quotas = Quotas(Quota(tokens_per_minute=100), clock)
    _, excess = quotas.take(key("a"), "m", 101)
    assert excess is not None
    assert (excess.requested, excess.used, excess.wait) == (101, 0, 0)
    clock.now += 3600
    assert quotas.take(key("a"), "m", 101)[1] is not None
    assert quotas.take(key("a"), "m", 100)[1] is None


@pytest.mark.parametrize("per", Per)
def test_whose_quota_it_is(per: Per) -> None:
    quotas = Quotas(Quota(requests_per_minute=1, per=per), Clock())
    served = [quotas.take(key(name), model, 1)[1] is None for name, model in ["am", "an", "bm", "bn"]]
    assert served == ([True, False, True, False] if per is Per.KEY else [True, True, False, False])


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key", "xi-api-key"])
def test_a_key_in_any_credential_header_counts(header: str) -> None:
    """core-lessons G1: the same list as is taken out of the journal"""
    quotas = Quotas(Quota(requests_per_minute=1), Clock())
    assert [quotas.take(head({header: name}), "m", 1)[1] is None for name in "aab"] == [True, False, True]
    assert [quotas.take(head({}), "m", 1)[1] is None for _ in range(2)] == [True, False], "no key is one as well"


def test_who_signs_is_known_by_the_access_key_id() -> None:
    """No two signatures are alike."""
    quotas = Quotas(Quota(requests_per_minute=1), Clock())
    signed = [f"AWS4-HMAC-SHA256 Credential={name}/20261122/us-east-1/bedrock/aws4_request" for name in "aab"]
    asked = [head({"authorization": f"{each}, Signature={place}"}) for place, each in enumerate(signed)]
    assert [quotas.take(each, "m", 1)[1] is None for each in asked] == [True, False, True]


def test_a_key_in_the_query_counts_where_no_header_has_one() -> None:
    quotas = Quotas(Quota(requests_per_minute=1), Clock())
    asked = [head({}, f"alt=sse&key={name}") for name in "aab"]
    assert [quotas.take(each, "m", 1)[1] is None for each in asked] == [True, False, True]
    assert quotas.take(head({"x-api-key": "c"}, "key=a"), "m", 1)[1] is None


def test_who_is_counted_is_bounded_and_nothing_of_it_is_kept() -> None:
    """core-lessons G4, field 2.51"""
    for quota in (Quota(requests_per_minute=1), Quota(requests_per_minute=1, per=Per.MODEL)):
        quotas = Quotas(quota, Clock())
        for place in range(5000):
            quotas.take(key(f"sk-secret-{place}"), f"model-{place}" * 100, 1)
        assert len(quotas._buckets) <= 4096
        assert {len(owner) for owner in quotas._buckets} == {32}, "a digest, however long the name is"


@given(
    limit=st.integers(1, 10_000),
    asked=st.lists(st.tuples(st.integers(0, 500), st.floats(0, 30, allow_nan=False)), max_size=40),
)
def test_remaining_and_used_make_the_limit_and_who_waits_as_told_is_served(
    limit: int, asked: list[tuple[int, float]]
) -> None:
    clock = Clock()
    quotas = Quotas(Quota(requests_per_minute=7, tokens_per_minute=limit), clock)
    spent, start = 0, clock.now
    for cost, pause in asked:
        allowance, excess = quotas.take(key("a"), "m", cost)
        assert 0 <= allowance.remaining_tokens <= limit
        assert 0 <= allowance.remaining_requests <= 7
        assert allowance.tokens_reset == pytest.approx(
            (limit - allowance.remaining_tokens) * 60 / limit, abs=60 / limit + 1e-6
        )
        if excess is None:
            spent += cost
        else:
            remaining = {"requests": allowance.remaining_requests, "tokens": allowance.remaining_tokens}
            assert excess.limit - excess.used == remaining[excess.unit]
            assert excess.requested > remaining[excess.unit]
        assert spent <= limit + (clock.now - start) * limit / 60 + 1e-3, "no more than the bucket and what ran into it"
        if excess is not None and excess.requested <= excess.limit:
            clock.now += excess.wait
            again = quotas.take(key("a"), "m", cost)[1]
            assert again is None or again.unit != excess.unit
            spent += cost if again is None else 0
        clock.now += pause


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"requestsPerMinute": 5}, Quota(requests_per_minute=5)),
        ({"tokensPerMinute": 5, "per": "model"}, Quota(tokens_per_minute=5, per=Per.MODEL)),
        (Quota(requests_per_minute=1), Quota(requests_per_minute=1)),
    ],
)
def test_a_quota_is_read(given: Any, read: Quota) -> None:
    assert quota_from_json(given) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "expected requestsPerMinute, tokensPerMinute, or both"),
        ({"per": "key"}, "expected requestsPerMinute, tokensPerMinute, or both"),
        ([], "expected an object"),
        ({"rpm": 5}, "rpm: unknown key"),
        ({"requestsPerMinute": 0}, "requestsPerMinute: expected a whole number from 1 to 1000000000, got 0"),
        ({"requestsPerMinute": 1.5}, "requestsPerMinute: expected a whole number from 1 to 1000000000, got 1.5"),
        ({"tokensPerMinute": "5"}, 'tokensPerMinute: expected a whole number from 1 to 1000000000, got "5"'),
        ({"tokensPerMinute": True}, "tokensPerMinute: expected a whole number from 1 to 1000000000, got true"),
        ({"tokensPerMinute": 5, "per": "org"}, 'per: expected one of key, model, got "org"'),
        ({"tokensPerMinute": 5, "per": ["key"]}, 'per: expected one of key, model, got ["key"]'),
    ],
    ids=str,
)
def test_field_57_a_quota_that_cannot_be_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(said)):
        quota_from_json(given)


# -- what clients are told ---------------------------------------------------------------------------------------------


async def served(memory: Start, clock: Clock, **quota: Any) -> Any:
    server = memory(seed=1, clock=clock, quota=Quota(**quota))
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, OK)])
    return server


def told(seen: Any) -> dict[str, str]:
    prefix = "x-ratelimit-"
    return {name.removeprefix(prefix): value for name, value in seen.headers.items() if name.startswith(prefix)}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_headers_tell_what_is_left(autojump_clock: MockClock, memory: Start, stream: bool) -> None:
    clock = Clock()
    server = await served(memory, clock, requests_per_minute=3, tokens_per_minute=600)
    more = {"stream": True} if stream else {}
    assert told(await server.exchange(max_tokens=100, **more)) == {
        "limit-requests": "3",
        "limit-tokens": "600",
        "remaining-requests": "2",
        "remaining-tokens": "500",
        "reset-requests": "20s",
        "reset-tokens": "10s",
    }
    clock.now += 5
    assert told(await server.exchange(max_tokens=100, **more)) == {
        "limit-requests": "3",
        "limit-tokens": "600",
        "remaining-requests": "1",
        "remaining-tokens": "450",
        "reset-requests": "35s",
        "reset-tokens": "15s",
    }


async def test_a_request_over_the_quota_is_refused_in_the_providers_words(
    autojump_clock: MockClock, memory: Start
) -> None:
    """core-lessons C21"""
    clock = Clock()
    server = await served(memory, clock, requests_per_minute=7)
    for _ in range(7):
        assert (await server.exchange()).status == 200
    seen = await server.exchange()
    assert (seen.status, json.loads(seen.body)) == (
        429,
        {
            "error": {
                "message": "Rate limit reached for gpt-4o in organization org-aimock on requests per min (RPM): "
                "Limit 7, Used 7, Requested 1. Please try again in 8.572s.",
                "type": "requests",
                "param": None,
                "code": "rate_limit_exceeded",
            }
        },
    )
    assert (seen.headers["retry-after"], seen.headers["retry-after-ms"]) == ("9", "8572")
    assert told(seen)["remaining-requests"] == "0"
    assert server.journal[-1]["response"] == {"status": 429, "fixture": None}
    clock.now += float(seen.headers["retry-after-ms"]) / 1000
    assert (await server.exchange()).status == 200, "who waits as long as told is served"


async def test_a_request_that_is_too_large_is_told_so(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, Clock(), tokens_per_minute=50)
    seen = await server.exchange(max_tokens=51)
    error = json.loads(seen.body)["error"]
    assert seen.status == 429
    assert error["message"] == (
        "Request too large for gpt-4o in organization org-aimock on tokens per min (TPM): Limit 50, Requested 51."
    )
    assert (error["type"], told(seen)["remaining-tokens"]) == ("tokens", "50")
    assert (await server.exchange("x" * 4 * 51)).status == 429, "its prompt counts if it is longer"
    assert (await server.exchange("x" * 4 * 40, max_completion_tokens=50)).status == 200


async def test_a_refused_request_moves_no_sequence_and_draws_no_fault(autojump_clock: MockClock, memory: Start) -> None:
    clock = Clock()
    server = await served(memory, clock, requests_per_minute=1)
    server.state.book.clear()
    server.state.book.append([fixture_from({"sequenceIndex": place}, {"content": str(place)}) for place in range(2)])
    server.state.injected.add(fixture_from({}, {"error": {"message": "injected"}, "status": 418}))
    fault = {"X-AIMock-Fault": "overloaded;times=1"}
    assert [(await server.exchange(headers=fault)).status for _ in range(3)] == [418, 429, 429]
    clock.now += 60
    assert (await server.exchange(headers=fault)).status == 529, "the fault was not used up"
    clock.now += 60
    seen = await server.exchange(headers=fault)
    assert json.loads(seen.body)["choices"][0]["message"]["content"] == "1"


async def test_errors_cost_what_they_cost_and_headers_never_lie(autojump_clock: MockClock, memory: Start) -> None:
    server = await served(memory, Clock(), requests_per_minute=10)
    server.state.book.clear()
    missed = await server.exchange()
    assert (missed.status, told(missed)["remaining-requests"]) == (404, "9")
    invalid = await server.exchange(messages="none")
    assert (invalid.status, told(invalid)) == (400, {}), "it was not charged, and who would be is not known"
    server.state.book.append([fixture_from({}, OK)])
    assert told(await server.exchange())["remaining-requests"] == "8"
    for fault in ("empty", "error-event", "unavailable", "wrong-content-type", "truncate"):
        seen = await server.exchange(headers={"X-AIMock-Fault": fault})
        assert told(seen)["limit-requests"] == "10", fault
    seen = await server.exchange(headers={"X-AIMock-Fault": "throttled"})
    assert (told(seen)["limit-requests"], told(seen)["remaining-requests"]) == ("60", "0"), "as its body says"


async def test_without_quotas_there_is_plenty(autojump_clock: MockClock, memory: Start) -> None:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    assert told(await server.exchange())["remaining-requests"] == "9999"


async def test_a_reset_makes_every_quota_whole(autojump_clock: MockClock, memory: Start) -> None:
    """core-lessons D8, field 2.55"""
    server = await served(memory, Clock(), requests_per_minute=1)
    await server.exchange()
    assert (await server.exchange()).status == 429
    server.state.rewind()
    assert (await server.exchange()).status == 429, "sequences and quotas are two things"
    server.state.reset()
    assert (await server.exchange()).status == 404


async def test_the_quota_is_kept_by_trios_clock_unless_told_otherwise(autojump_clock: MockClock, memory: Start) -> None:
    server = memory(seed=1, quota=Quota(requests_per_minute=1), wall_clock=lambda: 0.0)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, OK)])
    assert [(await server.exchange()).status for _ in range(2)] == [200, 429]
    await trio.sleep(60)
    assert (await server.exchange()).status == 200


def test_c17_keys_are_nowhere(caplog: pytest.LogCaptureFixture, call: Call) -> None:
    """core-lessons C17, field 2.52"""
    with caplog.at_level(logging.DEBUG), AIMock(quota={"requestsPerMinute": 1}) as mock:
        body = {"messages": [{"role": "user", "content": "x"}]}
        secret = "sk-very-secret"
        for _ in range(2):
            answer = call("POST", "/v1/chat/completions", body, key(secret).headers, port=mock.port)
        assert answer.status == 429
        assert secret not in answer.body.decode() + str(answer.headers)
        assert secret not in json.dumps(mock.get_requests())
        assert mock._state.quotas is not None
        assert all(secret not in owner for owner in mock._state.quotas._buckets)
    assert secret not in caplog.text


def test_an_sdk_sees_the_quota_and_its_retry_after() -> None:
    with AIMock(quota={"requestsPerMinute": 1}) as mock:
        mock.on({}, OK)
        http = DefaultHttpxClient(verify=False)
        with OpenAI(base_url=f"{mock.url}/v1", api_key="a", max_retries=0, http_client=http) as client:
            question: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            raw = client.chat.completions.with_raw_response.create(**question)
            assert raw.headers["x-ratelimit-remaining-requests"] == "0"
            with pytest.raises(RateLimitError) as error:
                client.chat.completions.create(**question)
            assert error.value.code == "rate_limit_exceeded"
            assert 1 <= int(error.value.response.headers["retry-after"]) <= 60
            other = client.with_options(api_key="b")
            assert other.chat.completions.create(**question).choices[0].message.content == "fine"
