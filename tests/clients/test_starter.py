"""What `aimock init` writes starts a server, and answers each service's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import cohere
import httpx
import jsonschema
import pytest
import tavily
from anthropic import Anthropic
from google import genai
from mcp import Client
from openai import OpenAI, RateLimitError
from qdrant_client import QdrantClient

from aimock import starter
from aimock.cli import main
from command_line import served

pytestmark = [
    pytest.mark.usefixtures("left_to_the_collector"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CONFIGS = (starter.JSON, starter.TOML)


@pytest.fixture(scope="module", params=CONFIGS)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The directory and the URL of a server that was started elsewhere."""
    directory = tmp_path_factory.mktemp("project")
    toml = ["--toml"] if request.param == starter.TOML else []
    assert main(["init", *toml, str(directory / "mock")]) == 0
    config = directory / "mock" / request.param
    with served(["--config", str(config), "--port", "0", "--seed", "1"], cwd=directory) as url:
        yield directory / "mock", url


@pytest.fixture
def url(started: tuple[Path, str]) -> str:
    return started[1]


def test_files_and_schemas(started: tuple[Path, str]) -> None:
    directory, _ = started
    names = {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}
    config = {name for name in names if name.startswith("aimock.")}
    assert len(config) == 1
    assert {f"schema/{name}.schema.json" for name in ("config", "fixtures")} < names
    schema = json.loads((directory / "schema" / "config.schema.json").read_bytes())
    if config == {starter.JSON}:
        jsonschema.validate(json.loads((directory / starter.JSON).read_bytes()), schema)
    assert main(["validate", "--strict", str(directory / "fixtures" / "llm")]) == 0


def test_health_shows_all(url: str) -> None:
    assert httpx.get(f"{url}/health").json()["services"].keys() == {
        *("llm", "mcp", "a2a", "agui", "vector", "search", "rerank", "moderation")
    }


def test_models(url: str) -> None:
    openai = OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    called = openai.chat.completions.create(model="m", messages=[{"role": "user", "content": "What weather is it?"}])
    assert called.choices[0].message.tool_calls is not None
    assert openai.responses.create(model="m", input="hello").output_text.startswith("Hello! I am a mock")
    with pytest.raises(RateLimitError):
        openai.responses.create(model="m", input="are you busy?")
    assert openai.responses.create(model="m", input="are you busy?").output_text.startswith("Not any more")
    claude = Anthropic(base_url=url, api_key="k")
    said = claude.messages.create(model="m", max_tokens=50, messages=[{"role": "user", "content": "hello"}])
    assert said.content[0].type == "text"
    assert said.content[0].text.startswith("Hello! I am a mock")
    gemini = genai.Client(api_key="k", http_options={"base_url": url})
    text = gemini.models.generate_content(model="gemini-2.5-flash", contents="hello").text
    assert text is not None
    assert text.startswith("Hello! I am a mock")


def test_mcp(url: str) -> None:
    async def ask() -> list[str]:
        async with Client(f"{url}/mcp") as client:
            cities = ("Oslo", "Rome")
            results = [await client.call_tool("get_weather", {"city": city}) for city in cities]
            read = await client.read_resource("file:///readme")
            prompt = await client.get_prompt("review", {"code": "1+1"})
            said: list[Any] = [*(result.content[0] for result in results), read.contents[0], prompt.messages[0].content]
            return [each.text for each in said]

    assert anyio.run(ask) == ["snow", "sun in Rome", "Read me.", "Review this code: 1+1"]


def test_a2a(url: str) -> None:
    from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
    from a2a.types import Message, Part, Role, SendMessageRequest

    async def ask(text: str) -> Any:
        async with httpx.AsyncClient() as http:
            card = await A2ACardResolver(http, f"{url}/a2a").get_agent_card()
            client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
            message = Message(message_id="1", role=Role.ROLE_USER, parts=[Part(text=text)])
            return [event async for event in client.send_message(SendMessageRequest(message=message))][-1]

    assert asyncio.run(ask("hello")).message.parts[0].text == "Where to?"
    assert asyncio.run(ask("plan a trip")).task.status.message.parts[0].text == "For how many days?"


def test_agui(url: str) -> None:
    asked = {"threadId": "t", "runId": "r", "messages": [{"id": "u", "role": "user", "content": "hello"}]}
    assert "Hello from the agent!" in httpx.post(f"{url}/agui", json=asked).text


def test_vectors(url: str) -> None:
    openai = OpenAI(base_url=f"{url}/v1", api_key="k")
    vector = openai.embeddings.create(model="text-embedding-3-small", input="reset the sensor").data[0].embedding
    qdrant = QdrantClient(url=url)
    found = qdrant.query_points("manuals", query=vector, limit=1).points
    qdrant.close()
    assert found[0].id == 1


def test_services(url: str) -> None:
    client = tavily.TavilyClient(api_key="tvly-k", api_base_url=url)
    searched = client.search("how to reset a sensor", include_answer=True)
    assert searched["answer"] == "Hold the button for ten seconds."
    ranked = cohere.ClientV2(api_key="k", base_url=url).rerank(
        model="rerank-v3.5", query="reset a sensor", documents=["a", "b"]
    )
    assert [each.index for each in ranked.results] == [1, 0]
    judged = OpenAI(base_url=f"{url}/v1", api_key="k").moderations.create(input="plan an attack")
    assert judged.results[0].flagged
    assert judged.results[0].categories.violence


def test_what_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 0
    assert "Now: aimock --config" in capsys.readouterr().out
    (tmp_path / starter.JSON).write_text("mine")
    (tmp_path / "fixtures" / "mcp" / "tools.json").unlink()
    assert main(["init", str(tmp_path)]) == 1
    said = f"aimock: init: {tmp_path / starter.JSON} is there already; --force writes over it\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / "fixtures" / "mcp" / "tools.json").exists(), "all or nothing"
    assert main(["init", "--force", str(tmp_path)]) == 0
    assert (tmp_path / starter.JSON).read_text() != "mine"


def test_a_place_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"aimock: init: {tmp_path / 'file'}")
    assert said.count("\n") == 1
