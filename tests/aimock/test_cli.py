"""The command line, in this process: what it makes of flags, environment and config file, and how it says no.

`test_process.py` has what needs a process of its own.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimock import flags, serving, startup
from aimock.chaos import KINDS
from aimock.cli import main
from aimock.config import Config, Failure
from aimock.fixtures.options import PROFILES
from aimock.quotas import Per
from aimock.record import flags as record_flags
from aimock.state import State

HI = {"match": {"userMessage": "hello"}, "response": {"content": "Hi"}}


@pytest.fixture
def fixtures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A working directory; `fixtures("a.json", HI, …)` writes a file there."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, *entries: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"fixtures": entries}))
        return path

    return write


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """What the command line would serve."""

    def choose(words: str, **environment: str) -> Config:
        seen: list[Config] = []
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            patched.setattr(serving, "run", lambda choice, grace, **_: seen.append(choice) or 0)
            assert main(shlex.split(words)) == 0
        (choice,) = seen
        return choice

    return choose


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., State | int]:
    """The state of the server that the command line would run; its exit status if it would not."""

    def serve(words: str) -> State | int:
        seen: list[State] = []

        async def instead(choice: Config, *_: object) -> Failure | int:
            try:
                handler = startup.build(choice)
                seen.append(getattr(handler, "_app", handler)._state)
            except Failure as failure:
                return failure
            return 0

        with monkeypatch.context() as patched:
            patched.setattr(serving, "_serve", instead)
            patched.setattr(serving, "raise_descriptor_limit", lambda: None)
            patched.setattr(startup, "_tune_collector", lambda: None)
            status = main(shlex.split(words))
        return seen[0] if seen else status

    return serve


# -- flags, environment, config file, defaults -----------------------------------------------------------------------


def test_defaults(chosen: Callable[..., Config]) -> None:
    """core-lessons D11: the bounds of journal and counts."""
    assert chosen("") == Config(
        port=4010,
        host="127.0.0.1",
        strict=False,
        seed=None,
        fixtures=("./fixtures",),
        latency=0.0,
        chunk_size=20,
        replay_speed=1.0,
        embeddings="hash",
        rewrite_ids=False,
        log_level="info",
        watch=False,
        validate_on_load=False,
        journal_max=1000,
        fixture_counts_max=500,
        metrics=False,
        http2=False,
        api_keys=(),
    )


EVERY_FLAG = (
    "--port 0 --host ::1 --fixtures a --fixtures b --latency 1.5 --chunk-size 3 --replay-speed 2 --rewrite-ids "
    "--strict --watch --validate-on-load --seed 9 --journal-max 0 --fixture-counts-max 7 --metrics --http2 "
    "--log-level warn --embeddings semantic"
)
EVERY_CHOICE = Config(
    port=0,
    host="::1",
    strict=True,
    seed=9,
    fixtures=("a", "b"),
    latency=1.5,
    chunk_size=3,
    replay_speed=2.0,
    embeddings="semantic",
    rewrite_ids=True,
    log_level="warn",
    watch=True,
    validate_on_load=True,
    journal_max=0,
    fixture_counts_max=7,
    metrics=True,
    http2=True,
    api_keys=(),
)


@pytest.mark.parametrize(
    "words",
    [
        EVERY_FLAG,
        f"serve {EVERY_FLAG}",
        EVERY_FLAG.replace("--port", "-p")
        .replace("--host", "-h")
        .replace("--fixtures", "-f")
        .replace("--latency", "-l")
        .replace("--watch", "-w")
        .replace("--chunk-size", "-c"),
        " ".join(EVERY_FLAG.replace("--strict ", "").replace(" --validate-on-load", "").split()).replace(" ::1", "=::1")
        + " --strict --validate-on-load",
    ],
)
def test_every_flag(chosen: Callable[..., Config], words: str) -> None:
    assert chosen(words) == EVERY_CHOICE


def test_f1_the_last_of_a_repeated_flag_counts_but_fixtures_add_up(chosen: Callable[..., Config]) -> None:
    choice = chosen("-p 1 -p 2 -f a -f b -f a --latency=1 --latency=2")
    assert (choice.port, choice.fixtures, choice.latency) == (2, ("a", "b", "a"), 2)


def test_a_config_file_has_defaults_of_its_own(chosen: Callable[..., Config], tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    config.write_text("{}")
    choice = chosen(f"--config {config}")
    assert (choice.port, choice.fixtures, choice.host, choice.log_level) == (0, (), "127.0.0.1", "info")


@pytest.mark.parametrize(
    ("words", "environment", "host"),
    [
        ("", {}, "127.0.0.1"),
        ("", {"AIMOCK_HOST": ""}, "127.0.0.1"),
        ("", {"AIMOCK_HOST": "0.0.0.0"}, "0.0.0.0"),
        ("-h 127.0.0.9", {"AIMOCK_HOST": "0.0.0.0"}, "127.0.0.9"),
        ("--config {config}", {}, "10.0.0.1"),
        ("--config {config}", {"AIMOCK_HOST": "0.0.0.0"}, "0.0.0.0"),
        ("--config {config} --host 127.0.0.9", {"AIMOCK_HOST": "0.0.0.0"}, "127.0.0.9"),
    ],
)
def test_f2_a_flag_outranks_the_environment_that_the_file_that_the_default(
    chosen: Callable[..., Config], tmp_path: Path, words: str, environment: dict[str, str], host: str
) -> None:
    config = tmp_path / "c.json"
    config.write_text('{"host": "10.0.0.1"}')
    assert chosen(words.format(config=config), **environment).host == host


@pytest.mark.parametrize(
    ("listed", "keys"),
    [
        pytest.param(None, ("from the file",), id="not set"),
        pytest.param("a", ("a",), id="one"),
        pytest.param(" a ,b\t,\tc d", ("a", "b", "c d"), id="trimmed"),
    ],
)
def test_the_environment_s_keys_replace_the_file_s(
    chosen: Callable[..., Config], tmp_path: Path, listed: str | None, keys: tuple[str, ...]
) -> None:
    config = tmp_path / "c.json"
    config.write_text('{"auth": {"apiKeys": ["from the file"]}}')
    environment = {} if listed is None else {"AIMOCK_API_KEYS": listed}
    assert chosen(f"--config {config}", **environment).api_keys == keys


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("", "AIMOCK_API_KEYS[0]: expected a string that is not empty"),
        (" ", "AIMOCK_API_KEYS[0]: expected a string that is not empty"),
        ("sk-1,,sk-2", "AIMOCK_API_KEYS[1]: expected a string that is not empty"),
        ("sk-1,", "AIMOCK_API_KEYS[1]: expected a string that is not empty"),
        ("sk-1,sk-\x07", "AIMOCK_API_KEYS[1]: expected a string without control characters"),
        ("sk-1,sk-2, sk-1 ", "AIMOCK_API_KEYS[2]: expected another key than [0]"),
    ],
)
def test_keys_in_the_environment_that_cannot_be_used_stop_the_start_and_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, listed: str, said: str
) -> None:
    """core-lessons F11"""
    config = tmp_path / "c.json"
    config.write_text('{"auth": {"apiKeys": ["from the file"]}}')
    monkeypatch.setenv("AIMOCK_API_KEYS", listed)
    assert main(["--config", str(config)]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"aimock: {said}\n")


def test_flags_outrank_the_config_file_key_by_key(chosen: Callable[..., Config], tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    content = {"port": 1, "strict": True, "llm": {"latency": 5, "chunkSize": 6, "fixtures": "x"}, "journal": {"max": 0}}
    config.write_text(json.dumps(content))
    choice = chosen(f"--config {config} --port 0 --latency 0 -f y")
    assert (choice.port, choice.latency, choice.fixtures) == (0, 0, ("y",)), "a zero is a choice too"
    assert (choice.strict, choice.chunk_size, choice.journal_max) == (True, 6, 0)


# -- refusals --------------------------------------------------------------------------------------------------------

REFUSED = [
    ("--port 99999", "--port"),
    ("--port=-1", "--port"),
    ("--port x", "--port"),
    ("--port 1.5", "--port"),
    ("-p", "--port"),
    ("--port=", "--port"),
    ("--host=", "--host"),
    ("--config=", "--config"),
    ("--fixtures=", "--fixtures"),
    ("--latency x", "--latency"),
    ("--latency=-1", "--latency"),
    ("--latency nan", "--latency"),
    ("--latency inf", "--latency"),
    ("--chunk-size 0", "--chunk-size"),
    ("--chunk-size 1.5", "--chunk-size"),
    ("--journal-max=-1", "--journal-max"),
    ("--journal-max 1e3", "--journal-max"),
    ("--fixture-counts-max=-1", "--fixture-counts-max"),
    ("--replay-speed 0", "--replay-speed"),
    ("--replay-speed=-1", "--replay-speed"),
    ("--log-level loud", "--log-level"),
    ("--seed 1.5", "--seed"),
    ("--nonsense", "--nonsense"),
    ("--por 1", "--por"),
    ("stray", "stray"),
    ("--strict=yes", "--strict"),
    ("--fixtures nowhere", "nowhere"),
    ("--fixtures ftp://example.com/x.json", "ftp://example.com/x.json: only http and https"),
    ("--fixtures https://u:secret@example.com/x.json", "https://example.com/x.json: a URL with a user or a password"),
    ("--fixtures http://0x7f.1/x.json", "four decimal numbers"),
    ("schema", "NAME"),
    ("schema nonsense", "nonsense"),
    ("--config nowhere.json", "nowhere.json"),
    ("validate", "PATH"),
    ("validate --nonsense x", "--nonsense"),
    *((f"--{flag}", f"--{flag}") for flag in flags.NOT_YET),
    *((f"--{flag} 1", f"--{flag}") for flag in flags.NOT_YET),
    *((f"--{flag}=1", f"--{flag}") for flag in ("proxy-only", "record")),
    ("--record", "--provider-…"),
    ("--proxy-only", "--provider-…"),
    ("--record --provider-openai ftp://x", "providers.openai"),
    ("--record --provider-openai http://x -f https://example.com/x.json", "--fixtures"),
    *((f"--record --provider-openai http://x --{limit} 0", f"--{limit}") for limit in record_flags.LIMITS),
]


@pytest.mark.parametrize(("words", "named"), REFUSED, ids=[words for words, _ in REFUSED])
def test_f12_field_59_a_wrong_command_line_is_one_line_and_status_1(
    served: Callable[..., State | int],
    fixtures: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    words: str,
    named: str,
) -> None:
    """core-lessons F12, D11, field 2.59"""
    fixtures("fixtures/a.json", HI)
    assert served(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("aimock: ")
    assert (err.count("\n"), err[-1]) == (1, "\n")
    assert named in err
    assert "Traceback" not in err


def test_without_fixtures_there_must_be_a_directory_of_that_name(
    served: Callable[..., State | int], fixtures: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert served("") == 1
    assert "fixtures: No such file or directory" in capsys.readouterr().err
    fixtures("fixtures/a.json", HI)
    state = served("")
    assert isinstance(state, State)
    assert len(state.book) == 1


# -- fixtures at boot ------------------------------------------------------------------------------------------------

FAULTY = {"match": {}, "response": {"content": ""}}
ODD = {"match": {"usrMessage": "x"}, "response": {"content": "x"}}


@pytest.mark.parametrize(
    ("entries", "words", "serves"),
    [
        ([HI], "", True),
        ([HI], "--validate-on-load", True),
        ([HI], "--strict", True),
        ([HI, ODD], "--validate-on-load", True),
        ([HI, FAULTY], "", True),
        ([HI, FAULTY], "--strict", True),
        ([HI, FAULTY], "--validate-on-load", False),
        ([], "", True),
        ([], "--strict", False),
        ([], "--validate-on-load", False),
    ],
)
def test_what_fixtures_a_server_starts_with(
    served: Callable[..., State | int],
    fixtures: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    entries: list[Any],
    words: str,
    serves: bool,
) -> None:
    file = fixtures("some/deep/er/a.json", *entries)
    result = served(f"-f some {words}")
    out, err = capsys.readouterr()
    if serves:
        assert isinstance(result, State)
        assert len(result.book) == len(entries)
        assert f"loaded {len(entries)} fixture(s) from some" in out
        assert ("no fixtures in some" in err) is (not entries)
    else:
        assert result == 1
        last = err.splitlines()[-1]
        assert last == ("aimock: 1 error(s) in the fixtures" if entries else "aimock: no fixtures in some")
    if FAULTY in entries:
        relative = file.relative_to(Path.cwd())
        assert f"[aimock] {relative} entry 1: content: must not be empty" in err
    if ODD in entries:
        assert 'match.usrMessage: unknown key, did you mean "userMessage"?' in err, "A19"


def test_f1_several_sources_are_concatenated_in_order(
    served: Callable[..., State | int], fixtures: Callable[..., Path]
) -> None:
    for name in ("z.json", "d/b.json", "d/a.json", "d/sub/0.json"):
        fixtures(name, {"match": {}, "response": {"content": name}})
    state = served("-f z.json -f d")
    assert isinstance(state, State)
    texts = [fixture.response.reply.text for fixture in state.book.fixtures]
    assert texts == ["z.json", "d/a.json", "d/b.json", "d/sub/0.json"]


def test_the_choices_reach_the_server(
    served: Callable[..., State | int], fixtures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fixtures("a", HI)
    fixtures("b", HI)
    monkeypatch.setenv("AIMOCK_API_KEYS", "sk-1,sk-2")
    state = served(EVERY_FLAG.replace("--log-level warn", "--log-level silent"))
    assert isinstance(state, State)
    settings = state.settings
    assert (settings.latency, settings.chunk_size, settings.replay_speed, settings.strict) == (1.5, 3, 2.0, True)
    assert (settings.rewrite_ids, settings.embeddings) == (True, "semantic")
    assert (settings.journal_max_entries, settings.fixture_counts_max_test_ids, settings.seed) == (0, 7, 9)
    assert state.randomness.seed == 9
    assert (settings.metrics, state.metrics is not None, settings.api_keys) == (True, True, ("sk-1", "sk-2"))


@pytest.mark.parametrize(("level", "out", "err"), [("silent", 0, 0), ("warn", 0, 1), ("info", 2, 1), ("debug", 2, 1)])
def test_log_levels(
    served: Callable[..., State | int],
    fixtures: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    level: str,
    out: int,
    err: int,
) -> None:
    fixtures("a.json", HI, FAULTY)
    served(f"-f a.json --log-level {level}")
    captured = capsys.readouterr()
    assert (len(captured.out.splitlines()), len(captured.err.splitlines())) == (out, err)


def test_e3_what_a_config_file_says_reaches_the_server(
    served: Callable[..., State | int],
    fixtures: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """core-lessons E3, field 2.57"""
    fixtures("a.json", HI, FAULTY)
    llm = {
        "fixtures": "a.json",
        "latency": 2.5,
        "chunkSize": 7,
        "replaySpeed": 0.5,
        "logLevel": "warn",
        "embeddings": "semantic",
        "rewriteIds": True,
    }
    journal = {"max": 3, "fixtureCountsMax": 4}
    (tmp_path / "c.json").write_text(json.dumps({"strict": True, "seed": 8, "llm": llm, "journal": journal}))
    state = served("--config c.json")
    assert isinstance(state, State)
    settings = state.settings
    assert (settings.latency, settings.chunk_size, settings.replay_speed, settings.strict) == (2.5, 7, 0.5, True)
    assert (settings.rewrite_ids, settings.embeddings) == (True, "semantic")
    assert (settings.journal_max_entries, settings.fixture_counts_max_test_ids, settings.seed) == (3, 4, 8)
    captured = capsys.readouterr()
    assert (captured.out, len(captured.err.splitlines())) == ("", 1), "logLevel"


def test_strict_in_a_config_file_makes_no_fixtures_fatal(
    served: Callable[..., State | int], fixtures: Callable[..., Path], tmp_path: Path
) -> None:
    fixtures("f/a.json")
    (tmp_path / "c.json").write_text('{"strict": true, "llm": {"fixtures": "f"}}')
    assert served("--config c.json") == 1
    (tmp_path / "c.json").write_text('{"strict": true}')
    assert isinstance(served("--config c.json"), State), "without a source there is nothing to be empty"


# -- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["--help", "serve --help", "validate --help", "validate -h", "--version"])
def test_help_and_version_exit_0(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words.split())
    out, err = capsys.readouterr()
    assert (raised.value.code, err) == (0, "")
    assert "aimock" in out


def test_help_names_every_flag_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    for word in EVERY_FLAG.split():
        if word.startswith("--"):
            assert word in out
    assert not any(f"--{flag} " in out for flag in flags.NOT_YET)


# -- validate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "words", "status"),
    [
        ([HI], "", 0),
        ([HI], "--strict", 0),
        ([HI, ODD], "", 0),
        ([HI, ODD], "--strict", 1),
        ([HI, FAULTY], "", 1),
        ([], "", 1),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_validate(
    fixtures: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    entries: list[Any],
    words: str,
    status: int,
    as_json: bool,
) -> None:
    fixtures("f/a.json", *entries)
    assert main(["validate", *words.split(), *(["--json"] if as_json else []), "f"]) == status
    out, err = capsys.readouterr()
    assert err == ""
    if as_json:
        report = json.loads(out)
        assert (report["failed"], report["strict"]) == (status == 1, words == "--strict")
        (file,) = report["files"]
        assert (file["file"], file["fixtures"]) == ("f/a.json", len(entries))
        assert [finding["index"] for finding in file["errors"]] == ([1] if FAULTY in entries else [])
        assert [finding["index"] for finding in file["warnings"]] == ([1] if ODD in entries else [])
    elif entries == [HI]:
        assert out == "f/a.json: OK (1 fixture(s))\n"
    elif FAULTY in entries:
        assert "f/a.json: [error] #1 content: must not be empty" in out
    elif ODD in entries:
        assert "f/a.json: [warning] #1 match.usrMessage: unknown key" in out
    else:
        assert "[error] no fixtures at all" in out


def test_field_60_a_checker_that_cannot_read_its_input_fails(
    fixtures: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixtures("good.json", HI)
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "config.json").write_text('{"port": 4010}')
    for paths, status in (
        (["good.json"], 0),
        (["good.json", "nowhere.json"], 1),
        (["good.json", "bad.json"], 1),
        (["good.json", "config.json"], 1),
        (["."], 1),
    ):
        assert main(["validate", *paths]) == status, paths
    (tmp_path / "bad.json").unlink()
    capsys.readouterr()
    assert main(["validate", "."]) == 0, "F9: a config file that is met, not named, is skipped"
    assert "config.json: skipped" in capsys.readouterr().out


def test_validate_finds_what_files_do_to_each_other(
    fixtures: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    fixtures("a.json", HI, {"match": {}, "response": {"content": "x"}})
    fixtures("b.json", HI)
    assert main(["validate", "a.json", "b.json"]) == 0
    out = capsys.readouterr().out
    assert "b.json: [warning] #0 cross-file:" in out
    assert main(["validate", "--strict", "b.json"]) == 0
    assert main(["validate", "--strict", "--", "a.json", "b.json"]) == 1


def test_what_a_start_need_not_import_is_named_here_as_there() -> None:
    """The command line names some tables' keys itself, so that starts without these flags are quick."""
    assert tuple(flags.PROFILE_NAMES) == tuple(PROFILES)
    assert tuple(flags.CHAOS_FLAGS) == tuple(KINDS)
    assert tuple(Per) == flags.QUOTA_OWNERS
