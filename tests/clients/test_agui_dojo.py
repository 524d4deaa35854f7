"""The AG-UI dojo's fixtures, unchanged: every file loads without a complaint and every entry answers, in every way.

They are another project's data and are not kept in this one; they lie beside the repository, or the tests skip.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import DefaultHttpxClient, OpenAI

from aimock import AIMock
from aimock.fixtures.check import check_paths

DOJO = Path(__file__).parents[2].parent / "shared" / "agui-dojo"
FILES = sorted(DOJO.glob("*.json"))


def entries(file: Path) -> list[dict[str, Any]]:
    return list(json.loads(file.read_text())["fixtures"])


def first_match(file: Path, text: str) -> dict[str, Any]:
    """The response that is due by the rule of the format: the first entry whose text the request contains."""
    return next(entry["response"] for entry in entries(file) if entry["match"]["userMessage"] in text)


ASKED = [
    pytest.param(file, entry["match"]["userMessage"], id=f"{file.stem}: {entry['match']['userMessage']}")
    for file in FILES
    for entry in entries(file)
] or [pytest.param(None, None, marks=pytest.mark.skip(f"no fixtures of the AG-UI dojo in {DOJO}"))]


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[Path, OpenAI]]:
    """For each file a server that has it alone, in slices of seven characters."""
    running: list[AIMock] = []
    connected: dict[Path, OpenAI] = {}
    try:
        for file in FILES:
            running.append(AIMock.create(fixtures=file, chunk_size=7, strict=True))
            connected[file] = OpenAI(
                base_url=f"{running[-1].url}/v1",
                api_key="test",
                max_retries=0,
                http_client=DefaultHttpxClient(verify=False),
            )
        yield connected
    finally:
        for client in connected.values():
            client.close()
        for server in running:
            server.stop()


def question(text: str) -> dict[str, Any]:
    return {"model": "o3", "messages": [{"role": "user", "content": f"Please: {text}!"}]}


def declared(response: dict[str, Any]) -> tuple[Any, Any, list[tuple[str, str, str]]]:
    calls = [(call["id"], call["name"], call["arguments"]) for call in response.get("toolCalls", ())]
    return response.get("content"), response.get("reasoning"), calls


@pytest.mark.parametrize(("file", "text"), ASKED)
def test_every_entry_answers_whole(clients: dict[Path, OpenAI], file: Path, text: str) -> None:
    message = clients[file].chat.completions.create(**question(text)).choices[0].message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    answer = (message.content, getattr(message, "reasoning_content", None), calls)
    assert answer == declared(first_match(file, f"Please: {text}!"))


@pytest.mark.parametrize(("file", "text"), ASKED)
def test_every_entry_answers_streamed(clients: dict[Path, OpenAI], file: Path, text: str) -> None:
    wanted = declared(first_match(file, f"Please: {text}!"))
    reasoning = ""
    with clients[file].chat.completions.stream(**question(text)) as stream:
        for event in stream:
            if event.type == "chunk" and event.chunk.choices:
                reasoning += getattr(event.chunk.choices[0].delta, "reasoning_content", None) or ""
        message = stream.get_final_completion().choices[0].message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    assert (message.content, reasoning or None, calls) == wanted


@pytest.mark.parametrize(
    "file",
    FILES or [pytest.param(None, marks=pytest.mark.skip(f"nothing in {DOJO}"))],
    ids=lambda file: file.stem if file else "absent",
)
def test_every_file_is_found_sound(file: Path) -> None:
    report = check_paths([str(file)])
    (checked,) = report.files
    assert (checked.fixtures, checked.findings, checked.fatal) == (len(entries(file)), [], None)


@pytest.mark.skipif(not FILES, reason=f"nothing in {DOJO}")
def test_no_entry_is_hidden_behind_another_of_its_file() -> None:
    """What the tests above rest on: they reach every entry, and not just the first of several."""
    reached = [first_match(file, entry["match"]["userMessage"]) for file in FILES for entry in entries(file)]
    assert reached == [entry["response"] for file in FILES for entry in entries(file)]
    assert len(reached) > 40


@pytest.mark.skipif(not FILES, reason=f"nothing in {DOJO}")
def test_all_files_load_together() -> None:
    with AIMock(fixtures=DOJO) as mock:
        assert len(mock.fixtures) == sum(len(entries(file)) for file in FILES)
