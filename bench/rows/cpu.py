"""What a chat completion costs the server in CPU: whole and streamed, with a plain client's head and an SDK's."""

from __future__ import annotations

from contextlib import ExitStack

from bench import fixtures
from bench.load import WARM_UP, cpu_per_request
from bench.plan import Plan
from bench.report import Row
from bench.servers import running
from bench.traffic import KINDS, check, traffic

TARGET = 0.25


def measure(plan: Plan) -> list[Row]:
    directory = fixtures.conversation(plan.directory / "cpu")
    kinds = {
        f"{'stream' if streamed else 'whole'}, {name}": traffic(
            head, fixtures.GREETING, fixtures.ANSWER, streamed=streamed, varying=varying
        )
        for streamed in (False, True)
        for name, (head, varying) in KINDS.items()
    }
    rows = {kind: Row(f"CPU per request, {kind}", "µs", target=TARGET) for kind in kinds}
    with ExitStack() as stack:
        up = [stack.enter_context(running(server, directory, core=plan.cores.server)) for server in plan.servers]
        for server in up:
            for sent in kinds.values():
                check(server.port, sent)
                cpu_per_request(server, sent, seconds=WARM_UP, core=plan.cores.load)
        for _ in plan.progress("cpu", plan.rounds):
            for kind, sent in kinds.items():
                for server in up:
                    cost = cpu_per_request(server, sent, seconds=plan.seconds, core=plan.cores.load)
                    rows[kind].add(server.name, cost)
    return list(rows.values())
