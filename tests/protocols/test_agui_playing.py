"""What is read of a request, and what is made of a fixture's events for one run."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agui_runs import FULL_EVENTS, JSON, PARTS, asking, events_in, run_ids
from aimock_protocols.agui import parts
from aimock_protocols.agui.playing import collapsed, error_frame, frames, played
from aimock_protocols.agui.run_input import InputError, read_input
from aimock_protocols.agui.written import WrittenError, read_run
from aimock_protocols.canonical import ENTROPY_BYTES, Stamp

STAMP = Stamp(1_700_000_000.0, bytes(ENTROPY_BYTES))

BODIES = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["user", "tool", "x"])}, optional={"content": JSON})
        )
    },
    optional=dict.fromkeys(("threadId", "runId", "tools", "state", "resume", "context"), JSON),
)


@given(
    st.binary() | BODIES.map(lambda body: json.dumps(body).encode()) | JSON.map(lambda body: json.dumps(body).encode())
)
def test_any_request_is_read_or_refused(body: bytes) -> None:
    try:
        asked = read_input(body)
    except InputError:
        return
    assert asked.last_user_text is None or asked.last_user_text
    assert asked.last_tool_call_id is None or isinstance(asked.last_tool_call_id, str)
    assert all(isinstance(name, str) for name in asked.tool_names)
    assert asked.assistant_turns == 0


def test_what_is_null_at_the_top_is_not_there() -> None:
    asked = read_input(json.dumps(asking() | {"tools": None, "resume": None, "state": None, "runId": None}).encode())
    assert (asked.resume, [*asked.tool_names], asked.run_id) == ([], [], None)


@given(st.lists(PARTS, max_size=3), st.integers(0, 255))
def test_the_same_stamp_gives_the_same_run_and_another_one_other_ids(some: list[parts.Part], seed: int) -> None:
    events = parts.run(parts.text("x"), *some)
    once, again, other = (played(events, run_ids(number)) for number in (seed, seed, (seed + 1) % 256))
    assert once == again
    assert once[1]["messageId"] != other[1]["messageId"]
    assert [event["type"] for event in once] == [event["type"] for event in other]


@given(st.text(max_size=40), st.integers(1, 6))
def test_a_text_that_is_cut_is_the_same_text(text: str, size: int) -> None:
    events = played(parts.run(parts.text(text), parts.reasoning(text), parts.tool_call("f", text)), run_ids(), size)
    for kind in ("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT", "TOOL_CALL_ARGS"):
        assert "".join(event["delta"] for event in events if event["type"] == kind) == text


@given(st.lists(PARTS, max_size=3), st.integers(1, 9))
def test_a_stream_is_read_as_what_it_was_made_of(some: list[parts.Part], size: int) -> None:
    """However it is split on its way."""
    events = played(parts.run(*some), run_ids())
    made = [*frames(events, [0.5 * place for place in range(len(events))], STAMP)]
    body = b"".join(frame.data for _, frame in made)
    assert collapsed(body[at : at + size] for at in range(0, len(body), size)) == events_in(body)
    stamps = [event.pop("timestamp") for event in events_in(body)]
    assert stamps == [round((1_700_000_000 + offset) * 1000) for offset, _ in made]


def test_an_error_in_the_midst() -> None:
    (event,) = events_in(error_frame("down", "E1", STAMP).data)
    assert event == {"type": "RUN_ERROR", "message": "down", "code": "E1", "timestamp": 1_700_000_000_000}


@pytest.mark.parametrize("body", [b"data: 3\n\n", b'data: {"type": 3}\n\n', b"data: {\n\n"])
def test_what_is_no_event(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"type|JSON|unexpected"):
        collapsed([body])


MEMBERS: Any = st.lists(
    st.dictionaries(
        st.sampled_from(["text", "step", "run", "toolCall", "arguments", "custom", "value", "x"]), JSON, max_size=3
    )
    | st.sampled_from(FULL_EVENTS)
    | JSON,
    max_size=3,
)


@given(MEMBERS | JSON, st.dictionaries(st.sampled_from(["interrupts", "result", "usage", "outcome"]), JSON, max_size=2))
def test_whatever_is_written_is_a_run_or_refused(given_run: Any, ending: dict[str, Any]) -> None:
    with contextlib.suppress(WrittenError):
        events = read_run(given_run, "run", ending)
        assert events[0] == {"type": "RUN_STARTED"}
