"""What goes wrong while recordings are saved, with real processes: nothing is half there, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimock.fixtures import Problem, load_source
from aimock.record.config import RecordConfig
from aimock.record.shelf import Shelf, ShelfError

PROGRAM = """
import resource, sys
from pathlib import Path
from aimock.fixtures.recording import Tape, seal_of
from aimock.record.config import RecordConfig
from aimock.record.naming import Place
from aimock.record.shelf import Shelf, ShelfError

top, test_id, name, count, limit = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
shelf = Shelf(RecordConfig(fixture_path=top), print)
for n in range(count):
    response = {"content": "x" * 500}
    entry = {"match": {"exact": True, "userMessage": f"{name} {n}"}, "response": response}
    if "apart" in sys.argv:
        body = b"\\xff" * 2000 + f"{name} {n}".encode()
        entry["recording"] = Tape("bedrock_converse", 200, (), True, ((1, body),), seal_of(response))
    try:
        print("saved", shelf.save(entry, Place("openai", test_id)).index, flush=True)
    except ShelfError as error:
        print("refused", error, flush=True)
"""


def start(
    top: Path, name: str, *extra: str, test_id: str = "t", count: int = 1, limit: int = 0
) -> subprocess.Popen[str]:
    """A process that records so many entries; `apart`: with recordings that have files of their own."""
    arguments = [str(top), test_id, name, str(count), str(limit), *extra]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return told.splitlines()


def said(path: Path) -> list[str]:
    return [each["match"]["userMessage"] for each in json.loads(path.read_text())["fixtures"]]


def test_two_processes_may_record_into_one_file(tmp_path: Path) -> None:
    running = [start(tmp_path, name, count=40) for name in ("a", "b", "c")]
    for process in running:
        assert all(line.startswith("saved") for line in finish(process))
    kept = said(tmp_path / "t" / "openai.json")
    assert sorted(kept) == sorted(f"{name} {n}" for name in "abc" for n in range(40))
    for name in "abc":
        assert [each for each in kept if each[0] == name] == [f"{name} {n}" for n in range(40)], "in its own order"
    assert os.listdir(tmp_path / "t") == ["openai.json"]


def test_two_processes_may_record_without_a_test_id(tmp_path: Path) -> None:
    running = [start(tmp_path, name, test_id="__default__", count=30) for name in ("a", "b")]
    for process in running:
        finish(process)
    kept = [said(path) for path in tmp_path.iterdir()]
    assert sorted(kept) == sorted([f"{name} {n}"] for name in "ab" for n in range(30))


def served(top: Path) -> set[str]:
    """What a server that starts now serves, which finds nothing wrong in any file."""

    def sound(problem: Problem) -> None:
        raise AssertionError(str(problem))

    fixtures = load_source(top, sound)
    assert all(fixture.recording is not None for fixture in fixtures)
    return {str(fixture.match.user_message) for fixture in fixtures}


@pytest.mark.parametrize("test_id", ["t", "__default__"])
def test_a_process_killed_while_it_saves_loses_nothing_that_was_saved(tmp_path: Path, test_id: str) -> None:
    """kill -9, each time after another number of recordings, at whatever moment that is of the next."""
    told: list[str] = []
    for kill_after in range(1, 16):
        process = start(tmp_path, f"run {kill_after}", "apart", test_id=test_id, count=100_000)
        assert process.stdout is not None
        for n in range(kill_after):
            assert process.stdout.readline().startswith("saved")
            told.append(f"run {kill_after} {n}")
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        process.wait()
        assert served(tmp_path).issuperset(told)
    assert finish(start(tmp_path, "after", "apart", test_id=test_id))[0].startswith("saved"), "no lock is left"
    assert served(tmp_path).issuperset([*told, "after 0"])


def recordings(top: Path) -> Iterator[Path]:
    """What a server that starts now would read."""
    return top.rglob("*.json")


def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    """A limit on the size of files, which fails a write in the middle as a full disk does."""
    told = finish(start(tmp_path, "a", count=20, limit=5000))
    path = tmp_path / "t" / "openai.json"
    kept = sum(line.startswith("saved") for line in told)
    assert 0 < kept < 20
    assert said(path) == [f"a {n}" for n in range(kept)]
    assert told[kept:] == [f"refused {path}: File too large"] * (20 - kept)
    assert os.listdir(tmp_path / "t") == ["openai.json"]
    assert finish(start(tmp_path, "b")) == [f"saved {kept}"], "when there is room again"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nobody may mount here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is of Linux")
@pytest.mark.parametrize("test_id", ["t", "__default__"])
def test_a_disk_without_room_is_told_and_harms_nothing(small_disk: Path, test_id: str) -> None:
    told = finish(start(small_disk, "a", count=150, test_id=test_id))
    kept = sum(line.startswith("saved") for line in told)
    assert 0 < kept < 150
    assert all("No space left on device" in line for line in told[kept:])
    assert sorted(each for path in recordings(small_disk) for each in said(path)) == sorted(
        f"a {n}" for n in range(kept)
    )
    assert all(path.suffix == ".json" for path in small_disk.rglob("*") if path.is_file())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_not_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir(mode=0o500)
    [line] = finish(start(tmp_path, "a"))
    assert line.startswith("refused")
    assert line.endswith("Permission denied")


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="there is no directory in which nobody may write")
def test_a_directory_in_which_nobody_may_write_is_told() -> None:
    [line] = finish(start(Path("/proc/sys"), "a"))
    assert line.startswith("refused /proc/sys/t: ")


def test_it_is_told_before_anything_is_recorded(tmp_path: Path) -> None:
    Shelf(RecordConfig(fixture_path=tmp_path / "a" / "b"), print).check()
    assert os.listdir(tmp_path / "a" / "b") == []
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/sys")):
        with pytest.raises(ShelfError, match=f"nothing can be recorded: {path}"):
            Shelf(RecordConfig(fixture_path=path), print).check()


def test_a_file_in_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("I am no directory")
    [line] = finish(start(tmp_path, "a"))
    assert line == f"refused {tmp_path / 't'}: File exists"
    assert (tmp_path / "t").read_text() == "I am no directory"


def test_who_does_not_give_the_lock_back_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    from aimock.record.locking import locked

    with locked(tmp_path / "lock"), pytest.raises(TimeoutError, match="another process"), locked(tmp_path / "lock", 0):
        pass
    with locked(tmp_path / "lock", 0):
        assert (tmp_path / "lock").exists()
    assert not (tmp_path / "lock").exists()
