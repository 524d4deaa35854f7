"""`aimock record -- COMMAND` as people run it: a process, in which the official SDK of OpenAI is the command, and
another server of ours the provider."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyte
import pytest

from aimock import AIMock
from aimock.sdks import KEY
from recording_provider import recorded, texts

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")

PATIENCE = 30.0
"""Seconds after which a process that hangs is killed."""
RECORD = [sys.executable, "-m", "aimock", "record"]
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 200},
    "completion_tokens_details": {"reasoning_tokens": 100},
}
ASKING = """
import sys
from openai import OpenAI

with OpenAI(max_retries=0) as client:
    for question in sys.argv[1:]:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
        print(answer.choices[0].message.content, flush=True)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def provider() -> Iterator[AIMock]:
    with AIMock() as server:
        server.on_message("hello", {"content": "Hi from afar!", "usage": USAGE})
        yield server


@pytest.fixture
def environment(provider: AIMock) -> dict[str, str]:
    """With the variable that says where the provider is, and nothing else that an SDK would heed."""
    kept = {
        name: value for name, value in os.environ.items() if not re.match("AIMOCK_|AWS_|.*_(KEY|TOKEN|BASE|URL)$", name)
    }
    return kept | {"OPENAI_BASE_URL": f"{provider.url}/v1", "HOME": "/nonexistent"}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    (tmp_path / "ask.py").write_text(ASKING)

    def start(*words: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RECORD, *words],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment | more,
            timeout=PATIENCE,
        )

    return start


def asking(*questions: str) -> list[str]:
    return ["--", sys.executable, "ask.py", *questions]


# -- recording and replaying -------------------------------------------------------------------------------------------


def test_what_was_recorded_is_replayed_and_both_are_told(run: Run, tmp_path: Path, provider: AIMock) -> None:
    first = run(*asking("hello", "hello"))
    assert (first.returncode, first.stdout) == (0, "Hi from afar!\nHi from afar!\n")
    tokens = "1 request, 1,000 tokens in (200 cached), 500 out (100 reasoning), $0.0073"
    assert re.sub(r"\d+\.\d s", "… s", first.stderr).splitlines() == [
        "aimock: 1 recorded, 1 replayed, 0 missed, 0 failed",
        f"aimock:   recorded gpt-4o: {tokens}",
        f"aimock:   replayed gpt-4o: {tokens}",
        "aimock:   the recorded ones cost $0.0073 and … s",
        "aimock:   the replayed ones saved $0.0073 and … s",
    ]
    assert len(provider.get_requests()) == 1
    assert len(recorded(tmp_path / "fixtures" / "recorded")) == 1
    provider.reset()
    again = run("--strict", *asking("hello"), OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert (again.returncode, again.stdout) == (0, "Hi from afar!\n")
    assert again.stderr.startswith("aimock: 0 recorded, 1 replayed, 0 missed, 0 failed\n")
    assert provider.get_requests() == []


def test_money_by_a_file_of_prices_and_of_unknown_price(run: Run, tmp_path: Path, provider: AIMock) -> None:
    provider.reset()
    provider.on_message("hello", {"content": "Hi", "usage": USAGE, "model": "my-own-model"})
    provider.on_message("silent", {"content": "Hi", "usage": {"cost": 1}, "model": "my-own-model"})
    assert (
        "recorded my-own-model: 1 request, 1,000 tokens in (200 cached), 500 out (100 reasoning), price unknown\n"
        in (told := run(*asking("hello")).stderr)
    )
    assert "the recorded ones cost an unknown price and " in told
    (tmp_path / "prices.json").write_text(json.dumps({"my-*": {"input": 1000, "cachedInput": 0, "output": 2000}}))
    told = run("--prices", "prices.json", *asking("hello", "hello")).stderr
    assert "replayed my-own-model: 2 requests, 2,000 tokens in (400 cached), 1,000 out (200 reasoning), $3.60\n" in told


def test_what_is_missed_and_what_fails(run: Run, provider: AIMock) -> None:
    run(*asking("hello"))
    told = run("--strict", *asking("unheard of"))
    assert told.returncode == 1, "that of the command, which had an exception"
    assert "aimock: 0 recorded, 0 replayed, 1 missed, 0 failed\n" in told.stderr
    provider.next_request_error(429, {"message": "slow down"})
    assert "aimock: 0 recorded, 0 replayed, 0 missed, 1 failed\n" in run(*asking("slow")).stderr
    told = run(*asking("gone"), OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert "aimock: 0 recorded, 0 replayed, 0 missed, 1 failed\n" in told.stderr


def test_what_is_only_relayed_and_what_others_answer(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fixtures").mkdir()
    own = {"match": {"userMessage": "mine"}, "response": {"content": "Mine", "usage": USAGE}}
    (tmp_path / "fixtures" / "a.json").write_text(json.dumps({"fixtures": [own]}))
    told = run("--proxy-only", *asking("hello", "mine"))
    assert told.stdout == "Hi from afar!\nMine\n"
    assert told.stderr == (
        "aimock: 0 recorded, 0 replayed, 1 answered by other fixtures, 1 relayed and not recorded, 0 missed, 0 failed\n"
    )


def test_keys_the_command_s_own_or_ours_and_nowhere_else(run: Run, tmp_path: Path) -> None:
    with AIMock(api_keys=["sk-the-real-one"]) as guarded:
        guarded.on_message("hello", {"content": "Hi"})
        where = {"OPENAI_BASE_URL": f"{guarded.url}/v1"}
        for keys in (
            {"OPENAI_API_KEY": "sk-the-real-one"},
            {"AIMOCK_PROVIDER_OPENAI_KEY": "sk-the-real-one"},
            {"AIMOCK_PROVIDER_OPENAI_KEY": "sk-the-real-one", "AIMOCK_DUMMY_KEY_MARKER": "none"},
        ):
            told = run(*asking("hello"), **where, **keys)
            assert (told.returncode, told.stdout) == (0, "Hi\n"), told.stderr
            assert "sk-the-real-one" not in "".join([told.stderr, *texts(tmp_path / "fixtures")])
            for file in (tmp_path / "fixtures").rglob("*.json"):
                file.unlink()
        told = run(*asking("hello"), **where)
        assert told.returncode == 1
        assert "401" in told.stderr


def test_the_config_file_says_how_to_record(run: Run, tmp_path: Path, provider: AIMock) -> None:
    record = {"providers": {"openai": provider.url}, "fixturePath": "tape", "sequence": True}
    (tmp_path / "c.json").write_text(json.dumps({"port": 1, "llm": {"record": record, "logLevel": "info"}}))
    told = run("--config", "c.json", *asking("hello"), OPENAI_BASE_URL="http://127.0.0.1:9")
    assert told.stdout == "Hi from afar!\n", told.stderr
    assert "[aimock] aimock server listening on http://127.0.0.1:" in told.stderr, "stdout is the command's"
    (entry,) = recorded(tmp_path / "tape")
    assert entry["match"]["sequenceIndex"] == 0


# -- the command -------------------------------------------------------------------------------------------------------


def test_sdks_are_pointed_at_it_and_real_keys_are_let_be(run: Run) -> None:
    printing = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    more = {"GEMINI_API_KEY": "real", "ANTHROPIC_AUTH_TOKEN": "real", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    told = json.loads(run("--", *printing, **more, AWS_PROFILE="mine").stdout)
    url = told["ANTHROPIC_BASE_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert told["OPENAI_BASE_URL"] == f"{url}/v1"
    assert told["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == url
    assert told["OPENAI_API_KEY"] == KEY
    assert told["GEMINI_API_KEY"] == told["ANTHROPIC_AUTH_TOKEN"] == "real"
    absent = {"GOOGLE_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AZURE_OPENAI_ENDPOINT"}
    assert absent.isdisjoint(told), "they would outrank a real one, or send an SDK elsewhere"
    assert "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" not in told
    assert "127.0.0.1" in told["NO_PROXY"].split(",")
    azure = run("--tls-self-signed", "--", *printing, AZURE_OPENAI_ENDPOINT="https://x.openai.azure.com")
    told = json.loads(azure.stdout)
    assert told["AZURE_OPENAI_ENDPOINT"] == told["ANTHROPIC_BASE_URL"]
    assert told["AZURE_OPENAI_ENDPOINT"].startswith("https://127.0.0.1:")
    assert told["AWS_ACCESS_KEY_ID"] == KEY
    assert told["SSL_CERT_FILE"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--", "sh", "-c", "exit 7"], 7, "0 recorded, 0 replayed, 0 missed, 0 failed"),
        (["--", "sh", "-c", "kill -9 $$"], 137, "0 recorded"),
        (["--log-level", "silent", "--", "true"], 0, ""),
        (["--", "nonesuch"], 127, "record: nonesuch: command not found"),
        (["--", "./ask.py"], 126, "record: ./ask.py: Permission denied"),
        ([], 1, "record: expected `-- COMMAND` at the end; see aimock record --help"),
        (["--"], 1, "record: expected `-- COMMAND`"),
        (["sh", "--", "true"], 1, "unrecognized arguments: sh; see aimock record --help"),
        (["--prices", "ask.py", "--", "true"], 1, "--prices: ask.py: not JSON"),
        (["--provider-openai", "ftp://x", "--", "true"], 1, "providers.openai: expected an http or https URL"),
        (["-f", "https://example.com/f.json", "--", "true"], 1, "--record: the first --fixtures must be a directory"),
        (["-f", "ask.py/no", "--", "true"], 1, "nothing can be recorded: ask.py/no"),
    ],
)
def test_exit_statuses(run: Run, words: list[str], status: int, said: str) -> None:
    ended = run(*words)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr.startswith(f"aimock: {said}" if status != 1 else "aimock: ") or not said
    assert said in ended.stderr
    assert ended.stderr.count("\n") == (1 if said else 0)


def test_a_variable_that_is_no_url_is_named(run: Run) -> None:
    ended = run("--", "true", OPENAI_BASE_URL="https://user:secret@x")
    assert ended.returncode == 1
    assert ended.stderr.startswith("aimock: OPENAI_BASE_URL: expected a URL without user and password")
    assert "secret" not in ended.stderr


def test_a_port_in_use_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--port", port, "--", "true")
    assert ended.returncode == 1
    assert ended.stderr == f"aimock: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_its_input_is_the_command_s(run: Run) -> None:
    assert run("--", "cat", stdin="what comes\n").stdout == "what comes\n"


TRAPPING = """
import signal, sys, time

def ended(number, frame):
    print("got", number, flush=True)
    time.sleep(0.3)  # another one would come within it
    sys.exit(3)

signal.signal(signal.SIGINT, ended)
signal.signal(signal.SIGTERM, ended)
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_signals_go_on_to_it(tmp_path: Path, environment: dict[str, str], kind: signal.Signals) -> None:
    with subprocess.Popen(
        [*RECORD, "--", sys.executable, "-c", TRAPPING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(kind)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (3, f"got {kind.value}\n")
    assert err == "aimock: 0 recorded, 0 replayed, 0 missed, 0 failed\n"


def test_a_signal_before_it_has_begun_ends_it_so(tmp_path: Path, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/f.json"
        with subprocess.Popen(
            [*RECORD, "-f", "fixtures", "-f", url, "--", "touch", "begun"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment | {"AIMOCK_ALLOW_PRIVATE_URLS": "1"},
        ) as process:
            fetching, _ = silent.accept()
            with fetching:
                process.terminate()
                _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (128 + signal.SIGTERM, "")
    assert not (tmp_path / "begun").exists()


# -- on a terminal -----------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal on which a program runs, with all that is on its screen."""

    LINES, COLUMNS = 12, 100

    def __init__(
        self, words: Sequence[str], directory: Path, environment: dict[str, str], *, stdout: Any = None
    ) -> None:
        self.screen = pyte.Screen(self.COLUMNS, self.LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.read = b""
        self._near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", self.LINES, self.COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            words,
            stdin=far,
            stdout=far if stdout is None else stdout,
            stderr=far,
            cwd=directory,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(far)

    def press(self, keys: bytes) -> None:
        os.write(self._near, keys)

    def wait_for(self, shown: str) -> None:
        """Until that is on the screen."""
        self._read_until(lambda: shown in "\n".join(self.screen.display))

    def end(self) -> int:
        self._read_until(lambda: False)
        os.close(self._near)
        return self.process.wait(PATIENCE)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def _read_until(self, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_there():
            if not select.select([self._near], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.process.kill()
                raise AssertionError("\n".join(self.lines))
            try:
                data = os.read(self._near, 65536)
            except OSError:  # it was closed at the far end
                data = b""
            if not data:
                break
            self.read += data
            self._stream.feed(data)


FEW = "import sys; sys.stdin.readline(); print('one'); print('two', end='', flush=True); sys.stdin.readline()"


def test_a_line_at_the_foot_is_kept_up_to_date(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "ask.py").write_text(f"{ASKING}\n{FEW}")
    terminal = Terminal([*RECORD, *asking("hello", "hello")], tmp_path, environment | {"TERM": "xterm"})
    terminal.wait_for("recorded 1, replayed 1, missed 0, last: gpt-4o fixtures/recorded/openai-")
    assert terminal.lines[:2] == ["Hi from afar!"] * 2
    assert terminal.lines[-1].startswith("aimock: recorded 1, replayed 1, ")
    terminal.press(b"\n")
    terminal.wait_for("two")
    assert terminal.lines[:5] == ["Hi from afar!", "Hi from afar!", "", "one", "two"], "nothing is mixed up"
    assert terminal.lines[-1].startswith("aimock: recorded 1, replayed 1, ")
    terminal.press(b"\n")
    assert terminal.end() == 0
    foot = [line for line in terminal.lines if "last:" in line]
    assert foot == [], "it is gone at the end"
    assert any(line == "aimock: 1 recorded, 1 replayed, 0 missed, 0 failed" for line in terminal.lines)
    assert terminal.screen.margins is None, "the whole screen scrolls again"


def test_logs_scroll_above_it(tmp_path: Path, provider: AIMock, environment: dict[str, str]) -> None:
    words = [sys.executable, "-m", "aimock", "-p", "0", "--record", "--provider-openai", provider.url]
    terminal = Terminal(words, tmp_path, environment | {"TERM": "xterm"})
    terminal.wait_for("listening on http://")
    url = re.search(r"listening on (\S+)", "\n".join(terminal.lines))
    assert url is not None
    told = {"OPENAI_BASE_URL": f"{url[1]}/v1", "OPENAI_API_KEY": "any"}
    (tmp_path / "ask.py").write_text(ASKING)
    for question in ("hello", "hello", "unheard of"):
        subprocess.run([sys.executable, "ask.py", question], cwd=tmp_path, env=environment | told, capture_output=True)
    terminal.wait_for("recorded 1, replayed 1, missed 0, failed 1, last: gpt-4o ")
    assert terminal.lines[-1].startswith("aimock: recorded 1, ")
    assert all(not line or line.startswith("[aimock] ") for line in terminal.lines[:-1])
    assert sum("asking openai" in line for line in terminal.lines) == 2
    terminal.press(b"\x03")
    assert terminal.end() == 0
    assert "shutting down" in "\n".join(terminal.lines)
    assert terminal.screen.margins is None


@pytest.mark.parametrize(
    ("options", "more"),
    [(["--log-level", "silent"], {"TERM": "xterm"}), ([], {"TERM": "dumb"}), ([], {})],
    ids=["silent", "dumb terminal", "no terminal known"],
)
def test_no_line_where_none_is_wanted(
    tmp_path: Path, environment: dict[str, str], options: list[str], more: dict[str, str]
) -> None:
    environment.pop("TERM", None)
    (tmp_path / "ask.py").write_text(ASKING)
    terminal = Terminal([*RECORD, *options, *asking("hello")], tmp_path, environment | more)
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.read
    assert terminal.lines[0] == "Hi from afar!"


def test_control_c_reaches_the_command_once(tmp_path: Path, environment: dict[str, str]) -> None:
    terminal = Terminal([*RECORD, "--", sys.executable, "-c", TRAPPING], tmp_path, environment | {"TERM": "dumb"})
    terminal.wait_for("ready")
    terminal.press(b"\x03")
    assert terminal.end() == 3
    assert terminal.read.count(b"got 2") == 1
