"""Record-green implies replay-green: what agents were answered while recording, the recordings answer them.

Whatever agents there are, and however much alike: the same prompts again and again, with other system prompts, tools,
and results of tools. The provider answers every request otherwise than any before, as models do.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock import AIMock
from matrix import CLIENTS, Client, Question, Seen, load
from recording_provider import recorded

MISSING = load("clients")

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.usefixtures("left_to_the_collector"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock", "cohere", "ollama")
SPEAKING = ("openai", "openai responses", "anthropic", "google-genai", "boto3 converse", "cohere ClientV2", "ollama")
MOST_STEPS = 3
"""Of an agent for one prompt: it does not go on for ever with a model that always calls its tools."""

Message = dict[str, Any]


class Agent(NamedTuple):
    """What is told to a model, by an agent that calls the tools that it wants called until it wants none."""

    stream: bool
    system: str | None
    tools: Sequence[str]
    result: str
    """What its tools give."""
    prompts: Sequence[str]


agents = st.builds(
    Agent,
    st.booleans(),
    st.sampled_from([None, "Be brief."]),
    st.sampled_from([("weather",), ("weather", "time"), ("weather",), ()]),
    st.sampled_from(["sunny", "rainy"]),
    st.sampled_from([("hi",), ("hi", "hi there"), ("hi", "hi", "hi")]),
)
runs = st.lists(st.lists(agents, min_size=1, max_size=4), min_size=1, max_size=2)
wants = st.lists(st.sampled_from([1, 0, 2]), min_size=1, max_size=5)
"""How many tools the model wants called in each answer, over and over again; none is an answer in text."""


def function(name: str) -> Message:
    parameters = {"type": "object", "properties": {"number": {"type": "integer"}}}
    return {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": parameters}}


class Asked(NamedTuple):
    question: Question
    seen: Seen


def live(agent: Agent, client: Client) -> Iterator[Asked]:
    """All that the agent asks, and is answered."""
    messages: list[Message] = [] if agent.system is None else [{"role": "system", "content": agent.system}]
    tools, number = [function(name) for name in agent.tools], 0
    for prompt in agent.prompts:
        messages.append({"role": "user", "content": prompt})
        for _ in range(MOST_STEPS):
            question, number = Question(tuple(messages), tools), number + 1
            seen = client.ask(question, agent.stream)
            yield Asked(question, seen)
            messages += turn(seen, number, agent.result)
            if not seen.calls:
                break


def turn(seen: Seen, number: int, result: str) -> Iterator[Message]:
    """What is said of an answer from then on; the agent has ids of its own for calls."""
    if not seen.calls:
        yield {"role": "assistant", "content": seen.text}
        return
    calls = {f"call_{number}_{place}": call for place, call in enumerate(seen.calls)}
    told = [
        {"id": key, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for key, call in calls.items()
    ]
    yield {"role": "assistant", "content": None, "tool_calls": told}
    for key in calls:
        yield {"role": "tool", "tool_call_id": key, "content": result}


# -- the servers, which are started once -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider() -> Iterator[AIMock]:
    with AIMock() as server:
        yield server


@pytest.fixture(scope="module")
def host() -> Iterator[AIMock]:
    with AIMock() as server:
        yield server


@pytest.fixture(scope="module")
def client(host: AIMock) -> Iterator[Callable[[str], Client]]:
    with contextlib.ExitStack() as stack:

        @functools.cache
        def made(name: str) -> Client:
            each = CLIENTS[name](host.url)
            stack.callback(each.close)
            return each

        yield made
    made.cache_clear()


@contextlib.contextmanager
def recording(host: AIMock, provider: AIMock, top: str) -> Iterator[None]:
    """The host records into this directory meanwhile, and answers from what is there. At the end all is saved: some
    clients have their answers before that."""
    record = {"providers": dict.fromkeys(PROVIDERS, provider.url), "fixturePath": top}
    guest = AIMock(record=record, fixtures=top)
    recorder, closed = guest._state.recorder, threading.Event()
    assert recorder is not None
    aclose = recorder.aclose

    async def noted() -> None:
        await aclose()
        closed.set()

    recorder.aclose = noted  # type: ignore[method-assign]
    with host.hosting(guest):
        yield
    assert closed.wait(30)


@pytest.mark.parametrize("name", SPEAKING)
@settings(max_examples=8)
@given(runs, wants)
def test_what_agents_were_answered_they_are_answered_again(
    provider: AIMock,
    host: AIMock,
    client: Callable[[str], Client],
    name: str,
    runs: list[list[Agent]],
    wants: list[int],
) -> None:
    """Over several runs, of which each records into what those before have recorded."""
    numbers, asking = itertools.count(), client(name)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        number = next(numbers)
        names = [tool["function"]["name"] for tool in body.get("tools") or ()]
        calls = [{"name": name, "arguments": {"number": number}} for name in names[: wants[number % len(wants)]]]
        return {"toolCalls": calls} if calls else {"content": f"answer {number}"}

    provider.reset().on({}, answer)
    with tempfile.TemporaryDirectory() as top:
        had: list[list[Asked]] = []
        for run in runs:
            with recording(host, provider, top):
                had.append([asked for agent in run for asked in live(agent, asking)])
        different = {json.dumps(asked.question) for each in had for asked in each}
        assert next(numbers) == len(recorded(Path(top))) == len(different), "each is asked once, and none is lost"
        with host.hosting(AIMock(fixtures=top, strict=True)):
            for run, each in zip(runs, had, strict=True):
                assert [asked for agent in run for asked in live(agent, asking)] == each
        assert next(numbers) == len(different) + 1, "the provider was not asked again"
