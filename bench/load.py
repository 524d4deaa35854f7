"""Driving a server with load, and what each request of it cost the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import CannotRun
from bench.servers import Running
from bench.traffic import Traffic

CONNECTIONS = 16
WARM_UP = 3
"""Seconds of load that are not counted: in the first one, a request costs Node three times its steady price."""
SCRIPT = Path(__file__).with_name("wrk.lua")


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "bench.client (install wrk for a stronger load)"


def cpu_per_request(server: Running, traffic: Traffic, *, seconds: int, core: int) -> float:
    """Microseconds of CPU that the server spent on each request, in one slice of load from `core`."""
    before = server.cpu_nanoseconds()
    requests = drive(server.port, traffic, seconds=seconds, core=core)
    return (server.cpu_nanoseconds() - before) / 1000 / requests


def drive(port: int, traffic: Traffic, *, seconds: int, core: int) -> int:
    """Closed-loop load on CONNECTIONS keep-alive connections; the number of requests completed, all of them well."""
    with tempfile.NamedTemporaryFile() as request_file:
        request_file.write(traffic.request)
        request_file.flush()
        finished = subprocess.run(
            _command(port, request_file.name, seconds),
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    if finished.returncode != 0:
        raise CannotRun(f"the load generator failed: {finished.stderr.strip()}")
    result = json.loads(finished.stdout.splitlines()[-1])
    if result["errors"] or not result["requests"]:
        raise CannotRun(f"{result['errors']} errors in {result['requests']} requests on port {port}")
    return int(result["requests"])


def _command(port: int, request_file: str, seconds: int) -> list[str]:
    if wrk := shutil.which("wrk"):
        shape = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
        return [wrk, *shape, f"http://127.0.0.1:{port}/", "--", request_file]
    return [sys.executable, "-m", "bench.client", str(port), request_file, str(seconds), str(CONNECTIONS)]
