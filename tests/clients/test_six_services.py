"""One request of an agent on its way through six services: one process, one port, one config file; and a fifth of all
that is asked goes wrong."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import anyio
import cohere
import httpx
import pytest
import tavily
from mcp import Client
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from qdrant_client import QdrantClient

from command_line import served

pytestmark = [
    pytest.mark.usefixtures("left_to_the_collector"),
    pytest.mark.filterwarnings("ignore"),  # what a client warns of after a broken answer is its own affair
]

T = TypeVar("T")

QUESTION = "How do I reset a sensor?"
FINAL = "Hold the button for ten seconds, then pair it again."
CHUNKS = ["Pairing takes a minute.", "Hold the button for ten seconds to reset.", "The battery lasts a year."]
WEB = "Press and hold, says the maker."
TOOL: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {"name": "find_manual", "parameters": {"type": "object", "properties": {"device": {"type": "string"}}}},
}
CONFIG: dict[str, Any] = {
    "strict": True,
    "llm": {
        "fixtures": "fixtures",
        "chaos": {"dropRate": 0.06, "rateLimitRate": 0.06, "malformedRate": 0.05, "disconnectRate": 0.05},
    },
    "mcp": {
        "tools": [
            {
                "name": "find_manual",
                "inputSchema": {"type": "object", "properties": {"device": {"type": "string"}}},
                "result": "manuals",
            }
        ]
    },
    "vector": {
        "collections": [
            {
                "name": "manuals",
                "dimension": 3,
                "vectors": [
                    {"id": place, "values": values, "metadata": {"text": text}}
                    for place, (values, text) in enumerate(
                        zip([[0.6, 0.8, 0], [0.8, 0.6, 0], [0, 0, 1]], CHUNKS, strict=True), 1
                    )
                ],
            }
        ]
    },
    "services": {
        "search": [
            {
                "match": {"query": "reset a sensor"},
                "results": [{"title": "Sensors", "url": "https://maker.example/reset", "content": WEB}],
            }
        ],
        "rerank": [
            {
                "match": {"query": "reset"},
                "results": [{"index": 0, "relevance_score": 0.9}, {"index": 2, "relevance_score": 0.4}],
            }
        ],
    },
}
FIXTURES: dict[str, Any] = {
    "fixtures": [
        {
            "match": {"toolCallId": "call_1", "toolResultContains": CHUNKS[1]},
            "response": {"content": FINAL},
        },
        {
            "match": {"userMessage": QUESTION, "toolName": "find_manual"},
            "response": {
                "toolCalls": [{"id": "call_1", "name": "find_manual", "arguments": {"device": "sensor"}}],
            },
        },
        {"match": {"endpoint": "embedding"}, "response": {"embedding": [1.0, 0.0, 0.0]}},
    ]
}
RUNS = 20
HOPS = ["llm", "mcp", "embedding", "vector", "search", "rerank", "llm"]
"""In the order in which an agent comes to them."""


@contextlib.contextmanager
def configured(directory: Path, seed: int) -> Iterator[str]:
    """A server's URL."""
    (directory / "fixtures").mkdir(exist_ok=True)
    (directory / "fixtures" / "agent.json").write_text(json.dumps(FIXTURES))
    (directory / "aimock.json").write_text(json.dumps(CONFIG))
    with served(["--config", "aimock.json", "--port", "0", "--seed", str(seed)], cwd=directory) as url:
        yield url


def insist(attempt: Callable[[], T]) -> T:
    """An agent that does not give up: whatever goes wrong, it asks once more."""
    for _ in range(40):
        with contextlib.suppress(Exception):
            return attempt()
    return attempt()


def answer(url: str) -> str | None:
    """What the agent says in the end."""
    llm = OpenAI(base_url=f"{url}/v1", api_key="test", max_retries=0)
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]

    def think() -> Any:
        return llm.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL]).choices[0].message

    picked = insist(think)
    [call] = picked.tool_calls
    collection = insist(lambda: anyio.run(run_tool, f"{url}/mcp", call.function.name, call.function.arguments))
    vector = insist(lambda: llm.embeddings.create(model="text-embedding-3-small", input=QUESTION)).data[0].embedding
    found = insist(lambda: retrieve(url, collection, vector))
    pages = insist(lambda: tavily.TavilyClient("tvly-test", api_base_url=url).search(QUESTION))["results"]
    passages = [*found, *(page["content"] for page in pages)]
    ranker = cohere.ClientV2("test", base_url=url)
    best = insist(
        lambda: ranker.rerank(
            model="rerank-v3.5", query=QUESTION, documents=passages, top_n=1, request_options={"max_retries": 0}
        )
    )
    messages += [
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": passages[best.results[0].index]},
    ]
    return str(insist(think).content)


async def run_tool(url: str, name: str, arguments: str) -> str:
    async with Client(url) as client:
        result = await client.call_tool(name, json.loads(arguments))
        return str(result.content[0].text)  # type: ignore[union-attr]


def retrieve(url: str, collection: str, vector: list[float]) -> list[str]:
    client = QdrantClient(url=f"{url}/vector", check_compatibility=False)
    found = client.query_points(collection, query=vector, limit=2, with_payload=True)
    client.close()
    return [point.payload["text"] for point in found.points if point.payload]


def hop(entry: dict[str, Any]) -> str:
    """Which of the services a request in the journal was for."""
    if entry.get("service"):
        return str(entry["service"])
    return "embedding" if entry["path"].endswith("/embeddings") else "llm"


def journal(url: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = httpx.get(f"{url}/__aimock/journal").json()
    return entries


def once_each(hops: list[str]) -> list[str]:
    """The way, without what is asked again at the same place."""
    return [where for where, _ in itertools.groupby(hops)]


def test_it_ends_right_whatever_goes_wrong_and_the_journal_tells_the_story(tmp_path: Path) -> None:
    stories = []
    for _ in range(2):
        with configured(tmp_path, seed=5) as url:
            for _ in range(RUNS):
                assert answer(url) == FINAL
            stories.append(
                [
                    (hop(entry), entry["response"]["status"], entry["response"].get("chaosAction"))
                    for entry in journal(url)
                ]
            )
    story = stories[0]
    assert story == stories[1], "a seed gives the same run again"
    answered = [where for where, status, fault in story if fault is None and status < 300]
    assert once_each(answered) == once_each(HOPS * RUNS)
    struck = collections.Counter(where for where, _, fault in story if fault is not None)
    assert struck.keys() >= set(HOPS), "chaos comes to every hop"
    assert 0.1 < struck.total() / len(story) < 0.35
    assert {fault for _, _, fault in story} >= {"drop", "rateLimit", "malformed", "disconnect"}
