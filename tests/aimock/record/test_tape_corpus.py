"""All recorded traffic on tape: whatever a provider sent is the same again, bytes, times and reply, through the text of
a fixture file. Counts are told at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aimock.fixtures import load_source
from aimock.fixtures.structure import response_json
from aimock.fixtures.text import entry_text
from aimock.record.tape import Tape, TapeWriter, seal_of, tape_beside, tape_json
from aimock_protocols.canonical import WireError
from aimock_protocols.registry import PROTOCOLS
from recorded import body_of, is_stream, needs_corpus, rows_of

pytestmark = needs_corpus


class Traffic(NamedTuple):
    """That of one file."""

    protocol: str
    rows: int
    streams: int = 0


FILES = {
    "anthropic.messages": Traffic("anthropic_messages", 144, 9),
    "bedrock.converse": Traffic("bedrock_converse", 106),
    "bedrock.converse-stream": Traffic("bedrock_converse", 5, 4),
    "bedrock.invoke": Traffic("bedrock_invoke", 13),
    "cohere.chat": Traffic("cohere", 3),
    "cohere.embed": Traffic("cohere.embed", 2),
    "gemini.generate": Traffic("gemini", 195, 12),
    "openai.chat": Traffic("openai_chat", 241, 32),
    "openai.embeddings": Traffic("openai_embeddings", 4),
    "openai.responses": Traffic("openai_responses", 162, 12),
}
SIZES = (1, 7, 1000)
"""Bytes in which streams come."""


def reply_of(protocol: Any, row: dict[str, Any]) -> Any:
    """What the row answers, be it an error."""
    try:
        return protocol.collapse([body_of(row)]) if is_stream(row) else protocol.parse(body_of(row))
    except WireError as error:
        return error.reply


def taped(protocol: str, row: dict[str, Any], size: int, seal: str) -> tuple[Tape, Any, dict[int, float]]:
    """The tape of a row that comes in pieces of a size, its timings, and when each of its bytes came."""
    body, came = body_of(row), {}
    headers = (("content-type", row["content_type"]),)
    room: dict[str, Any] = {"max_bytes": 1 << 26, "max_frames": 5_000_000, "warn": pytest.fail}
    writer = TapeWriter(protocol, row["status"], headers, is_stream=is_stream(row), **room)
    now = 20.0
    for at in range(0, len(body), size):
        now += 0.1 * (at % 7)
        came[at // size] = round(now, 1)
        writer.feed(body[at : at + size], now)
    writer.end(now)
    return writer.tape(seal), writer.timings(), came


@pytest.mark.parametrize(("name", "traffic"), FILES.items(), ids=FILES)
def test_all_of_it_is_the_same_again(
    tmp_path: Path, record_property: Callable[[str, object], None], name: str, traffic: Traffic
) -> None:
    protocol: Any = next(each for each in PROTOCOLS if each.name == traffic.protocol).load()
    entries: list[dict[str, Any]] = []
    expected: list[tuple[Any, Tape]] = []
    rows = rows_of(name)
    for number, row in enumerate(rows):
        reply = reply_of(protocol, row)
        response = response_json(reply)
        sizes = SIZES if is_stream(row) else (1000,)
        for size in sizes:
            tape, timings, came = taped(traffic.protocol, row, size, seal_of(response))
            assert tape.body == body_of(row)
            if is_stream(row):
                place, now = 0, 0.0
                for gap, frame in tape.frames:
                    place += len(frame)
                    now = round(now + gap, 1)
                    assert now == came[(place - 1) // size], "a frame came when its last byte did"
                gaps = [gap for gap, _ in tape.frames]
                told = [] if timings is None else [timings["ttftMs"], *timings["interChunkDelaysMs"]]
                assert told == (gaps if len(gaps) > 1 else [])
            file = f"{number}-{size}.bin"
            (tmp_path / file).write_bytes(tape.body)
            for recording in (tape_json(tape), tape_beside(tape, file)):
                match = {"userMessage": f"{number}", "sequenceIndex": len(entries)}
                entries.append({"match": match, "response": response, "recording": recording})
                expected.append((reply, tape))
    (tmp_path / "recorded.json").write_text(entry_text(entries))
    problems: list[Any] = []
    read = load_source(tmp_path, problems.append)
    assert problems == []
    same = [
        ((fixture.response.reply or fixture.response.vectors), fixture.recording) == those
        for fixture, those in zip(read, expected, strict=True)
    ]
    streams = sum(map(is_stream, rows))
    record_property(
        "counted",
        f"{name}: {len(rows)} rows, {streams} of them streams; {sum(same)} of {len(same)} tapes the same again",
    )
    assert (len(rows), streams) == (traffic.rows, traffic.streams)
    assert all(same)
