"""The command line as a process: readiness, signals, exit statuses, and both names of the program."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE = 30.0
"""Seconds after which a process that hangs is killed, so that its test fails and does not hang with it."""

PROGRAM = [sys.executable, "-m", "aimock"]
SCRIPTS = [shutil.which(name, path=str(Path(sys.executable).parent)) for name in ("aimock", "llmock")]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

Start = Callable[..., "Process"]


class Process:
    """A running command line."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.output = ""

    def wait_for(self, pattern: str) -> str:
        """Reads stdout up to a line with the pattern, and returns its group, or the whole match."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.output += line
            if found := re.search(pattern, line):
                return found[found.re.groups and 1]
        raise AssertionError(
            f"no {pattern!r} in what it said: {self.output}{self.popen.stderr and self.popen.stderr.read()}"
        )

    def wait_until_ready(self) -> str:
        """The URL, as harnesses find it."""
        return self.wait_for(r"listening on (http://\S+)")

    def end(self) -> tuple[int, str]:
        """Its exit status and stderr, once it has ended."""
        out, err = self.popen.communicate(timeout=PATIENCE)
        self.output += out
        return self.popen.returncode, err


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program in a directory with one fixture file; it is killed if it hangs or outlives the test."""
    stream = {"match": {"userMessage": "stream"}, "response": {"content": "x" * 30}, "chunkSize": 1, "latency": 10}
    endless = {"match": {"userMessage": "endless"}, "response": {"content": "xx"}, "chunkSize": 1, "latency": 60_000}
    hello = {"match": {"userMessage": "hello"}, "response": {"content": "Hi"}}
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "a.json").write_text(json.dumps({"fixtures": [stream, endless, hello]}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIMOCK_")}
    with contextlib.ExitStack() as stack:

        def run(*words: str, program: list[str] = PROGRAM, **more: str) -> Process:
            popen = stack.enter_context(
                subprocess.Popen(
                    [*program, *words],
                    cwd=tmp_path,
                    env=environment | more,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(popen.kill)
            watchdog = threading.Timer(PATIENCE, popen.kill)
            watchdog.daemon = True
            watchdog.start()
            stack.callback(watchdog.cancel)
            return Process(popen)

        yield run


def ask(url: str, text: str, *, stream: bool = False) -> socket.socket:
    """A connection on which a question has been sent."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)), timeout=PATIENCE)
    body = json.dumps({"messages": [{"role": "user", "content": text}], "stream": stream}).encode()
    sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return sock


def read_until(sock: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received and (more := sock.recv(65536)):
        received += more
    return received


# -- a whole life ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        pytest.param(PROGRAM, signal.SIGTERM, id="python -m aimock"),
        *(
            pytest.param(
                [script],
                signal.SIGINT,
                id=name,
                marks=pytest.mark.skipif(script is None, reason=f"{name} is not installed beside the interpreter"),
            )
            for name, script in zip(("C28 aimock", "llmock"), SCRIPTS, strict=True)
        ),
    ],
)
def test_a_life(start: Start, program: list[str], kind: signal.Signals) -> None:
    process = start("--port", "0", program=program)
    url = process.wait_until_ready()
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", url)
    with ask(url, "hello") as sock:
        assert b'"content":"Hi"' in read_until(sock, b'"Hi"')
        process.popen.send_signal(kind)
        assert process.end() == (0, "")
    lines = process.output.splitlines()
    assert lines[0] == "[aimock] loaded 3 fixture(s) from ./fixtures"
    assert re.fullmatch(r"\[aimock\] seed \d+", lines[1])
    assert lines[2] == f"[aimock] aimock server listening on {url}"
    assert lines[-1] == "[aimock] shutting down"


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_c27_field_42_a_signal_at_the_readiness_line_is_a_clean_end(start: Start, kind: signal.Signals) -> None:
    process = start("-p", "0")
    process.wait_until_ready()
    process.popen.send_signal(kind)
    assert process.end() == (0, "")


def test_a_stream_in_flight_is_finished(start: Start) -> None:
    process = start("-p", "0")
    with ask(process.wait_until_ready(), "stream", stream=True) as sock:
        received = read_until(sock, b"assistant")
        process.popen.terminate()
        while more := sock.recv(65536):
            received += more
    assert received.count(b'"content":"x"') == 30
    assert received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert process.end() == (0, "")


def test_a_second_signal_waits_for_nothing(start: Start) -> None:
    process = start("-p", "0")
    with ask(process.wait_until_ready(), "endless", stream=True) as sock:
        read_until(sock, b"\r\n\r\n")
        process.popen.terminate()
        process.wait_for("shutting down")
        process.popen.terminate()
        assert process.end() == (0, "")
        assert b"[DONE]" not in read_until(sock, b"[DONE]")


def test_what_a_provider_is_asked_does_not_hold_up_the_end(start: Start, tmp_path: Path) -> None:
    """The provider would have three times PATIENCE."""
    with socket.create_server(("127.0.0.1", 0)) as provider:
        url = f"http://127.0.0.1:{provider.getsockname()[1]}"
        record = {"providers": {"openai": url}, "upstreamTimeoutMs": 3 * PATIENCE * 1000}
        (tmp_path / "aimock.json").write_text(json.dumps({"llm": {"record": record}}))
        process = start("--config", "aimock.json", "-p", "0")
        with ask(process.wait_until_ready(), "unheard of"):
            connection, _ = provider.accept()
            with connection:
                process.popen.terminate()
                told = "[aimock] answers of providers that are not waited for, nor recorded: 1\n"
                assert process.end() == (0, told)


def test_a_port_in_use_is_one_line(start: Start) -> None:
    port = start("-p", "0").wait_until_ready().rpartition(":")[2]
    process = start("-p", port, "--log-level", "warn")
    status, err = process.end()
    assert (status, process.output) == (1, "")
    assert err == f"aimock: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_the_environment_names_the_host_and_a_config_file_the_rest(start: Start, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"seed": 5, "strict": true, "llm": {"fixtures": "fixtures"}}')
    process = start("--config", "c.json", AIMOCK_HOST="0.0.0.0")
    url = process.wait_until_ready()
    assert url.startswith("http://0.0.0.0:")
    assert "[aimock] seed 5\n" in process.output
    with ask(url.replace("0.0.0.0", "127.0.0.1"), "unknown") as sock:
        assert read_until(sock, b"\r\n").startswith(b"HTTP/1.1 503 ")
    process.popen.terminate()
    status, err = process.end()
    assert status == 0
    assert "Strict mode: no fixture matched" in err, "misses are said on stderr"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--port", "99999"], 1, "--port"),
        (["--provider-byteplus", "x"], 1, "--provider-byteplus: this version does not support it"),
        (["--agui-record"], 1, "--agui-record and --agui-proxy-only need --agui-upstream"),
        (["-f", "nowhere"], 1, "nowhere: No such file or directory"),
        (["validate", "fixtures"], 0, ""),
        (["validate", "nowhere"], 1, ""),
        (["--help"], 0, ""),
    ],
)
def test_exit_statuses(start: Start, words: list[str], status: int, said: str) -> None:
    process = start(*words)
    ended, err = process.end()
    assert ended == status
    assert said in err
    assert err.count("\n") == (1 if said else 0)


def test_a_reader_of_its_output_that_left_does_not_bring_it_down(start: Start) -> None:
    process = start("-p", "0")
    url = process.wait_until_ready()
    assert process.popen.stdout is not None
    process.popen.stdout.close()
    with ask(url, "hello") as sock:
        assert b'"content":"Hi"' in read_until(sock, b'"Hi"')
    process.popen.terminate()
    assert process.popen.wait(PATIENCE) == 0


# -- watching --------------------------------------------------------------------------------------------------------


def test_watch_serves_what_files_say_now(start: Start, tmp_path: Path) -> None:
    process = start("-p", "0", "--watch")
    url = process.wait_until_ready()
    assert process.wait_for(r"watching (\S+)") == "./fixtures"
    hello = {"match": {"userMessage": "hello"}, "response": {"content": "Changed"}}
    (tmp_path / "new").write_text(json.dumps({"fixtures": [hello]}))
    os.replace(tmp_path / "new", tmp_path / "fixtures" / "a.json")
    assert process.wait_for(r"reloaded \./fixtures: (\d+) fixture") == "1"
    with ask(url, "hello") as sock:
        assert b'"content":"Changed"' in read_until(sock, b'"Changed"')
    process.popen.terminate()
    assert process.end() == (0, "")


def test_c27_a_signal_while_remote_fixtures_are_fetched_is_a_clean_end(start: Start) -> None:
    """Alive and not ready meanwhile, and nobody waits for the fetch to end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/f.json"
        process = start("-p", str(port), "-f", url, AIMOCK_ALLOW_PRIVATE_URLS="1")
        fetching, _ = silent.accept()
        with fetching, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            assert read_until(fetching, b"\r\n\r\n").startswith(b"GET /f.json HTTP/1.1\r\n")
            sock.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b'{"status":"loading"}' in read_until(sock, b"loading")
            process.popen.terminate()
            assert process.end() == (0, "")
