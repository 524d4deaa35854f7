"""Sections and files of fixtures: what loads, and what is said of what does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agui_runs import FULL_EVENTS, JSON, run_ids, run_input
from aimock.fixtures.check import check_paths
from aimock.fixtures.load import FixtureFileError, parse_entries
from aimock.surfaces.agui import from_config
from aimock.surfaces.agui.fixture import Fixture, read_fixture
from aimock.surfaces.agui.match import read_match
from aimock.surfaces.agui.section import read_section
from aimock_protocols.agui.order import violation
from aimock_protocols.agui.playing import played
from aimock_protocols.agui.vocabulary import event_faults

START: dict[str, Any] = {"type": "RUN_STARTED"}
FINISH: dict[str, Any] = {"type": "RUN_FINISHED"}
ORPHAN: dict[str, Any] = {"type": "TEXT_MESSAGE_END", "messageId": "m"}


def section(**keys: Any) -> dict[str, Any]:
    return keys


def one(**entry: Any) -> dict[str, Any]:
    """A section with one fixture."""
    return {"fixtures": [{"match": {}} | entry]}


BAD: list[tuple[Any, str]] = [
    ([], "expected an object, got []"),
    (section(fixture=[]), 'fixture: unknown key, did you mean "fixtures"?'),
    (section(validate="no"), 'validate: expected true or false, got "no"'),
    (section(fixtures={}), "fixtures: expected an array, got {}"),
    (section(fixtures=[3]), "fixtures[0]: expected an object, got 3"),
    (section(fixtures=[{"text": "x"}]), "fixtures[0].match: is missing"),
    (section(fixtures=[{"match": [], "text": "x"}]), "fixtures[0].match: expected an object, got []"),
    (one(txt="x"), 'fixtures[0].txt: unknown key, did you mean "text"?'),
    (one(text=3), "fixtures[0].text: expected a string, got 3"),
    (one(text="x", run=[]), 'fixtures[0].run: does not go with "text"'),
    (one(run=[], events=[]), 'fixtures[0].run: does not go with "events"'),
    (one(run={}), "fixtures[0].run: expected an array of parts, got {}"),
    (one(run=[{}]), "fixtures[0].run[0]: it has none of text, textChunk,"),
    (one(run=[{"txet": 1}]), 'did you mean "text"?'),
    (one(run=[{"text": "a", "error": "b"}]), "fixtures[0].run[0]: text and error are two parts"),
    (one(run=[{"step": "s"}]), "fixtures[0].run[0].run: is missing"),
    (one(run=[{"step": "s", "run": [{"text": 3}]}]), "fixtures[0].run[0].run[0].text: expected a string, got 3"),
    (
        one(run=[{"toolCall": "f", "argument": {}}]),
        'fixtures[0].run[0].argument: unknown key, did you mean "arguments"?',
    ),
    (one(run=[{"stateDelta": [{"op": "add"}]}]), "fixtures[0].run[0].stateDelta[0].path: is missing"),
    (one(run=[{"type": "NOPE"}]), "fixtures[0].run: events[1].type: expected that of an event"),
    (one(run=[], interrupts=[{"id": "i"}]), "fixtures[0].interrupts[0].reason: is missing"),
    (one(run=[], interrupts=3), "fixtures[0].interrupts: expected an array, got 3"),
    (one(events=[START, FINISH], result=1), 'fixtures[0].result: goes with "text" or "run"'),
    (one(events={}), "fixtures[0].events: expected an array, got {}"),
    (one(events=[3]), "fixtures[0].events[0]: expected an object, got 3"),
    (one(events=[{}]), "fixtures[0].events[0].type: expected that of an event, got null"),
    (one(events=[START, {"type": "STEP_STARTED"}]), "fixtures[0].events[1].stepName: is missing"),
    (one(events=[START, ORPHAN]), 'fixtures[0].events[1]: TEXT_MESSAGE_END: no text message "m" is open'),
    (one(events=[FINISH]), "fixtures[0].events[0]: RUN_FINISHED: the first event must be RUN_STARTED"),
    (
        one(events=[START, {"type": "RAW", "event": 2**80}, FINISH]),
        "fixtures[0].events: cannot be sent as JSON: Integer",
    ),
    (one(events=[{"x": {1}}], validate=False), "fixtures[0].events: cannot be sent as JSON"),
    (one(text="x", validate=1), "fixtures[0].validate: expected true or false, got 1"),
    (one(text="x", delayMs=-1), "fixtures[0].delayMs: expected a number of 0 or more, got -1"),
    (one(text="x", delayMs=True), "fixtures[0].delayMs: expected a number of 0 or more, got true"),
    (one(text="x", chunkSize=0), "fixtures[0].chunkSize: must be"),
    (one(text="x", streamingProfile="quick"), "fixtures[0].streamingProfile: must be"),
    (one(text="x", match={"mesage": "x"}), 'fixtures[0].match.mesage: unknown key, did you mean "message"?'),
    (one(text="x", match={"message": 3}), "fixtures[0].match.message: must be a string"),
    (one(text="x", match={"message": {"$regex": "("}}), "fixtures[0].match.message: not a regular expression"),
    (one(text="x", match={"stateKey": 3}), "fixtures[0].match.stateKey: expected a string, got 3"),
    (
        one(text="x", match={"turnIndex": -1}),
        "fixtures[0].match.turnIndex: expected a whole number of 0 or more, got -1",
    ),
    (one(text="x", match={"predicate": "x"}), "fixtures[0].match.predicate: expected a function"),
    (one(text="x", match={"resume": 3}), "fixtures[0].match.resume: expected an object, got 3"),
    (one(text="x", match={"resume": {"id": "x"}}), "fixtures[0].match.resume.id: unknown key"),
    (
        one(text="x", match={"resume": {"status": "done"}}),
        "fixtures[0].match.resume.status: expected one of resolved, cancelled",
    ),
    (section(record=3), "record: expected an object, got 3"),
    (section(record={}), "record.upstream: is missing"),
    (section(record={"upstream": 3}), "record.upstream: expected a URL, got 3"),
    (section(record={"upstream": "ftp://x"}), "record.upstream: expected an http or https URL with a host"),
    (section(record={"upstream": "http://u:secret@x"}), "record.upstream: expected a URL without user and password"),
    (section(record={"upstream": "http://x", "url": 1}), "record.url: unknown key"),
    (section(record={"upstream": "http://x", "proxyOnly": 1}), "record.proxyOnly: expected true or false"),
    (
        section(record={"upstream": "http://x", "fixturePath": 1}),
        "record.fixturePath: expected the path of a directory",
    ),
    (section(fixtures="nowhere.json"), "nowhere.json: No such file or directory"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=lambda case: case[:60] if isinstance(case, str) else "")
def test_what_is_wrong_is_told_with_its_place(given: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        from_config(given, tmp_path)
    assert "secret" not in str(raised.value)


def test_the_reference_s_section_loads_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    told = {
        "fixtures": [
            {"match": {"message": "hello"}, "text": "Hi!", "delayMs": 0},
            {"match": {"toolCallId": "call_1"}, "events": [START, FINISH]},
            {"match": {"toolName": "f", "stateKey": "k"}, "text": "t", "events": []},
            {"match": {"message": "nothing to say"}},
        ]
    }
    loaded = read_section(told, Path()).fixtures
    assert len(loaded) == 3
    assert [event["type"] for event in loaded[2].events][1] == "TEXT_MESSAGE_START"
    assert "fixtures[3]: it has neither text, events nor a run; the entry is skipped" in caplog.text


def test_rules_can_be_waived_for_one_fixture_or_for_all(caplog: pytest.LogCaptureFixture) -> None:
    for told in (
        {"fixtures": [{"match": {}, "events": [ORPHAN, FINISH], "validate": False}]},
        {"validate": False, "fixtures": [{"match": {}, "events": [ORPHAN, FINISH]}]},
    ):
        assert len(read_section(told, Path()).fixtures) == 1
    with pytest.raises(ValueError, match="must be RUN_STARTED"):
        read_section({"validate": False, "fixtures": [{"match": {}, "events": [ORPHAN], "validate": True}]}, Path())
    with pytest.raises(ValueError, match="expected an object"):
        read_section({"validate": False, "fixtures": [{"match": {}, "events": [1]}]}, Path())
    assert not caplog.records


def test_a_run_that_does_not_end_is_served_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_section(one(events=[START]), Path()).fixtures) == 1
    assert "fixtures[0]: the run does not end: no RUN_FINISHED or RUN_ERROR comes last" in caplog.text


def test_fields_that_no_client_knows_are_remarked_on(caplog: pytest.LogCaptureFixture) -> None:
    events = [
        START,
        {"type": "STEP_STARTED", "stepName": "s", "time_stamp": 1},
        {"type": "STEP_FINISHED", "stepName": "s"},
    ]
    assert read_section(one(events=[*events, FINISH]), Path()).fixtures
    assert 'events[1].time_stamp: STEP_STARTED has no such field, did you mean "timestamp"?' in caplog.text


@pytest.mark.parametrize("validate", [True, False])
def test_events_nested_beyond_measure_are_refused(validate: bool) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    entry = {"match": {}, "events": [START, {"type": "RAW", "event": deep}, FINISH], "validate": validate}
    with pytest.raises(ValueError, match="cannot be sent as JSON"):
        read_fixture(entry)
    while deep:
        (deep,) = deep  # or Python would take it apart from the top, level by level


def test_fixtures_come_from_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.json").write_text(json.dumps({"fixtures": [{"match": {}, "text": "1"}]}))
    (tmp_path / "b" / "two.json").write_text(json.dumps([{"match": {}, "text": "2"}]))
    assert len(read_section({"fixtures": "b"}, tmp_path).fixtures) == 2
    assert len(read_section({"fixtures": "b/two.json"}, tmp_path).fixtures) == 1
    (tmp_path / "b" / "two.json").write_text(json.dumps([{"match": {}, "text": 2}]))
    with pytest.raises(ValueError, match=r"two\.json\[0\]\.text: expected a string, got 2"):
        read_section({"fixtures": "b"}, tmp_path)
    (tmp_path / "b" / "two.json").write_text("{")
    with pytest.raises(ValueError, match=r"two\.json: not JSON"):
        read_section({"fixtures": "b"}, tmp_path)


# -- what is accepted is in order --------------------------------------------------------------------------------------

ENTRIES = st.fixed_dictionaries(
    {"match": st.just({})},
    optional={
        "events": st.lists(
            st.sampled_from([START, FINISH, *FULL_EVENTS]) | st.dictionaries(st.text(), JSON), max_size=6
        ),
        "chunkSize": st.integers(1, 3),
        "interrupts": st.just([{"id": "i", "reason": "r"}]),
    },
) | st.fixed_dictionaries(
    {
        "match": st.just({}),
        "run": st.lists(
            st.sampled_from(
                [
                    {"text": "hello"},
                    {"text": "again", "messageId": "m"},
                    {"textChunk": "x"},
                    {"toolCall": "f", "arguments": {"a": 1}, "toolCallId": "c"},
                    {"reasoning": "hm"},
                    {
                        "step": "s",
                        "run": [{"subagent": "n", "subagentRunId": "a", "run": [{"text": "x", "messageId": "m"}]}],
                    },
                    {"error": "down"},
                    ORPHAN,
                    {"type": "STEP_STARTED", "stepName": "s"},
                ]
            ),
            max_size=5,
        ),
    },
    optional={"chunkSize": st.integers(1, 3), "interrupts": st.just([{"id": "i", "reason": "r"}])},
)


@given(ENTRIES, st.integers(0, 255))
def test_whatever_is_accepted_is_taken_by_clients(entry: dict[str, Any], seed: int) -> None:
    """Served with any ids and cut anyhow, it is well-formed and in order."""
    try:
        fixture = read_fixture(entry)
    except ValueError:
        return
    if fixture is None:
        return
    ids = run_ids(seed, threadId=f"thread {seed}", runId="run", parentRunId="p", protocolVersion="1.0")
    events = played(fixture.events, ids, fixture.delivery.chunk_size)
    assert not [fault for event in events for fault in event_faults(event)]
    assert violation(events) is None


# -- matching ----------------------------------------------------------------------------------------------------------

TOOL_RESULT = [
    {"role": "user", "content": "hi"},
    {"role": "assistant"},
    {"role": "tool", "toolCallId": "call_1", "content": ""},
]
ANSWER = [{"interruptId": "i1", "status": "resolved", "payload": {"ok": True, "by": "me"}}]


@pytest.mark.parametrize(
    ("match", "asked", "fits"),
    [
        ({}, {}, True),
        ({"message": "ell"}, {}, True),
        ({"message": "Hello"}, {}, False),
        ({"message": {"$regex": "^H", "$flags": "i"}}, {}, True),
        ({"message": re.compile("o$")}, {}, True),
        ({"message": ""}, {"messages": []}, False),
        (
            {"message": "old"},
            {"messages": [{"role": "user", "content": "old"}, {"role": "user", "content": " "}]},
            True,
        ),
        (
            {"message": "a b"},
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}],
                    }
                ]
            },
            True,
        ),
        ({"toolCallId": "call_1"}, {"messages": TOOL_RESULT}, True),
        ({"toolCallId": "call"}, {"messages": TOOL_RESULT}, False),
        ({"toolCallId": {"$regex": "^call"}}, {"messages": TOOL_RESULT}, True),
        ({"toolCallId": "call_1"}, {"messages": [*TOOL_RESULT, {"role": "user", "content": "x"}]}, False),
        ({"toolName": "f"}, {"tools": [{"name": "g"}, {"name": "f"}]}, True),
        ({"toolName": "f"}, {"tools": [{"name": "ff"}]}, False),
        ({"toolName": "f"}, {}, False),
        ({"stateKey": "k"}, {"state": {"k": None}}, True),
        ({"stateKey": "k"}, {"state": ["k"]}, False),
        ({"resume": True}, {"resume": ANSWER}, True),
        ({"resume": True}, {"resume": []}, False),
        ({"resume": False}, {}, True),
        ({"resume": {}}, {"resume": ANSWER}, True),
        ({"resume": {"interruptId": "i1", "status": "resolved"}}, {"resume": ANSWER}, True),
        ({"resume": {"interruptId": "i2"}}, {"resume": ANSWER}, False),
        ({"resume": {"status": "cancelled"}}, {"resume": ANSWER}, False),
        ({"resume": {"payload": {"ok": True}}}, {"resume": ANSWER}, True),
        ({"resume": {"payload": {"ok": 1}}}, {"resume": ANSWER}, False),
        ({"resume": {"payload": None}}, {"resume": ANSWER}, False),
        ({"turnIndex": 0}, {}, True),
        ({"turnIndex": 1}, {"messages": TOOL_RESULT}, True),
        ({"turnIndex": 0}, {"messages": TOOL_RESULT}, False),
        ({"message": "hello", "toolName": "f"}, {}, False),
        ({"predicate": lambda body: body["threadId"] == "t1"}, {}, True),
        ({"predicate": lambda body: body["nothing"]}, {}, False),
    ],
)
def test_matching(match: dict[str, Any], asked: dict[str, Any], fits: bool) -> None:
    assert read_match(match).fits(run_input(**asked)) is fits


# -- files of agents among those of models -----------------------------------------------------------------------------

RECORDED = {"fixtures": [{"match": {"message": "hello"}, "events": [START, FINISH]}]}
OF_MODELS = {"fixtures": [{"match": {"userMessage": "hello"}, "response": {"content": "hi"}}]}


def test_files_of_agents_are_not_read_as_those_of_models(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from aimock.fixtures import load_source

    (tmp_path / "agui-recorded").mkdir()
    (tmp_path / "agui-recorded" / "one.json").write_text(json.dumps(RECORDED))
    (tmp_path / "model.json").write_text(json.dumps(OF_MODELS))
    problems: list[Any] = []
    assert len(load_source(tmp_path, problems.append)) == 1
    assert not problems
    report = check_paths([str(tmp_path)])
    assert not report.failed
    assert [file.skipped for file in report.files if file.skipped] == [
        "not a fixture file: fixtures of an AG-UI agent, and not of a model"
    ]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [*RECORDED["fixtures"], *OF_MODELS["fixtures"]],
        [{"match": {}, "events": [], "response": {"content": "x"}}],
        [{"match": {}}],
        [3],
    ],
)
def test_other_files_are_judged_as_ever(entries: list[Any]) -> None:
    assert parse_entries(json.dumps({"fixtures": entries}).encode()) == entries


def test_a_file_of_agents_says_what_it_is() -> None:
    with pytest.raises(FixtureFileError, match="of an AG-UI agent"):
        parse_entries(json.dumps(RECORDED).encode())


def test_fixtures_of_programs_are_the_same() -> None:
    fixture = read_fixture({"match": {"predicate": lambda body: True}, "text": "x", "_comment": "y", "delayMs": None})
    assert isinstance(fixture, Fixture)
