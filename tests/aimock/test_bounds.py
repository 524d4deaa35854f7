"""A server does not grow with what strangers send: whatever is kept of requests has a bound (core-lessons G4)."""

from __future__ import annotations

import gc
import json
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import pytest

from aimock import chaos, quotas, randomness, rendering, routing
from aimock.app import App
from aimock.fixtures import make_fixture
from aimock.net.exchange import Handler, Outcome, Request, Stream, Whole
from aimock.net.fast_lane import make_head
from aimock.quotas import Quota
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces import llm

FEW = 4


def reachable(root: object) -> int:
    """How many objects hang on this one; what belongs to the program itself is not counted."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | ModuleType | BuiltinFunctionType):
            continue
        seen.add(id(item))
        waiting += (item.__closure__ or ()) if isinstance(item, FunctionType) else gc.get_referents(item)
    return len(seen)


def ask(handler: Handler, number: int) -> None:
    """Some requests of which nothing has been seen before."""
    body: dict[str, Any] = {
        "model": f"m-{number}",
        "max_tokens": number,
        "stop_sequences": [f"s{number}"],
        "messages": [
            {"role": "system", "content": f"be {number}"},
            {"role": "user", "content": f"hello {number}"},
            {"role": "tool", "tool_call_id": f"c{number}", "content": f"r{number}"},
        ],
    }
    lines = [
        ("x-test-id", f"t{number}"),
        ("x-request-id", f"r{number}"),
        ("x-aimock-context", f"c{number}"),
        ("x-aimock-fault", f"overloaded;times={number + 1};rate=0.5"),
        ("authorization", f"Bearer k{number}"),
        ("anthropic-version", f"v{number}"),
        ("access-control-request-headers", f"h{number}"),
    ]
    for method, path in (
        ("POST", "/v1/chat/completions"),
        ("POST", f"/v1/chat/completions?a={number}"),
        ("POST", f"/{number}/chat/completions"),
        ("POST", f"/openai/deployments/d{number}/chat/completions"),
        ("POST", "/v1/messages"),
        ("POST", f"/v1/projects/{number}/locations/l/publishers/anthropic/models/m{number}:streamRawPredict"),
        ("POST", "/v1/messages/count_tokens"),
        ("GET", f"/v1/models/m{number}"),
        ("GET", f"/nope/{number}"),
        (f"M{number}", f"/__aimock/{number}"),
        ("OPTIONS", "/v1/chat/completions"),
        ("POST", "/__aimock/chaos"),
    ):
        head = make_head(method, path, lines)
        assert head is not None
        sent = {"faults": "empty"} if path.endswith("chaos") else body | {"stream": bool(number % 2)}
        answer = handler.answer(Request(head, json.dumps(sent).encode()))
        if isinstance(answer, Stream):
            list(answer.schedule)
        if isinstance(answer, Whole | Stream) and answer.on_end is not None:
            answer.on_end(Outcome.DELIVERED if number % 3 else Outcome.CLIENT_LEFT)


async def test_what_is_kept_of_requests_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """core-lessons G4, D11, field 2.51: whatever strangers can choose is chosen anew each time; and all bounds are
    lowered, so that few requests reach them."""
    for module, bounds in {
        chaos: ("_MAX_TEST_IDS", "_MAX_COUNTS"),
        quotas: ("_MAX_BUCKETS",),
        randomness: ("_GENERATION", "_MAX_KEYS"),
        routing: ("_KEPT",),
        llm: ("_KEPT", "_REMEMBERED"),
    }.items():
        for bound in bounds:
            monkeypatch.setattr(module, bound, FEW)
    monkeypatch.setattr(rendering, "_KEPT_BYTES", 8 * 1024)
    settings = Settings(
        seed=1,
        journal_max_entries=FEW,
        fixture_counts_max_test_ids=FEW,
        metrics=True,
        quota=Quota(requests_per_minute=1000),
        latency=5,
    )
    state = State(settings)
    for place in range(3):
        match = {"userMessage": "hello", "sequenceIndex": place}
        state.book.append([make_fixture({"match": match, "response": {"content": f"answer {place}"}})])
    state.book.append([make_fixture({"match": {"turnIndex": 7, "model": "m"}, "response": {"content": "x"}})])
    handler = App(state).counted()
    early, late = [], []
    for number in range(600):
        ask(handler, number)
        if 80 <= number < 100:
            early.append(reachable(handler))
        elif number >= 580:
            late.append(reachable(handler))
    assert len(state.journal) == FEW
    # What is bounded fills up and is emptied, each in its own rhythm; what leaks only ever grows.
    assert min(late) < min(early) + 400, "five hundred of everything more, and no object for each"
