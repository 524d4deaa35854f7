"""Every official client, recorded and replayed: what it had of the provider it has again of the recording; and what was
said and called, the client of another provider has of it too.

The provider is another server of ours, and the recording is replayed by a server that has nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from openai import OpenAI

from aimock import AIMock
from matrix import CLIENTS, Client, Seen, load, of
from matrix.page import WAYS
from matrix.scenarios import SCENARIOS, Scenario
from recording_provider import recorded, texts

MISSING = load("clients")

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.usefixtures("left_to_the_collector"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock", "cohere", "ollama", "azure", "vertexai", "openrouter")
SAID = ("text", "tools", "parallel tools", "reasoning", "tools after text", "after tool results")
OTHERS = {
    "openai": "anthropic",
    "google-genai": "openai",
    "anthropic": "openai responses",
    "openai responses": "google-genai",
    "boto3 converse": "openai responses",
    "cohere ClientV2": "boto3 converse",
    "ollama": "cohere ClientV2",
    "google-genai interactions": "anthropic",
}
"""Who records, and who else replays it."""


def scenarios(*clients: Client) -> dict[str, Scenario]:
    """Those that can be put in the clients' terms, each with a question of its own."""
    chosen = [name for name in SAID if not any(name in client.lacks for client in clients)]
    return {name: _named(name, SCENARIOS[name]) for name in chosen}


def _named(name: str, scenario: Scenario) -> Scenario:
    messages = [
        {**message, "content": f"Now {name}?"} if message["role"] == "user" else message
        for message in scenario.question.messages
    ]
    match = {"userMessage": f"Now {name}?"}
    return scenario._replace(question=scenario.question._replace(messages=messages), match=match)


@pytest.fixture
def provider() -> Iterator[AIMock]:
    with AIMock(chunk_size=4) as server:
        for name in SAID:
            scenario = _named(name, SCENARIOS[name])
            server.on(dict(scenario.match), {**scenario.response, "id": "a-certain-id"})
        yield server


def recording(provider: AIMock, directory: Path, **options: Any) -> AIMock:
    urls = dict.fromkeys(PROVIDERS, provider.url)
    return AIMock(record={"providers": urls, "fixturePath": str(directory)}, **options)


@contextlib.contextmanager
def asking(name: str, server: AIMock) -> Iterator[Client]:
    client = CLIENTS[name](server.url)
    try:
        yield client
    finally:
        client.close()


def ask_all(client: Client, way: str) -> dict[str, Seen]:
    return {name: client.ask(each.question, way == "streamed") for name, each in scenarios(client).items()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", sorted(of("clients")))
def test_what_a_client_had_it_has_again(provider: AIMock, tmp_path: Path, name: str, way: str) -> None:
    with recording(provider, tmp_path) as server, asking(name, server) as client:
        had = ask_all(client, way)
        at_once = ask_all(client, way)
    assert len(recorded(tmp_path)) == len(provider.get_requests()) == len(had)
    assert {each.get("recording") is not None for each in recorded(tmp_path)} == {True}
    with AIMock(fixtures=tmp_path, strict=True) as server, asking(name, server) as client:
        again = ask_all(client, way)
        otherwise = ask_all(client, *(each for each in WAYS if each != way))
    assert had == at_once == again
    for scenario, seen in otherwise.items():
        assert (seen.text, seen.calls, seen.finish) == (
            had[scenario].text,
            had[scenario].calls,
            had[scenario].finish,
        ), scenario
    for scenario, each in scenarios(client).items():
        assert each.expected is not None
        assert (had[scenario].text, had[scenario].calls) == (each.expected.text, each.expected.calls), scenario


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "other"), OTHERS.items())
def test_another_provider_s_client_has_the_same(
    provider: AIMock, tmp_path: Path, name: str, other: str, way: str
) -> None:
    with recording(provider, tmp_path) as server, asking(name, server) as client:
        ask_all(client, way)
        model = client.model
    with AIMock(fixtures=tmp_path, strict=True) as server, asking(other, server) as client:
        client.model = model  # type: ignore[misc] (this one's)
        replayed = ask_all(client, way)
    with asking(other, provider) as client:
        expected = ask_all(client, way)
    for scenario, seen in expected.items():
        told = replayed[scenario]
        assert (told.text, told.calls, told.finish) == (seen.text, seen.calls, seen.finish), scenario


# -- beside the chat ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["a text", ["a text"], ["a text", "another"]], ids=["one", "listed", "two"])
def test_embeddings(provider: AIMock, tmp_path: Path, asked: str | list[str]) -> None:
    def embed(server: AIMock) -> Any:
        with OpenAI(base_url=f"{server.url}/v1", api_key="test", max_retries=0) as client:
            return client.embeddings.create(model="text-embedding-3-small", input=asked, dimensions=8)

    provider.on_embedding("a text", {"embedding": [0.5, -0.25, 0, 0, 0, 0, 0, 1]})
    with recording(provider, tmp_path) as server:
        had = embed(server)
        assert embed(server) == had
        (told, _) = server.get_requests()
    assert told["response"]["source"] == "proxy"
    (entry,) = recorded(tmp_path)
    assert entry["match"]["endpoint"] == "embedding"
    with AIMock(fixtures=tmp_path, strict=True) as server:
        assert embed(server) == had
    assert had.data[0].embedding == [0.5, -0.25, 0, 0, 0, 0, 0, 1]
    assert len(had.data) == (1 if isinstance(asked, str) else len(asked))


def test_a_bedrock_key_is_a_bearer_s(provider: AIMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no signature, so it goes on as it is; boto3 sends it over TLS only."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-bedrock-key")
    question = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Now text?"}]}]}

    def ask(server: AIMock) -> str:
        session = boto3.Session(region_name="us-east-1")
        client = session.client("bedrock-runtime", endpoint_url=server.url, verify=str(server.ca_file))
        with contextlib.closing(client):
            events = client.converse_stream(**question)["stream"]
            deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
        return "".join(delta["text"] for delta in deltas)

    with AIMock(api_keys=["a-bedrock-key"]) as guarded:
        guarded.on_message("Now text?", {"content": "Hello, you"})
        with recording(guarded, tmp_path, tls=True) as server:
            assert ask(server) == "Hello, you"
            assert "a-bedrock-key" not in str(server.get_requests())
        assert [each["response"]["status"] for each in guarded.get_requests()] == [200]
    with AIMock(fixtures=tmp_path, strict=True, tls=True) as server:
        assert ask(server) == "Hello, you"
    assert not any("a-bedrock-key" in text for text in texts(tmp_path))
