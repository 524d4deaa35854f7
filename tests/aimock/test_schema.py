"""The JSON Schemas say what the code says: both are given the same entries, good, bad, and bent at random."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock import config_keys
from aimock.cli import main
from aimock.config import ConfigError, load_config
from aimock.fixtures import ENTRY_KEYS, MATCH_KEYS, RESPONSE_KEYS, option_rules, rules
from aimock.fixtures.load import parse_entries
from aimock.fixtures.rules import Criterion, check_entry
from aimock.fixtures.schema import DESCRIPTIONS
from aimock.fixtures.values import Rule
from aimock.reading import Check
from aimock.record.config import record_schema
from aimock.schema import SCHEMAS, config_schema, fixtures_schema, schema_text

ROOT = Path(__file__).parents[2]
DOJO = ROOT.parent / "shared" / "agui-dojo"
EXAMPLES = sorted((ROOT / "examples" / "fixtures").glob("*.json"))

FIXTURES = jsonschema.Draft202012Validator(fixtures_schema())
CONFIG = jsonschema.Draft202012Validator(config_schema())


def faults(entry: Any) -> list[str]:
    """What the rules have against an entry, as errors."""
    return [fault.message for fault in check_entry(entry) if fault.severity == "error"]


def passes(entry: Any) -> bool:
    return FIXTURES.is_valid({"fixtures": [entry]})


# -- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_in_the_documentation_are_what_the_command_prints(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", name]) == 0
    printed = capsys.readouterr().out
    file = ROOT / "docs" / "schema" / f"{name}.schema.json"
    assert printed == file.read_text("utf-8"), f"make it anew: python -m aimock schema {name} > {file}"
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))


@pytest.mark.parametrize("words", [["schema"], ["schema", "nonsense"], ["schema", "config", "config"]])
def test_field_59_another_schema_is_one_line_and_status_1(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("aimock: ")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_are_valid(file: Path) -> None:
    FIXTURES.validate(json.loads(file.read_bytes()))


@pytest.mark.skipif(not DOJO.is_dir(), reason="the dojo's fixtures are not beside this repository")
@pytest.mark.parametrize("name", [path.name for path in sorted(DOJO.glob("*.json"))] or [None])
def test_the_dojo_is_valid(name: str) -> None:
    FIXTURES.validate(json.loads((DOJO / name).read_bytes()))


def test_a_file_may_name_its_schema(tmp_path: Path) -> None:
    content = {"$schema": "./fixtures.schema.json", "fixtures": []}
    assert parse_entries(json.dumps(content).encode()) == []
    FIXTURES.validate(content)
    (tmp_path / "c.json").write_text('{"$schema": "x", "port": 1}')
    assert load_config(tmp_path / "c.json").port == 1
    CONFIG.validate({"$schema": "x", "port": 1})


@pytest.mark.parametrize("content", [[], {}, {"fixtures": {}}, {"fixtures": [5]}, None])
def test_a_file_that_holds_no_fixtures_is_not_valid(content: Any) -> None:
    assert not FIXTURES.is_valid(content)


# -- tables ----------------------------------------------------------------------------------------------------------


def rules_in(value: Any) -> Iterator[Rule | Criterion]:
    if isinstance(value, Rule | Criterion):
        yield value
    elif isinstance(value, dict):
        yield from (rule for each in value.values() for rule in rules_in(each))
    elif isinstance(value, tuple | list):
        yield from (rule for each in value for rule in rules_in(each))


def test_every_rule_of_a_table_has_its_schema() -> None:
    found = [rule for value in (vars(rules) | vars(option_rules)).values() for rule in rules_in(value)]
    assert len(found) > 50
    assert [rule for rule in found if rule.schema is None] == [], "a Rule takes its JSON Schema as the third argument"


def test_every_config_key_has_its_schema() -> None:
    without = [key for key, (_, check) in config_keys.KEYS.items() if not isinstance(check, Check)]
    assert without == [], "the check of a config key is a Check, with a JSON Schema"


def test_an_editor_is_offered_every_key_and_no_other() -> None:
    definitions = fixtures_schema()["$defs"]
    for place, keys in (("fixture", ENTRY_KEYS), ("match", MATCH_KEYS), ("response", RESPONSE_KEYS)):
        assert set(definitions[place]["properties"]) == set(keys) - {"predicate"}
    assert DESCRIPTIONS.keys() <= {*ENTRY_KEYS, *MATCH_KEYS, *RESPONSE_KEYS}


# -- both ways -------------------------------------------------------------------------------------------------------

KNOWN = re.compile(
    r"must be JSON text, got"  # whether text is JSON,
    r"|not a regular expression"  # a regular expression
    r"|recording\..*base64"  # or base64,
    r"|recording\.file: "  # or a look at what lies beside the file,
    r"|not a JMESPath expression|JMESPath"  # or JMESPath, takes a parser
)
"""Errors that a JSON Schema cannot say."""

RECORDED = {"protocol": "p", "status": 200, "headers": {"a": "b", "c": ["d"]}, "seal": "s"}
GOOD: list[dict[str, Any]] = [
    {"match": {}, "response": {"content": "x"}},
    {
        "match": {
            "userMessage": {"$regex": "a", "$flags": "i"},
            "systemMessage": ["a", {"$regex": "b"}],
            "toolResultContains": "x",
            "hasToolResult": True,
            "sequenceIndex": 0,
            "turnIndex": 2.0,
            "model": "m",
            "where": "a",
            "context": "c",
            "unknown": 5,
        },
        "response": {"content": {"a": 1}, "reasoning": "r", "usage": {"cost": 1, "cost_details": {}}, "created": 0},
        "latency": 5,
        "chunkSize": None,
        "streamingProfile": {"ttft": 1, "tps": None, "jitter": 0.5},
        "chaos": {"dropRate": 0, "latencyMs": 30000},
        "replaySpeed": -1,
        "openRouterProcessing": False,
        "metadata": 5,
    },
    {"match": {}, "response": {"toolCalls": [{"name": "f", "arguments": {}, "id": None}], "content": None}},
    {"match": {}, "response": {"toolCalls": [{"name": "f", "arguments": "{}"}], "content": "x"}},
    {
        "match": {},
        "response": {
            "content": "",
            "blocks": [{"type": "text", "text": "x"}, {"type": "toolCall", "name": "f", "arguments": [], "id": "i"}],
            "midStreamError": {"afterChunks": 1, "message": "m", "type": None},
            "webSearches": ["a"],
        },
    },
    {"match": {}, "response": {"refusal": "no", "redactedThinking": ["x"], "reasoningSignature": "s"}},
    {"match": {}, "response": {"content": "x", "toolPlan": None, "citations": [{}]}},
    {"match": {}, "response": {"content": "x", "usage": {"billed_units": {"input_tokens": 1}}}},
    {
        "match": {},
        "response": {"error": {"message": "m", "type": "t"}, "status": 429, "retryAfter": 1, "fallthrough": True},
    },
    {"match": {}, "response": {"audio": {"b64Json": "x", "contentType": "y"}}},
    {"match": {}, "response": {"audio": "x"}},
    {"match": {}, "response": {"embedding": [0.5, 1]}},
    {"match": {}, "response": {"embeddings": [[0.5, 1], None], "usage": {"total_tokens": None, "tier": {}}, "id": "i"}},
    {
        "match": {},
        "response": {"content": "x", "usage": {"prompt_tokens": 1, "service_tier": "s", "cost_details": None}},
        "recording": RECORDED | {"frames": [[0, "data"], [0.5, {"base64": "eA=="}]]},
    },
    {"match": {}, "response": {"content": "x"}, "recording": RECORDED | {"body": {"a": [1]}, "afterMs": 5}},
    {"match": {}, "response": {"content": ""}, "recording": RECORDED | {"body": "x"}},
    {"match": {}, "response": {"content": "x"}, "recording": RECORDED | {"lines": ["a", "b"]}},
    {"match": {}, "response": {"image": {}}},
    {"match": {}, "response": {"images": []}},
    {"match": {}, "response": {"video": {}, "transcription": {}}},
    {"match": {}, "response": {"json": None, "reasoning": 5}},
]


@pytest.mark.parametrize("entry", GOOD, ids=lambda entry: json.dumps(entry["response"])[:40])
def test_good_entries_pass_both(entry: dict[str, Any]) -> None:
    assert faults(entry) == []
    FIXTURES.validate({"fixtures": [entry]})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


ABSENT = object()
VALUES = (
    *(ABSENT, None, True, False, 0, 1, -1, 0.5, 1.5, 2, 250, 99, 1000, 30001, 1e300, "", "x", "text", "toolCall"),
    *([], {}, [""], ["x"], [5], [None], [{}], {"x": 1}, {"$regex": "a"}, {"$regex": "a", "$flags": "Z"}, {"$regex": 1}),
    *({"b64Json": ""}, {"b64Json": "x"}, {"message": ""}, {"message": "m"}, {"name": "f"}, [{"type": "text"}]),
)


def bent(entry: dict[str, Any], path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at the path, or with nothing there."""
    copy = json.loads(json.dumps(entry))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    if value is not ABSENT:
        inside[path[-1]] = value
    elif isinstance(inside, dict):
        inside.pop(path[-1], None)
    return copy


def assert_agreement(entry: Any) -> None:
    found = faults(entry)
    if not passes(entry):
        assert found, f"the schema alone refuses {json.dumps(entry)}"
    elif found:
        assert all(KNOWN.search(message) for message in found), f"the rules alone refuse {json.dumps(entry)}: {found}"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: "absent" if value is ABSENT else json.dumps(value))
def test_an_entry_with_one_thing_changed_is_judged_alike(value: Any) -> None:
    of_a_response = [("response", key) for key in RESPONSE_KEYS]
    others = [(key,) for key in ENTRY_KEYS] + [("match", key) for key in MATCH_KEYS]
    for entry in GOOD:
        changed = {*places(entry), *(of_a_response if len(entry) == 2 else others)}
        for path in changed:
            assert_agreement(bent(entry, path, value))


KEYS = (
    *(*ENTRY_KEYS, *MATCH_KEYS, *RESPONSE_KEYS, "$regex", "$flags", "name", "arguments", "type", "text", "message"),
    *("afterChunks", "b64Json", "contentType", "ttft", "tps", "jitter", "dropRate", "latencyMs", "is_byok", "unknown"),
    *("protocol", "status", "headers", "seal", "afterMs", "frames", "body", "lines", "file", "base64"),
    *("cost_details", "upstream_inference_cost", "prompt_tokens_details", "cached_tokens"),
)
SCALARS = st.sampled_from([value for value in VALUES if value is not ABSENT and not isinstance(value, dict | list)])
JSON = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


def part(keys: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), JSON, max_size=4)


@given(
    st.fixed_dictionaries(
        {"match": part(MATCH_KEYS) | JSON, "response": part(RESPONSE_KEYS) | JSON},
        optional={key: JSON for key in ENTRY_KEYS if key not in ("match", "response")},
    )
)
def test_any_entry_is_judged_alike(entry: dict[str, Any]) -> None:
    assert_agreement(entry)


@given(
    st.sampled_from(GOOD).flatmap(
        lambda entry: st.tuples(
            st.just(entry), st.lists(st.tuples(st.sampled_from([*places(entry)]), JSON), max_size=3)
        )
    )
)
def test_a_good_entry_with_some_things_changed_is_judged_alike(given_entry: Any) -> None:
    entry, changes = given_entry
    for path, value in changes:
        try:
            entry = bent(entry, path, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took away what this one is in
    assert_agreement(entry)


# -- the config file -------------------------------------------------------------------------------------------------


def loads(content: Any, path: Path) -> bool:
    path.write_text(json.dumps(content))
    try:
        load_config(path)
    except ConfigError:
        return False
    return True


CONFIG_VALUES = [value for value in VALUES if value is not ABSENT and value != 1e300]


def takes_path(key: str) -> bool:
    """Whether a path may stand in place of what a key takes."""
    name, _, inner = key.partition(".")
    told: Any = config_schema()["properties"].get(name, {})
    for each in inner.split(".") if inner else ():
        told = next((some for some in told.get("anyOf", [told]) if "properties" in some), {})
        told = told.get("properties", {}).get(each, {})
    return {"type": "string", "minLength": 1} in told.get("anyOf", ()) or key.startswith("services.")


@pytest.mark.parametrize("key", [*config_keys.KEYS, "unknown", "llm.unknown", "llm", "journal"])
def test_field_57_a_config_is_judged_alike(key: str, tmp_path: Path) -> None:
    """field 2.57"""
    for value in [*CONFIG_VALUES, "warn", 65536, 4010]:
        if value and (isinstance(value, str) or value == ["x"]) and takes_path(key):
            continue  # something must be there
        content = functools.reduce(lambda inner, name: {name: inner}, reversed(key.split(".")), value)
        assert CONFIG.is_valid(content) is loads(content, tmp_path / "c.json"), content


@pytest.mark.parametrize("key", [*record_schema()["properties"], "fal", "unknown"])
def test_what_recording_is_told_is_judged_alike(key: str, tmp_path: Path) -> None:
    """field 2.57"""
    values = [
        *CONFIG_VALUES,
        "all",
        ["a"],
        [""],
        {"openai": "http://x"},
        {"openai": ""},
        {"openai": 1},
        {"bedrock": "x"},
    ]
    for value in values:
        content = {"llm": {"record": {key: value}}}
        assert CONFIG.is_valid(content) is loads(content, tmp_path / "c.json"), content


def test_what_a_schema_of_a_config_cannot_say(tmp_path: Path) -> None:
    """The known differences: 1.0 is a whole number to JSON Schema, and the loader takes a path of keys for them."""
    assert CONFIG.is_valid({"port": 1.0})
    assert not loads({"port": 1.0}, tmp_path / "c.json")
    assert not CONFIG.is_valid({"llm.latency": 5})
    assert loads({"llm.latency": 5}, tmp_path / "c.json")


def test_the_text_ends_with_one_line_feed_when_it_is_printed() -> None:
    assert all(schema_text(name)[-1] == "}" for name in SCHEMAS)
