"""Names of recordings: record-replay §6."""

from __future__ import annotations

import re
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.record.naming import Place, is_single, single_path, slug, snapshot_path

NOW = 1_795_329_143.5479


@pytest.mark.parametrize(
    ("test_id", "segment"),
    [
        ("my.spec.ts › A b", "a-b"),
        ("my.spec.ts A b", "a-b"),
        ("src/deep/my.e2e.mjs › outer › inner", "outer--inner"),
        ("my.test.tsx", ""),
        ("my.spec.tsx.more", "my-spec-tsx-more"),
        ("my.spec.py › a", "my-spec-py--a"),
        ("agent chat › handles tool call", "agent-chat--handles-tool-call"),
        ("a>b  ›c", "a--b--c"),
        ("tests/test_agent.py::TestChat::test_tool[gpt-4o]", "tests-test_agent-py--testchat--test_tool-gpt-4o"),
        ("../../evil", "evil"),
        ("/etc/passwd", "etc-passwd"),
        ("..", ""),
        ("...", ""),
        ("a\0b\nc", "a-b-c"),
        ("日本語", ""),
        ("--a----b--", "a--b"),
        ("A_B", "a_b"),
        ("con", "con-"),
        ("COM1", "com1-"),
        ("com1x", "com1x"),
        ("a" * 100, "a" * 100),
    ],
)
def test_a_test_id_is_one_flat_segment(test_id: str, segment: str) -> None:
    assert slug(test_id) == segment


def test_long_names_are_cut_and_stay_apart() -> None:
    one, other = slug("a" * 101), slug("a" * 102)
    assert re.fullmatch("a{100}-[0-9a-f]{12}", one)
    assert one != other


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (Place("openai", "my.spec.ts › A b"), "a-b/openai.json"),
        (Place("openai", "t", "left out"), "t/openai.json"),
        (Place("gemini-interactions", "t"), "t/gemini-interactions.json"),
        (Place("openai", "日本語"), None),
        (Place("openai"), None),
    ],
)
def test_a_test_has_one_file_a_provider(place: Place, path: str | None) -> None:
    assert snapshot_path(place) == (None if path is None else PurePath(path))


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (Place("openai"), "openai-2026-11-22T06-32-23-547Z-01234567.json"),
        (Place("openai", context="Team A/../b"), "team-a--b/openai-2026-11-22T06-32-23-547Z-01234567.json"),
        (Place("openai", context="a › b.spec.ts c"), "a--b-spec-ts-c/openai-2026-11-22T06-32-23-547Z-01234567.json"),
    ],
)
def test_without_a_test_each_recording_has_its_file(place: Place, path: str) -> None:
    named = single_path(place, NOW, "01234567")
    assert named == PurePath(path)
    assert is_single(named.name, "openai")
    assert not is_single(named.name, "open")


def test_files_of_a_provider_whose_name_goes_on_are_not_taken_for_its_own() -> None:
    name = single_path(Place("gemini-interactions"), NOW, "01234567").name
    assert is_single(name, "gemini-interactions")
    assert not is_single(name, "gemini")


ids = (
    st.text(max_size=150) | st.text("ab./\\›> -_:A\0con", max_size=12) | st.sampled_from(["con", "con-", "con_", "nul"])
)
spoken = st.text("ab-_", min_size=1, max_size=150)


@given(ids, ids | st.none())
def test_no_name_leads_anywhere_else(test_id: str, context: str | None) -> None:
    place = Place("openai", test_id, context)
    for path in filter(None, (snapshot_path(place), single_path(place, NOW, "01234567"))):
        assert not path.is_absolute()
        assert len(path.parts) <= 2
        for part in path.parts[:-1]:
            assert re.fullmatch(r"[a-z0-9_-]{1,113}", part)
        assert path.name.endswith(".json")


def plainly(test_id: str) -> str:
    """The rules of the specification, without ours."""
    stripped = re.sub(r"\A(?s:.*?)\.(spec|test|e2e)\.(tsx?|jsx?|mjs|cjs)(?=\s|›|\Z)\s*›?", "", test_id)
    flat = re.sub(r"[^A-Za-z0-9_-]", "-", re.sub(r"\s*[›>]\s*", "--", stripped))
    return re.sub(r"-{3,}", "--", flat).strip("-").lower()


@given(st.lists(ids | spoken, min_size=2, max_size=6))
def test_two_tests_share_a_file_only_if_the_rules_make_them_one(test_ids: list[str]) -> None:
    for one in test_ids:
        for other in test_ids:
            assert (slug(one) == slug(other)) == (plainly(one) == plainly(other))


@given(spoken)
def test_a_segment_stays_what_it_is(test_id: str) -> None:
    """But for those that got an ending."""
    segment = slug(test_id)
    if len(segment) <= 100 and not segment.endswith("-"):
        assert slug(segment) == segment
