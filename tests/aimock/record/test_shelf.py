"""What is saved where, by one process: record-replay §5, §6."""

from __future__ import annotations

import concurrent.futures
import difflib
import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.fixtures import Problem, load_source
from aimock.fixtures.recording import Tape, seal_of
from aimock.record.contents import Contents
from aimock.record.naming import Place
from aimock.record.shelf import Shelf, ShelfError

Shelves = Callable[..., Shelf]
TEST = Place("openai", "t")
SNAPSHOT = "recorded/t/openai.json"


def entry(said: str, answer: str = "x", **more: Any) -> dict[str, Any]:
    return {"match": {"exact": True, "userMessage": said}, "response": {"content": answer}, **more}


def entries(path: Path) -> list[Any]:
    found: list[Any] = json.loads(path.read_text())["fixtures"]
    return found


def sound(problem: Problem) -> None:
    raise AssertionError(str(problem))


def files(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir())


def test_recordings_of_a_test_are_added_to_its_file_run_after_run(shelf: Shelves, tmp_path: Path) -> None:
    first = shelf()
    assert first.save(entry("a"), TEST).index == 0
    assert first.save(entry("b"), TEST).index == 1
    saved = shelf().save(entry("ü"), TEST, ["w"])
    assert (saved.path, saved.index, saved.entry) == (tmp_path / SNAPSHOT, 2, entry("ü"))
    assert entries(tmp_path / SNAPSHOT) == [entry("a"), entry("b"), entry("ü")]
    assert "ü" in (tmp_path / SNAPSHOT).read_text()
    assert files(tmp_path) == [SNAPSHOT], "neither lock nor half a file is left"


def test_without_a_test_each_recording_has_a_file_of_its_own(shelf: Shelves, tmp_path: Path) -> None:
    one = shelf()
    paths = {one.save(entry("a"), Place("openai", context="C")).path for _ in range(20)}
    assert len(paths) == 20
    assert {path.parent for path in paths} == {tmp_path / "recorded" / "c"}
    assert all(entries(path) == [entry("a")] for path in paths)


def test_files_are_as_readable_as_any_other(shelf: Shelves, tmp_path: Path) -> None:
    path = shelf().save(entry("a"), TEST).path
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    shelf().save(entry("b"), TEST)
    assert path.stat().st_mode & 0o777 == 0o640


def test_warnings_are_carried_and_told_once(shelf: Shelves, tmp_path: Path) -> None:
    path = tmp_path / SNAPSHOT
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"fixtures": [], "_warning": "a; b; a"}))
    shelf().save(entry("a"), TEST, ["b", "c"])
    content = json.loads(path.read_text())
    assert (content["_warnings"], content["_warning"]) == (["a", "b", "c"], "a; b; c")
    path.write_text(json.dumps({"fixtures": [], "_warnings": ["x"], "_warning": "y"}))
    shelf().save(entry("a"), TEST)
    assert json.loads(path.read_text())["_warnings"] == ["x"]


def test_what_others_have_written_into_a_file_stays(shelf: Shelves, tmp_path: Path) -> None:
    path = tmp_path / SNAPSHOT
    path.parent.mkdir(parents=True)
    theirs = {"match": {"userMessage": "y"}, "response": {"json": {"big": 2**70}}, "_comment": "mine"}
    path.write_text(json.dumps({"$schema": "s", "fixtures": [theirs, "what is this?"], "more": [1]}))
    shelf().save(entry("a"), TEST)
    assert json.loads(path.read_text()) == {
        "$schema": "s",
        "more": [1],
        "fixtures": [theirs, "what is this?", entry("a")],
    }


@given(st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=3), max_size=4), st.booleans(), st.booleans())
def test_adding_to_a_text_is_adding_to_what_it_says(batches: list[list[str]], ours: bool, others: bool) -> None:
    start = {"fixtures": [entry("first")], **({"more": [1, {}]} if others else {})}
    text = json.dumps(start, indent=2 if ours else None) + "\n"
    for batch in batches:
        contents = Contents.of(text.encode())
        for said in batch:
            contents.add(entry(said))
        after = contents.text()
        assert others or not ours or after.startswith(text.removesuffix("\n  ]\n}\n"))
        text = after
    added = [entry(said) for batch in batches for said in batch]
    assert json.loads(text) == {**start, "fixtures": [entry("first"), *added]}


@pytest.mark.parametrize("content", [b"<<<<<<< HEAD\n{}", b"", b"\xff\xfe", b"[]", b'{"fixtures": {}}', b"[" * 100_000])
def test_a_file_without_fixtures_is_put_aside(
    shelf: Shelves, tmp_path: Path, warnings: list[str], content: bytes
) -> None:
    path = tmp_path / SNAPSHOT
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    shelf().save(entry("a"), TEST)
    assert entries(path) == [entry("a")]
    [aside] = [each for each in path.parent.iterdir() if each != path]
    assert aside.read_bytes() == content
    assert [fixture.match.user_message for fixture in load_source(tmp_path, sound)] == ["a"]
    [warning] = warnings
    assert warning.startswith(f"{path} ")
    assert aside.name in warning


def test_a_recording_that_json_cannot_hold_is_refused_alone(shelf: Shelves, tmp_path: Path) -> None:
    one = shelf()
    one.save(entry("a"), TEST)
    for answer in ("\ud800", float("nan"), object()):
        with pytest.raises(ShelfError, match="cannot be written as JSON"):
            one.save(entry("b", answer), TEST)  # type: ignore[arg-type]
    assert entries(tmp_path / SNAPSHOT) == [entry("a")]


def test_many_at_once_are_all_kept(shelf: Shelves, tmp_path: Path) -> None:
    """record-replay §10: 25 parallel misses on one test id."""
    one, places = shelf(), dict[str, int]()
    barrier = threading.Barrier(25)

    def save(said: str) -> None:
        barrier.wait()
        places[said] = one.save(entry(said), TEST).index

    threads = [threading.Thread(target=save, args=[str(n)]) for n in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = entries(tmp_path / SNAPSHOT)
    assert len(kept) == 25
    assert {each["match"]["userMessage"]: place for place, each in enumerate(kept)} == places
    assert files(tmp_path) == [SNAPSHOT]


# -- modes -------------------------------------------------------------------------------------------------------------


def test_none_saves_nothing(shelf: Shelves, tmp_path: Path) -> None:
    with pytest.raises(ShelfError, match="none"):
        shelf(mode="none").save(entry("a"), TEST)
    assert files(tmp_path) == []


@pytest.mark.parametrize("place", [TEST, Place("openai"), Place("openai", context="c")])
def test_once_adds_only_to_what_this_run_began(shelf: Shelves, tmp_path: Path, place: Place) -> None:
    first = shelf(mode="once")
    assert first.refusal(place) is None
    first.save(entry("a"), place)
    first.save(entry("b"), place)
    before = files(tmp_path)
    second = shelf(mode="once")
    assert "once" in str(second.refusal(place))
    with pytest.raises(ShelfError, match="once"):
        second.save(entry("c"), place)
    assert files(tmp_path) == before
    assert second.refusal(Place("anthropic", place.test_id, place.context)) is None


def test_all_writes_each_match_anew_in_its_place(shelf: Shelves, tmp_path: Path) -> None:
    first = shelf()
    for said, answer in ("ab", "bc", "ad", "ce"):
        first.save(entry(said, answer), TEST)
    second = shelf(mode="all")
    assert [second.save(entry(*each), TEST).index for each in ("aA", "bB", "aD", "aN", "zZ")] == [0, 1, 2, 4, 5]
    kept = [(each["match"]["userMessage"], each["response"]["content"]) for each in entries(tmp_path / SNAPSHOT)]
    assert ["".join(each) for each in kept] == ["aA", "bB", "aD", "ce", "aN", "zZ"]


@pytest.mark.parametrize("place", [TEST, Place("openai")], ids=["one file", "files"])
def test_all_writes_each_request_anew_in_its_place(shelf: Shelves, tmp_path: Path, place: Place) -> None:
    """Whatever the order in which those come that match alike; one that is new takes the place of one that is left."""

    def saved(shelf: Shelf, request: str, answer: str) -> tuple[Path, int]:
        kept = shelf.save(entry("a", answer, metadata={"requestHash": request}), place)
        return kept.path, kept.index

    first, second = shelf(), shelf(mode="all")
    before = {request: saved(first, request, "old") for request in "xyz"}
    again = {request: saved(second, request, "new") for request in "zyw"}
    assert again == {"z": before["z"], "y": before["y"], "w": before["x"]}
    contents = [each for path in tmp_path.rglob("*.json") for each in entries(path)]
    told = sorted(each["metadata"]["requestHash"] + " " + each["response"]["content"] for each in contents)
    assert told == ["w new", "y new", "z new"]


def test_all_keeps_what_is_written_at_once_apart(shelf: Shelves, tmp_path: Path) -> None:
    first, second = shelf(), shelf(mode="all")
    for answer in "ab":
        first.save(entry("hi", answer), TEST)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answer in "cdefghij":
            pool.submit(second.save, entry("hi", answer), TEST)
    assert sorted(each["response"]["content"] for each in entries(tmp_path / SNAPSHOT)) == list("cdefghij")


def test_all_writes_the_same_files_anew(shelf: Shelves, tmp_path: Path) -> None:
    place = Place("openai")
    path = shelf().save(entry("a", "old"), place).path
    again = shelf(mode="all")
    assert again.save(entry("a", "new"), place).path == path
    assert entries(path) == [entry("a", "new")]
    assert again.save(entry("a", "newer"), place).path != path
    assert len(files(tmp_path)) == 2


def tape(*texts: str, gap: float = 1, **more: Any) -> dict[str, Any]:
    told = {"protocol": "openai_chat", "status": 200, "headers": {}, "seal": "s"}
    return {**told, **more, "frames": [[gap, text] for text in texts]}


def test_recording_anew_changes_no_more_lines_than_it_must(shelf: Shelves, tmp_path: Path) -> None:
    path = tmp_path / SNAPSHOT
    first = shelf()
    for said in "abc":
        first.save(entry(said, recording=tape("1", "2")), TEST)
    before = path.read_text().splitlines()
    second = shelf(mode="all")
    second.save(entry("a", recording=tape("1", "2", gap=7), recordedTimings={"ttftMs": 9}), TEST)
    assert path.read_text().splitlines() == before, "only the times are others"
    second.save(entry("b", "y", recording=tape("1", "2")), TEST)
    changed = [line for line in difflib.ndiff(before, path.read_text().splitlines()) if line[0] in "+-"]
    assert [line.strip("+- ") for line in changed] == ['"content": "x"', '"content": "y"']


def test_one_is_not_true(shelf: Shelves, tmp_path: Path) -> None:
    odd = {"match": {}, "response": {"json": 1}, "recording": {"frames": [5, [1, "x"]]}}
    shelf().save(odd, TEST)
    again = {**odd, "response": {"json": True}}
    shelf(mode="all").save(again, TEST)
    assert json.dumps(entries(tmp_path / SNAPSHOT)) == json.dumps([again])


def test_adding_a_recording_leaves_all_other_lines(shelf: Shelves, tmp_path: Path) -> None:
    path = tmp_path / SNAPSHOT
    shelf().save(entry("a"), TEST)
    before = path.read_text().splitlines()
    shelf().save(entry("b"), TEST)
    lost = [line for line in difflib.ndiff(before, path.read_text().splitlines()) if line[0] == "-"]
    assert len(lost) <= 1, "the line that gets a comma"


def test_what_an_author_added_to_an_entry_outlives_recording_it_anew(shelf: Shelves, tmp_path: Path) -> None:
    path = tmp_path / SNAPSHOT
    shelf().save(entry("a", latency=5, _comment="slow", metadata={"systemHash": "0"}), TEST)
    shelf(mode="all").save(entry("a", "new"), TEST)
    assert entries(path) == [entry("a", "new", latency=5, _comment="slow")]


# -- where it does not write -----------------------------------------------------------------------------------------


def test_a_directory_that_leads_elsewhere_is_refused(shelf: Shelves, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "t").symlink_to("../elsewhere")
    with pytest.raises(ShelfError, match="leads out of"):
        shelf().save(entry("a"), TEST)
    assert files(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_place_of_the_file_is_refused(shelf: Shelves, tmp_path: Path, exists: bool) -> None:
    path = tmp_path / SNAPSHOT
    path.parent.mkdir(parents=True)
    target = tmp_path / "target.json"
    if exists:
        target.write_text('{"fixtures": []}')
    path.symlink_to(target)
    with pytest.raises(ShelfError, match="no regular file"):
        shelf().save(entry("a"), TEST)
    assert target.exists() == exists
    assert path.is_symlink()


def test_the_directory_itself_may_be_a_link(shelf: Shelves, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "recorded").symlink_to("elsewhere")
    shelf().save(entry("a"), TEST)
    assert files(tmp_path / "elsewhere") == ["t/openai.json"]


def test_what_a_killed_process_left_goes_when_it_is_old(shelf: Shelves, tmp_path: Path) -> None:
    directory = tmp_path / "recorded" / "t"
    directory.mkdir(parents=True)
    names = [".openai.json.0123456789abcdef.unfinished", ".openai.json.fedcba9876543210.unfinished", ".x.unfinished"]
    for name, age in zip(names, (601, 599, 9999), strict=True):
        (directory / name).touch()
        os.utime(directory / name, (1_789_000_000 - age,) * 2)
    shelf().save(entry("a"), TEST)
    assert files(directory) == [*names[1:], "openai.json"]


# -- what is not to be written down ------------------------------------------------------------------------------------


def test_what_a_pattern_finds_is_in_no_file_and_the_fixture_still_matches(
    shelf: Shelves, tmp_path: Path, question: Callable[..., Any]
) -> None:
    """record-replay §5.6, DO"""
    one = shelf(redact=("sk-[a-z]+", "[0-9]{6}"))
    told = entry("my key is sk-secret (or 123456)?", "sk-secret it is", recording=tape("sk-", "secret"))
    saved = one.save(told, TEST)
    text = saved.path.read_text()
    assert "secret" not in text
    assert "123456" not in text
    assert saved.entry["response"] == {"content": "[redacted] it is"}
    assert "recording" not in saved.entry, "its frames have the text in pieces"
    [fixture] = load_source(saved.path, sound)
    assert fixture.fits(question("my key is sk-other (or 654321)?"))
    assert not fixture.fits(question("my key is sk-other (or 654321)? Yes"))
    assert not fixture.fits(question("my key"))


def test_a_recording_that_nothing_is_found_in_stays_whole(shelf: Shelves, tmp_path: Path) -> None:
    told = entry("a", recording=tape("1", "2"))
    assert shelf(redact=("sk-[a-z]+", "(?=x)")).save(told, TEST).entry == told
    hidden = entry("b", recording=tape("1", headers={"x": "sk-secret"}))
    assert "recording" not in shelf(redact=("sk-[a-z]+",)).save(hidden, TEST).entry


# -- recordings that have files of their own -------------------------------------------------------------------------


def taped(body: bytes) -> Tape:
    headers, seal = (("content-type", "text/event-stream"),), seal_of({"content": "x"})
    return Tape("openai_chat", 200, headers, True, ((1.5, body), (2, b"end")), seal)


@pytest.mark.parametrize(
    ("body", "apart"),
    [(b"data: x", False), (b"x" * 300_000, True), (b"\xff" * 100, False), (b"\xff" * 2000, True)],
    ids=["text", "much text", "few bytes", "many bytes"],
)
def test_what_is_large_or_no_text_lies_beside_the_file(
    shelf: Shelves, tmp_path: Path, body: bytes, apart: bool
) -> None:
    told = taped(body)
    saved = shelf().save(entry("a", recording=told), TEST)
    assert (len(files(tmp_path)) == 2) == apart
    [read] = load_source(tmp_path, sound)
    assert read.recording == told
    assert saved.fixture().is_like(read)
    assert saved.fixture().origin.file == read.origin.file


def test_files_beside_come_and_go_with_what_names_them(shelf: Shelves, tmp_path: Path) -> None:
    first = shelf()
    first.save(entry("a", recording=taped(b"\xff" * 2000)), TEST)
    first.save(entry("b", recording=taped(b"\xff" * 2000)), TEST)
    assert len(files(tmp_path)) == 2, "the same bytes are there once"
    second = shelf(mode="all")
    second.save(entry("a", recording=taped(b"\xfe" * 2000)), TEST)
    assert len(files(tmp_path)) == 3
    second.save(entry("b", recording=taped(b"\xfe" * 2000)), TEST)
    assert len(files(tmp_path)) == 2
    assert [each.recording for each in load_source(tmp_path, sound)] == [taped(b"\xfe" * 2000)] * 2


def test_what_is_redacted_leaves_no_file_beside(shelf: Shelves, tmp_path: Path) -> None:
    told = entry("a", "my sk-secret", recording=taped(b"\xff" * 2000))
    saved = shelf(redact=("sk-[a-z]+",)).save(told, TEST)
    assert files(tmp_path) == [SNAPSHOT]
    assert saved.fixture().recording is None


def test_nothing_is_beside_a_file_that_could_not_be_written(
    shelf: Shelves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, data: bytes, *how: Any, **more: Any) -> None:
        if path.name == "openai.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr("aimock.record.shelf.write_whole", write)
    with pytest.raises(ShelfError, match="No space left"):
        shelf().save(entry("a", recording=taped(b"\xff" * 2000)), TEST)
    assert files(tmp_path) == []
