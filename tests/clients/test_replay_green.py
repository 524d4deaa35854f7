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
ALIKE = ("openai", "openai responses", "anthropic", "google-genai", "boto3 converse", "cohere ClientV2", "ollama")
MOST_STEPS = 3
"""Of an agent for one prompt: it does not go on for ever with a model that always calls its tools."""
MODEL = "a-model"

Message = dict[str, Any]


class Agent(NamedTuple):
    """What is told to a model, by an agent that calls the tools that it wants called until it wants none."""

    client: str
    stream: bool
    system: str | None
    tools: Sequence[str]
    result: str
    """What its tools give."""
    prompts: Sequence[str]


agents = st.builds(
    Agent,
    st.sampled_from(ALIKE),
    st.booleans(),
    st.sampled_from([None, "Be brief.", "Be long."]),
    st.sampled_from([(), ("weather",), ("weather", "time")]),
    st.sampled_from(["sunny", "rainy"]),
    st.lists(st.sampled_from(["hi", "hi there", "go on"]), min_size=1, max_size=3),
)
runs = st.lists(st.lists(agents, min_size=1, max_size=4), min_size=1, max_size=2)
wants = st.lists(st.sampled_from([0, 0, 1, 2]), min_size=1, max_size=5)
"""How many tools the model wants called in each answer, over and over again; none is an answer in text."""


def function(name: str) -> Message:
    parameters = {"type": "object", "properties": {"number": {"type": "integer"}}}
    return {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": parameters}}


def live(agent: Agent, client: Client) -> list[Seen]:
    """All that the agent is answered."""
    messages: list[Message] = [] if agent.system is None else [{"role": "system", "content": agent.system}]
    tools, answers = [function(name) for name in agent.tools], []
    for prompt in agent.prompts:
        messages.append({"role": "user", "content": prompt})
        for _ in range(MOST_STEPS):
            seen = client.ask(Question(tuple(messages), tools), agent.stream)
            answers.append(seen)
            messages += turn(seen, len(answers), agent.result)
            if not seen.calls:
                break
    return answers


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


@settings(max_examples=25)
@given(runs, wants)
def test_what_agents_were_answered_they_are_answered_again(
    provider: AIMock,
    host: AIMock,
    client: Callable[[str], Client],
    runs: list[list[Agent]],
    wants: list[int],
) -> None:
    """Over several runs, of which each records into what those before have recorded."""
    numbers = itertools.count()

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        number = next(numbers)
        names = [tool["function"]["name"] for tool in body.get("tools") or ()]
        calls = [{"name": name, "arguments": {"number": number}} for name in names[: wants[number % len(wants)]]]
        return {"toolCalls": calls} if calls else {"content": f"answer {number}"}

    provider.reset().on({}, answer)
    with tempfile.TemporaryDirectory() as top:
        answers: list[list[Seen]] = []
        for run in runs:
            with recording(host, provider, top):
                answers.append([seen for agent in run for seen in live(agent, client(agent.client))])
        asked = next(numbers)
        assert len(recorded(Path(top))) == asked, "nothing is asked for twice, and nothing is lost"
        with host.hosting(AIMock(fixtures=top, strict=True)):
            for run, had in zip(runs, answers, strict=True):
                assert [seen for agent in run for seen in live(agent, client(agent.client))] == had
        assert next(numbers) == asked + 1, "the provider was not asked again"
