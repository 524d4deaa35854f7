"""Ephemeral tokens: minted over HTTP, and what sessions become that are opened with them (wire-gemini-live §1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock.memories import Memories
from aimock_protocols import gemini_live, rfc3339
from aimock_protocols.canonical import Memory, Reply, SideRequest, Stamp, Text, WireError
from aimock_protocols.sessions import Close
from live_driver import Driver, Head

NOW = 1795200000.0
CONSTRAINED = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
SETUP = {
    "model": "models/locked",
    "generationConfig": {"responseModalities": ["TEXT"], "temperature": 0.5},
    "systemInstruction": {"parts": [{"text": "Be kind."}]},
}
SENT = {
    "model": "models/other",
    "generationConfig": {"responseModalities": ["AUDIO"], "topP": 0.1, "temperature": 2},
    "sessionResumption": {},
}


@pytest.fixture
def memory() -> Memory:
    return Memories().of("", "gemini_live")


@pytest.fixture
def mint(memory: Memory) -> Callable[..., dict[str, Any]]:
    def mint(**body: Any) -> dict[str, Any]:
        head = Head("/v1alpha/auth_tokens", method="POST")
        request = SideRequest(head, {}, orjson.dumps(body), Stamp(NOW, b"token" * 13), (), memory)
        response = gemini_live.create_auth_token(request)
        assert response.status == 200
        told: dict[str, Any] = orjson.loads(response.body)
        return told

    return mint


def opened(token: str, memory: Memory, after: float = 1, setup: dict[str, Any] = SENT, **head: Any) -> Any:
    """A session with a token, so many seconds after it was minted; and what was told."""
    connected = Head(CONSTRAINED, **head or {"headers": {"authorization": f"Token {token}"}})
    driver = Driver(head=connected, memory=memory, created=NOW + after)
    return driver, driver.say({"setup": setup})


def test_a_token_says_what_it_is_good_for(mint: Callable[..., Any]) -> None:
    told = mint()
    assert told["name"].startswith("auth_tokens/")
    assert rfc3339.seconds_of(told["expireTime"]) - NOW == 1800
    assert rfc3339.seconds_of(told["newSessionExpireTime"]) - NOW == 60
    assert told["uses"] == 1
    assert mint(expire_time="2030-01-01T00:00:00Z")["expireTime"] == "2030-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "body",
    [
        {"uses": -1},
        {"uses": "many"},
        {"expireTime": "tomorrow"},
        {"newSessionExpireTime": 1},
        {"bidiGenerateContentSetup": 1},
        {"fieldMask": ["model"]},
    ],
)
def test_bad_wishes_are_refused(mint: Callable[..., Any], body: dict[str, Any]) -> None:
    with pytest.raises(WireError) as caught:
        mint(**body)
    assert caught.value.reply.status == 400


@pytest.mark.parametrize(
    "head",
    [
        lambda token: {"headers": {"authorization": f"Token {token}"}},
        lambda token: {"headers": {"x-goog-api-key": token}},
        lambda token: {"query": f"access_token={token.replace('/', '%2F')}"},
        lambda token: {"query": f"alt=x&key={token}"},
    ],
)
def test_wherever_a_token_is_told_it_is_used_up(mint: Callable[..., Any], memory: Memory, head: Any) -> None:
    token = mint()["name"]
    assert "setupComplete" in opened(token, memory, **head(token))[1][0]
    assert opened(token, memory, **head(token))[1] == [Close(1008, "Token has been used too many times")]


def test_uses(mint: Callable[..., Any], memory: Memory) -> None:
    token = mint(uses=2)["name"]
    told = [opened(token, memory)[1][0] for _ in range(3)]
    assert [isinstance(each, Close) for each in told] == [False, False, True]
    token = mint(uses=0)["name"]
    assert not any(isinstance(opened(token, memory)[1][0], Close) for _ in range(3)), "no limit"


def test_times(mint: Callable[..., Any], memory: Memory) -> None:
    token = mint()["name"]
    told = opened(token, memory)[1]
    handle = told[1]["sessionResumptionUpdate"]["newHandle"]
    again = SENT | {"sessionResumption": {"handle": handle}}
    assert opened(token, memory, 61)[1] == [Close(1008, "Token can open no new sessions any more")]
    assert opened(token, memory, 61, again)[1][0] == {"setupComplete": {}}, "which is no new session, nor another use"
    assert opened(token, memory, 1801, again)[1] == [Close(1008, "Token has expired")]


def test_an_unknown_token_is_as_good_as_any_key(memory: Memory) -> None:
    assert opened("auth_tokens/unknown", memory)[1][0] == {"setupComplete": {}}


def asked(driver: Driver) -> Any:
    driver.ask("hello", Reply((Text("Hi."),)))
    return driver.requests[-1]


def test_a_token_without_a_mask_fixes_all(mint: Callable[..., Any], memory: Memory) -> None:
    driver, told = opened(mint(bidiGenerateContentSetup=SETUP)["name"], memory)
    assert len(told) == 2, "but whether the session can be taken up again"
    request = asked(driver)
    assert request.model == "models/locked"
    assert request.body["temperature"] == 0.5
    assert "top_p" not in request.body
    assert request.body["messages"][0] == {"role": "system", "content": "Be kind."}


def test_a_mask_names_what_is_fixed(mint: Callable[..., Any], memory: Memory) -> None:
    mask = "model,generation_config.temperature,generationConfig.topP,systemInstruction"
    setup = {"model": "models/locked", "generationConfig": {"temperature": 0.5}}
    driver, _ = opened(mint(bidi_generate_content_setup=setup, fieldMask=mask)["name"], memory)
    request = asked(driver)
    assert request.model == "models/locked"
    assert request.body["temperature"] == 0.5
    assert "top_p" not in request.body, "the mask has it, and the token none"
    assert request.native["generationConfig"]["responseModalities"] == ["AUDIO"]
