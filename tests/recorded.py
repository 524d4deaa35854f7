"""Recorded traffic of real providers, which lies beside the repository, and a reader of it that knows none of our code.

Tests that need it are marked `needs_corpus`, and are skipped where it is not.
"""

from __future__ import annotations

import base64
import functools
import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

SHARED = Path(__file__).parents[2] / "shared"

needs_corpus = pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="no corpus of recorded traffic here")

_BYTES: dict[str, Callable[[Any], bytes]] = {"text": str.encode, "json": orjson.dumps, "base64": base64.b64decode}


def rows_of(name: str) -> list[dict[str, Any]]:
    """The exchanges of one file, `openai.chat` say."""
    with gzip.open(SHARED / "corpus" / f"{name}.jsonl.gz") as lines:
        return [orjson.loads(line) for line in lines]


def body_of(row: dict[str, Any]) -> bytes:
    """The body of the response."""
    return _BYTES[row["encoding"]](row["response"])


def is_stream(row: dict[str, Any]) -> bool:
    return "event-stream" in row["content_type"] or "eventstream" in row["content_type"]


@functools.cache
def independent_reader() -> ModuleType:
    """Has `summary(protocol, content_type, body)`: text, reasoning, tools, finish reason and usage."""
    spec = importlib.util.spec_from_file_location("wire", SHARED / "tools" / "lib" / "wire.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
