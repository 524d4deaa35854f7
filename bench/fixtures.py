"""The fixture directories that the servers are given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CHUNK_SIZE = 20
"""Characters per streamed slice: the default of every server measured."""
FRAMES = 10
"""Events of the streamed answer: the role, the slices, the finish reason, `[DONE]`."""

GREETING = "hello benchmark"
ANSWER = ("The quick brown fox jumps over the lazy dog. " * 4)[: CHUNK_SIZE * (FRAMES - 3)]


def conversation(directory: Path) -> Path:
    """Ten fixtures of which the fifth answers GREETING with ANSWER."""
    others = [_fixture(f"unrelated topic {number}", "unused") for number in range(9)]
    return _write(directory, [*others[:4], _fixture(GREETING, ANSWER), *others[4:]])


def haystack(directory: Path, size: int) -> Path:
    """`size` fixtures that differ in their text only; `needle(size)` matches the last one and no other."""
    return _write(directory, [_fixture(needle(number), needle_answer(number)) for number in range(1, size + 1)])


def needle(number: int) -> str:
    """Zero-padded: no needle is a substring of another."""
    return f"question {number:07d}"


def needle_answer(number: int) -> str:
    return f"answer {number:07d}"


@dataclass(frozen=True)
class Pacing:
    """A streamed answer and its timing."""

    prompt: str
    ttft: int
    """Milliseconds."""
    tps: int
    slices: int
    slice_size: int = CHUNK_SIZE
    """Characters of a slice."""
    jitter: float = 0
    """The part of a gap by which it may be shorter or longer."""

    @property
    def counted(self) -> int:
        """Frames that have a time of their own: the role, the slices, the finish reason. `[DONE]` follows at once."""
        return self.slices + 2

    @property
    def content(self) -> str:
        return (ANSWER * (self.slices * self.slice_size // len(ANSWER) + 1))[: self.slices * self.slice_size]


def paced(directory: Path, pacings: list[Pacing]) -> Path:
    """One fixture for each."""
    return _write(
        directory,
        [
            _fixture(pacing.prompt, pacing.content)
            | {
                "chunkSize": pacing.slice_size,
                "streamingProfile": {"ttft": pacing.ttft, "tps": pacing.tps, "jitter": pacing.jitter},
            }
            for pacing in pacings
        ],
    )


def _fixture(user_message: str, content: str) -> dict[str, object]:
    return {"match": {"userMessage": user_message}, "response": {"content": content}}


def _write(directory: Path, fixtures: list[dict[str, object]]) -> Path:
    directory.mkdir(parents=True)
    (directory / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
    return directory
