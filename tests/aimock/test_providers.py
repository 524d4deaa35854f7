"""Which providers' APIs a server answers for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from aimock import AIMock
from aimock.config import ConfigError, load_config
from aimock.net.exchange import Head
from aimock.providers import NAMES, offered_schema, owner_of, read_offered
from aimock_protocols.registry import PROTOCOLS


def head(path: str, **headers: str) -> Head:
    return Head("POST", path, path, "", {name.replace("_", "-"): value for name, value in headers.items()}, ())


CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
ASKED: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "openai": ("/v1/chat/completions", CHAT, {}),
    "openai responses": ("/v1/responses", {"model": "m", "input": "hi"}, {}),
    "openai embeddings": ("/v1/embeddings", {"model": "m", "input": "hi"}, {}),
    "anthropic": ("/v1/messages", CHAT, {"anthropic-version": "2023-06-01"}),
    "gemini": (
        "/v1beta/models/g:generateContent",
        {"contents": [{"parts": [{"text": "hi"}]}]},
        {"x-goog-api-key": "k"},
    ),
    "gemini interactions": ("/v1beta/interactions", {"model": "g", "input": "hi"}, {}),
    "gemini embeddings": ("/v1beta/models/g:embedContent", {"content": {"parts": [{"text": "hi"}]}}, {}),
    "vertexai": (
        "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
        {"contents": [{"parts": [{"text": "hi"}]}]},
        {},
    ),
    "bedrock": ("/model/m/converse", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, {}),
    "ollama": ("/api/chat", CHAT | {"stream": False}, {}),
    "cohere": ("/v2/chat", CHAT, {}),
    "azure": ("/openai/deployments/m/chat/completions", CHAT, {"api-key": "k"}),
    "azure embeddings": ("/openai/deployments/m/embeddings", {"input": "hi"}, {"api-key": "k"}),
    "openrouter": ("/api/v1/chat/completions", CHAT, {}),
    "groq": ("/groq/openai/v1/chat/completions", CHAT, {}),
    "mistral": ("/v1/chat/completions", CHAT, {"user-agent": "mistral-client-python/1"}),
    "grok": ("/xai/v1/chat/completions", CHAT, {}),
}
"""By provider, and perhaps what of its family: path, body and headers."""


def ask(mock: AIMock, asked: str) -> httpx.Response:
    path, body, headers = ASKED[asked]
    return httpx.post(mock.url + path, json=body, headers=headers)


@pytest.fixture(scope="module")
def some() -> Iterator[AIMock]:
    with AIMock(providers=["openai", "claude", "google"], metrics=True) as mock:
        mock.add_fixture({"match": {"endpoint": "chat"}, "response": {"content": "hello"}})
        yield mock


@pytest.mark.parametrize("asked", ASKED)
def test_only_those_named_answer_with_all_their_family(some: AIMock, asked: str) -> None:
    answer = ask(some, asked)
    provider = asked.partition(" ")[0]
    if provider in ("openai", "anthropic", "gemini"):
        assert answer.status_code == 200, answer.text
        return
    assert answer.status_code == 404
    assert f"llm.providers does not name {provider}" in answer.text


def test_the_words_are_those_of_an_unknown_path(some: AIMock) -> None:
    hint = "llm.providers does not name "
    assert ask(some, "ollama").json() == {
        "error": {"message": "Not found", "type": "not_found", "hint": hint + "ollama"}
    }
    bedrock = httpx.post(
        some.url + "/model/m/converse", json={}, headers={"authorization": "AWS4-HMAC-SHA256 Credential=x"}
    )
    unknown = httpx.post(some.url + "/model/m/x", json={}, headers={"authorization": "AWS4-HMAC-SHA256 Credential=x"})
    assert bedrock.status_code == unknown.status_code == 404
    assert bedrock.json().keys() == unknown.json().keys()


def test_what_is_no_provider_answers_all_the_same(some: AIMock) -> None:
    for path in ("/health", "/ready", "/metrics", "/__aimock/journal"):
        assert httpx.get(some.url + path).status_code == 200
    assert httpx.post(some.url + "/search", json={"query": "x"}).status_code == 200


def test_every_protocol_of_models_has_its_owner_in_the_names() -> None:
    for registered in PROTOCOLS:
        paths = [route.template for route in registered.routes] + list(registered.sockets)
        for path in paths or ["/"]:
            assert registered.service or owner_of(registered.name, head(path)) in NAMES


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "x: expected one or more names of providers, got []"),
        ({}, "x: expected an array, got {}"),
        ([5], "x[0]: expected a string, got 5"),
        (["openai", "gemni"], 'x[1]: gemni: unknown provider, did you mean "gemini"?'),
        ("antropic", 'x[0]: antropic: unknown provider, did you mean "anthropic"?'),
    ],
)
def test_names_that_there_are_not(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"^x") as error:
        read_offered(value, "x")
    assert str(error.value) == said
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, offered_schema())


def test_names() -> None:
    assert read_offered("claude", "") == {"anthropic"}
    assert read_offered(["gemini", "xai", "vertex"], "") == {"gemini", "gemini-interactions", "grok", "vertexai"}
    jsonschema.validate(["gemini", "xai"], offered_schema())


def test_a_config_file_and_a_flag_say_so(tmp_path: Any) -> None:
    from aimock.chosen import choose

    file = tmp_path / "aimock.json"
    file.write_text('{"llm": {"providers": ["claude"]}}')
    assert load_config(file).providers == {"anthropic"}
    assert choose(["--config", str(file)]).providers == {"anthropic"}
    assert choose(["--config", str(file), "--providers", "openai,ollama"]).providers == {"openai", "ollama"}
    file.write_text('{"llm": {"providers": ["clade"]}}')
    with pytest.raises(ConfigError, match=r'llm\.providers\[0\]: clade: unknown provider, did you mean "claude"'):
        load_config(file)


def test_a_host_and_its_guests_have_providers_of_their_own() -> None:
    with AIMock() as host:
        guest = AIMock(providers="claude")
        with host.hosting(guest):
            assert "llm.providers" in ask(guest, "openai").text
        assert "llm.providers" not in ask(host, "openai").text
