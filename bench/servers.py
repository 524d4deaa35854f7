"""The servers that are compared: how each is obtained, started and stopped. A new peer is one more entry in SERVERS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import CannotRun, procfs

REFERENCE_PACKAGE = "@copilotkit/aimock"
REFERENCE_VERSION = "1.43.0"
REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / "bench" / ".cache"

POLL_INTERVAL = 0.001
STOP_TIMEOUT = 10.0


class DidNotStart(CannotRun):
    """A server ended, or stayed silent for too long, instead of answering on /health."""


@dataclass(frozen=True)
class Server:
    """A server that can be started on a port with a directory of fixtures."""

    name: str
    prepare: Callable[[], list[str]]
    """Obtains the server if need be and gives the command that runs it, arguments still to come."""
    version: Callable[[], str]

    def command(self, port: int, fixtures: Path) -> list[str]:
        return [*self.prepare(), "--port", str(port), "--fixtures", str(fixtures), "--log-level", "silent"]


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    name: str
    port: int
    pid: int
    started_in: float
    """Seconds from spawning it to its first 200 on /health."""

    def cpu_nanoseconds(self) -> int:
        return procfs.cpu_nanoseconds(self.pid)

    def resident_mib(self) -> float:
        return procfs.resident_bytes(self.pid) / 2**20

    def peak_resident_mib(self) -> float:
        return procfs.peak_resident_bytes(self.pid) / 2**20


@contextmanager
def running(server: Server, fixtures: Path, *, core: int, timeout: float = 60.0) -> Iterator[Running]:
    """The server, pinned to `core`, for as long as the block lasts. Raises DidNotStart if it does not come up."""
    port = free_port()
    command = server.command(port, fixtures)
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # before exec, so that every thread inherits it
        )
        try:
            started_in = _await_health(process, port, began, timeout)
            if started_in is None:
                output.seek(0)
                said = output.read().decode(errors="replace").strip()[-2000:]
                how = "did not answer in time" if process.poll() is None else f"ended with {process.returncode}"
                raise DidNotStart(f"{server.name} {how}: {' '.join(command)}\n{said}")
            yield Running(server.name, port, process.pid, started_in)
        finally:
            _stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(process: subprocess.Popen[bytes], port: int, began: float, timeout: float) -> float | None:
    while process.poll() is None:
        elapsed = time.perf_counter() - began
        if is_healthy(port):
            return time.perf_counter() - began
        if elapsed > timeout:
            break
        time.sleep(POLL_INTERVAL)
    return None


def is_healthy(port: int) -> bool:
    """A bare socket: what is timed is the server, not a client library."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """Ours, less what would configure a server behind the benchmark's back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIMOCK_")}


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _install_reference() -> list[str]:
    home = CACHE / f"reference-{REFERENCE_VERSION}"
    executable = home / "node_modules" / ".bin" / "llmock"
    if not executable.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise CannotRun("the reference needs node and npm; without them run with --servers ours")
        print(f"installing {REFERENCE_PACKAGE}@{REFERENCE_VERSION} into {home.relative_to(REPOSITORY)}", flush=True)
        home.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--no-save", "--loglevel", "error"]
        install = [npm, "install", "--prefix", str(home), *quiet, f"{REFERENCE_PACKAGE}@{REFERENCE_VERSION}"]
        if subprocess.run(install).returncode != 0 or not executable.exists():
            raise CannotRun(f"npm could not install {REFERENCE_PACKAGE}@{REFERENCE_VERSION}")
    return [str(executable)]


def _reference_version() -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    return f"{REFERENCE_PACKAGE} {REFERENCE_VERSION}, node {node}"


def _our_version() -> str:
    asked = "import importlib.metadata as m; print(m.version('aimock'))"
    version = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=REPOSITORY, capture_output=True, text=True
    ).stdout.strip()
    return f"aimock {version or '(not installed)'} {commit}, python {sys.version.split()[0]}"


REFERENCE = Server("reference", _install_reference, _reference_version)
OURS = Server("ours", lambda: [sys.executable, "-m", "aimock"], _our_version)
CONTROL = Server("control", lambda: [sys.executable, "-m", "bench.control"], lambda: "a loop that only sends")
SERVERS = {server.name: server for server in (REFERENCE, OURS)}
