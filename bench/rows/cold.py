"""How long a test run waits for its mock: from spawning the process to its first 200 on GET /health, and to its first
right answer, for which the fixtures must have been read."""

from __future__ import annotations

import time

from bench import fixtures
from bench.plan import Plan
from bench.report import Row
from bench.servers import running
from bench.traffic import check, plain_head, traffic

TARGET = 1.0


def measure(plan: Plan) -> list[Row]:
    directory = fixtures.conversation(plan.directory / "cold")
    question = traffic(plain_head, fixtures.GREETING, fixtures.ANSWER, streamed=False)
    healthy = Row("cold start, 10 fixtures", "ms", target=TARGET)
    answering = Row("cold start to the first completion", "ms")
    for server in plan.servers:
        with running(server, directory, core=plan.cores.server):
            pass  # fills the file cache and writes bytecode: the first start ever is the installation's price
    for _ in plan.progress("cold", plan.starts):
        for server in plan.servers:
            with running(server, directory, core=plan.cores.server) as started:
                healthy.add(server.name, started.started_in * 1000)
                began = time.perf_counter()
                check(started.port, question)
                answering.add(server.name, (started.started_in + time.perf_counter() - began) * 1000)
    return [healthy, answering]
