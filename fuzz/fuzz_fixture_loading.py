"""Invariant: whatever a fixture file holds, loading it raises nothing, and what it loads can be matched and shown.

Entries given by code may be refused, with FixtureError and nothing else. Run: python fuzz/fuzz_fixture_loading.py
-max_total_time=120 [corpus directory]
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from typing import Any

import orjson

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: pip install aimock[fuzz]")

from aimock_protocols.canonical import ChatRequest

with atheris.instrument_imports(include=["aimock.fixtures"]):
    from aimock.fixtures import (
        ENTRY_KEYS,
        MATCH_KEYS,
        RESPONSE_KEYS,
        Counters,
        FixtureBook,
        FixtureError,
        Missed,
        Question,
        describe,
        entries_from_json,
        load_source,
        respond,
        validate_fixtures,
    )
    from aimock.fixtures.explain import explain

KEYS = (
    *("fixtures", *ENTRY_KEYS, *MATCH_KEYS, *RESPONSE_KEYS),
    *("$regex", "$flags", "name", "arguments", "type", "text", "message", "afterChunks", "b64Json", "contentType"),
    *("ttft", "tps", "jitter", "dropRate", "latencyMs", "ttftMs", "interChunkDelaysMs", "is_byok", "cost_details"),
)
SCALARS = (None, True, False, 0, 1, -1, 0.5, 1e308, 2**63, "", "x", "text", "toolCall", "a[?b", "(a", "{}", "lower(@)")
BODY = {
    "model": "gpt-4o-2024-08-06",
    "messages": [{"role": "user", "content": "x text"}, {"role": "tool", "tool_call_id": "x", "content": "x"}, None],
    "tools": [{"function": {"name": "x"}}],
}


def json_value(data: atheris.FuzzedDataProvider, depth: int = 0) -> Any:
    match data.ConsumeIntInRange(0, 5 if depth < 5 else 2):
        case 0 | 1:
            return SCALARS[data.ConsumeIntInRange(0, len(SCALARS) - 1)]
        case 2:
            return data.ConsumeUnicodeNoSurrogates(8)
        case 3:
            return [json_value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 3))]
    keys = [KEYS[data.ConsumeIntInRange(0, len(KEYS) - 1)] for _ in range(data.ConsumeIntInRange(0, 4))]
    return {key: json_value(data, depth + 1) for key in keys}


def entry(data: atheris.FuzzedDataProvider) -> Any:
    """Mostly an entry of the right outline, which random JSON never is."""
    if data.ConsumeIntInRange(0, 9) == 0:
        return json_value(data)
    match, response, options = (
        {
            keys[data.ConsumeIntInRange(0, len(keys) - 1)]: json_value(data, 2)
            for _ in range(data.ConsumeIntInRange(0, 4))
        }
        for keys in (MATCH_KEYS, RESPONSE_KEYS, ENTRY_KEYS)
    )
    return {"match": match, "response": response or {"content": "x"}, **options}


def use(entries: list[Any]) -> None:
    validate_fixtures(entries)
    for each in entries:
        for build in (respond, lambda one: entries_from_json([one])):
            with contextlib.suppress(FixtureError):
                build(each)


def load(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
    fixtures = load_source(path, str)
    book, counters = FixtureBook(), Counters()
    book.replace_source(path, fixtures)
    for endpoint in ("chat", "embedding", "image"):
        question = Question(ChatRequest(BODY, BODY, endpoint=endpoint), context="x")
        if isinstance(book.match(question, counters), Missed):
            explain(book, question, counters)
    for fixture in fixtures:
        orjson.dumps(describe(fixture))


def main() -> None:
    logging.disable(logging.CRITICAL)
    scratch = tempfile.mkdtemp(prefix="aimock-fuzz-")
    path = os.path.join(scratch, "fixtures.json")

    def one_input(raw: bytes) -> None:
        data = atheris.FuzzedDataProvider(raw)
        if data.ConsumeBool():
            load(path, data.ConsumeBytes(len(raw)))
            return
        entries = [entry(data) for _ in range(data.ConsumeIntInRange(1, 4))]
        use(entries)
        load(path, orjson.dumps({"fixtures": entries}))

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
