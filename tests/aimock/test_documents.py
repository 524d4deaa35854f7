"""Paths in place of JSON: one rule for every section, and messages that name the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aimock.config import ConfigError, load_config
from aimock.documents import Filling, Placed, listed, located, read_document, with_paths
from aimock.fixtures import Chaos

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tools": {"type": "array", "items": {"type": "object", "properties": {"schema": {"type": "object"}}}},
        "info": {"type": "object", "properties": {"name": {"type": "string"}}},
        "named": {"type": "object", "additionalProperties": {"type": "array"}},
        "key": {"type": "array", "writeOnly": True},
        "either": {"anyOf": [{"type": "boolean"}, {"type": "object"}]},
        "text": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "free": {},
    },
}
Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Writes files: JSON of values, or text as it is."""

    def lay(**files: Any) -> Path:
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_json", ".json").replace("_toml", ".toml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path

    return lay


def filled(value: Any, directory: Path) -> Any:
    return Filling(directory).fill(value, SCHEMA, "")


@pytest.mark.parametrize(
    "given",
    [{"tools": "list.json"}, {"tools": "named.json"}, {"tools": "folder"}, "whole.json", "whole", {"tools": "t.toml"}],
    ids=str,
)
def test_a_path_stands_for_what_is_there(lay: Lay, given: Any) -> None:
    directory = lay(
        list_json=[{"schema": {"a": 1}}, {"b": 2}],
        named_json={"tools": [{"schema": "schema.json"}, {"b": 2}]},
        schema_json={"a": 1},
        folder__1_json=[{"schema": {"a": 1}}],
        folder__2_json={"b": 2},
        whole_json={"tools": "list.json"},
        whole__tools__all_json={"fixtures": [{"schema": {"a": 1}}, {"b": 2}]},
        t_toml="[[tools]]\nschema = { a = 1 }\n[[tools]]\nb = 2\n",
    )
    assert filled(given, directory) == {"tools": [{"schema": {"a": 1}}, {"b": 2}]}


def test_a_folder_of_names(lay: Lay) -> None:
    assert filled({"named": "n"}, lay(n__a_json=[1], n__b_json=[2], n__README="x")) == {"named": {"a": [1], "b": [2]}}


def test_what_takes_strings_keeps_them(lay: Lay) -> None:
    directory = lay(x=[1])
    for key in ("text", "free", "key"):
        assert filled({key: "x"}, directory) == {key: "x"}


def test_relative_to_the_working_directory_else_to_the_file(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = lay(a=[1], here__a=[2], here__b=[3])
    monkeypatch.chdir(directory / "here")
    assert located("a", directory) == Path("a")
    monkeypatch.chdir(directory)
    assert located("b", directory / "here") == directory / "here" / "b"
    assert located("c", directory / "here") == Path("c")
    assert located(5000 * "x", directory) == Path(5000 * "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tools": "no.json"}, 'tools: expected an array, or the path of a file that has it; "no.json" does not exist'),
        ({"info": "no"}, 'info: expected an object, or the path of a file that has it; "no" does not exist'),
        ({"tools": "bad.json"}, "tools: DIR/bad.json: not JSON: trailing comma is not allowed: line 1 column 3"),
        (
            {"info": "bad.toml"},
            "info: DIR/bad.toml: not TOML: Expected '=' after a key",
        ),
        (
            {"tools": "https://me:secret@host"},
            'tools: expected an array, or the path of a file that has it; "https://…"',
        ),
        ({"tools": 5000 * "x"}, "tools: expected an array, or the path of a file"),
        ({"tools": "five.json"}, "tools: DIR/five.json: expected an array, got 5"),
        (
            {"tools": [{"schema": "no"}]},
            "tools[0].schema: expected an object, or the path of a file",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_said_with_place_and_file(lay: Lay, given: Any, said: str) -> None:
    directory = lay(bad_json="[1,\n]", bad_toml="a b\n", five_json=5)
    with pytest.raises(ValueError, match="^" + re.escape(said.replace("DIR", str(directory)))):
        filled(given, directory)


def test_a_folder_without_files_has_no_items(lay: Lay, caplog: pytest.LogCaptureFixture) -> None:
    directory = lay(empty__x="")
    assert filled({"tools": "empty"}, directory) == {"tools": []}
    assert f"tools: {directory / 'empty'} has no JSON files" in caplog.text


def test_messages_name_the_file_and_the_place_in_it(lay: Lay) -> None:
    directory = lay(folder__1_json=[{}], folder__2_json=[{}, {}], info_json={})
    filling = Filling(directory)
    filling.fill({"tools": "folder", "info": "info.json"}, SCHEMA, "mcp")
    where = directory / "folder" / "2.json"
    assert filling.explained(ValueError("mcp.tools[2].name: x")) == f"mcp.tools: {where}[1].name: x"
    assert filling.explained(ValueError("mcp.info.name: x")) == f"mcp.info: {directory / 'info.json'}.name: x"
    assert filling.explained(ValueError("mcp.tools[20]: x")) == "mcp.tools[20]: x"


def test_the_schema_of_what_is_written_takes_paths_where_they_may_stand() -> None:
    written = with_paths(SCHEMA)
    assert with_paths(written) == written
    good: list[Any] = ["x", {"tools": "x"}, {"tools": ["x", {"schema": "x"}]}, {"named": {"a": "x"}}, {"either": "x"}]
    for value in good:
        jsonschema.validate(value, written)
    for bad in ({"key": "x"}, {"tools": ""}, {"info": {"name": []}}, {"either": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, written)


def test_items_have_their_places(lay: Lay) -> None:
    directory = lay(a_json=[5])
    assert [*listed([1, 2], "x", directory, "k")] == [Placed("x[0]", 1), Placed("x[1]", 2)]
    assert [*listed("a.json", "x", directory, "k")] == [Placed(f"x: {directory / 'a.json'}[0]", 5)]


def test_toml_says_what_json_says(lay: Lay) -> None:
    directory = lay(a_toml="at = 2026-01-02T03:04:05Z\nday = 2026-01-02\n[[list]]\nx = 1.5\n")
    assert read_document(directory / "a.toml") == {
        "at": "2026-01-02T03:04:05+00:00",
        "day": "2026-01-02",
        "list": [{"x": 1.5}],
    }


# -- in a config file --------------------------------------------------------------------------------------------------


def test_everything_may_lie_elsewhere(lay: Lay) -> None:
    directory = lay(
        aimock_toml='llm = "llm.json"\nmcp = "mcp"\nvector = "v.json"\njournal = "journal.toml"\nservices.search = "s"',
        llm_json={"chaos": "chaos.json", "quota": "quota.json", "fixtures": "fixtures"},
        chaos_json={"dropRate": 0.5},
        quota_json={"tokensPerMinute": 5},
        journal_toml="max = 7",
        mcp__tools_json=[{"name": "a"}],
        mcp__serverInfo_json={"name": "x"},
        v_json={"vector": {"collections": [{"name": "c", "dimension": 2}]}},
        s__a_json={"match": "x", "results": []},
        s__b_json=[{"match": "y", "results": []}],
        fixtures__a_json={"fixtures": []},
    )
    config = load_config(directory / "aimock.toml")
    assert config.chaos == Chaos(drop_rate=0.5)
    assert config.quota is not None
    assert (config.quota.tokens_per_minute, config.journal_max) == (5, 7)
    assert config.fixtures == (str(directory / "fixtures"),)
    assert len(config.service_fixtures) == 2
    health = {path: service.health() for path, service in config.services}
    assert (health["/mcp"]["tools"], health["/vector"]["collections"]) == (1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"llm": {"chaos": "bad.json"}}, "llm.chaos: DIR/bad.json.dropRat: unknown key"),
        ({"mcp": {"tools": "tools.json"}}, "mcp.tools: DIR/tools.json[1].inputSchema: expected an object, got 5"),
        ({"a2a": [{"agents": "tools.json"}]}, "a2a[0].agents: DIR/tools.json[1].inputSchema: unknown key"),
        ({"services": {"search": "tools.json"}}, "services.search: DIR/tools.json"),
        ({"llm": "tools.json"}, "llm: DIR/tools.json: expected an object"),
        (
            {"llm": "none.json"},
            'llm: expected an object, or the path of a file that has it; "none.json"',
        ),
        ({"auth": "bad.json"}, "auth: expected an object"),
    ],
    ids=str,
)
def test_what_is_wrong_elsewhere_is_named(lay: Lay, content: Any, said: str) -> None:
    directory = lay(
        aimock_json=content, bad_json={"dropRat": 1}, tools_json=[{"name": "a"}, {"name": "b", "inputSchema": 5}]
    )
    with pytest.raises(ConfigError) as raised:
        load_config(directory / "aimock.json")
    assert str(raised.value).startswith(f"{directory / 'aimock.json'}: {said.replace('DIR', str(directory))}")


def test_comments_and_lines(lay: Lay) -> None:
    directory = lay(
        aimock_json={
            "_": "x",
            "port": 1,
            "llm": {"_why": [], "record": {"_": 1}},
            "mcp": {"_a": 1},
            "services": {"_x": 1},
        },
        wrong_toml='port = 1\nhost = "x\n',
        wrong_json='{\n  "port": 1,\n}',
    )
    assert load_config(directory / "aimock.json").port == 1
    with pytest.raises(ConfigError, match=r"wrong\.toml: not TOML: .*line 2, column 10"):
        load_config(directory / "wrong.toml")
    with pytest.raises(ConfigError, match=r"wrong\.json: not JSON: .*line 2 column 12"):
        load_config(directory / "wrong.json")
