"""How long a test run waits for its mock: from spawning the process to its first 200 on GET /health."""

from __future__ import annotations

from bench import fixtures
from bench.plan import Plan
from bench.report import Row
from bench.servers import running

TARGET = 1.0


def measure(plan: Plan) -> list[Row]:
    directory = fixtures.conversation(plan.directory / "cold")
    row = Row("cold start, 10 fixtures", "ms", target=TARGET)
    for server in plan.servers:
        with running(server, directory, core=plan.cores.server):
            pass  # fills the file cache and writes bytecode: the first start ever is the installation's price
    for _ in plan.progress("cold", plan.starts):
        for server in plan.servers:
            with running(server, directory, core=plan.cores.server) as started:
                row.add(server.name, started.started_in * 1000)
    return [row]
