"""How much memory a server ever held: just started, and after a slice of whole and of streamed completions."""

from __future__ import annotations

import time

from bench import fixtures
from bench.load import drive
from bench.plan import Plan
from bench.report import Row
from bench.servers import running
from bench.traffic import check, plain_head, traffic

TARGET = 1.0
SETTLE = 0.5
"""Seconds for what a server still does after its first answer."""


def measure(plan: Plan) -> list[Row]:
    directory = fixtures.conversation(plan.directory / "memory")
    kinds = [traffic(plain_head, fixtures.GREETING, fixtures.ANSWER, streamed=streamed) for streamed in (False, True)]
    idle = Row("peak memory, idle", "MiB", target=TARGET)
    loaded = Row("peak memory, after load", "MiB", target=TARGET)
    for _ in plan.progress("memory", plan.rounds):
        for server in plan.servers:
            with running(server, directory, core=plan.cores.server) as started:
                time.sleep(SETTLE)
                idle.add(server.name, started.peak_resident_mib())
                for sent in kinds:
                    check(started.port, sent)
                    drive(started.port, sent, seconds=plan.seconds, core=plan.cores.load)
                loaded.add(server.name, started.peak_resident_mib())
    return [idle, loaded]
