"""What the same answer costs by another protocol: each server against its own chat completions, round by round."""

from __future__ import annotations

from contextlib import ExitStack

from bench import fixtures
from bench.load import WARM_UP, cpu_per_request
from bench.plan import Plan
from bench.report import Judged, Row
from bench.servers import running
from bench.traffic import API, CHAT, CLAUDE, Traffic, check, sdk_head, traffic

TARGET = 1.3


def measure(plan: Plan) -> list[Row]:
    directory = fixtures.conversation(plan.directory / "protocols")
    rows: list[Row] = []
    with ExitStack() as stack:
        up = [stack.enter_context(running(server, directory, core=plan.cores.server)) for server in plan.servers]
        for streamed in (False, True):
            kind = "stream" if streamed else "whole"
            chat, claude = _sent(CHAT, streamed), _sent(CLAUDE, streamed)
            cost = Row(f"CPU per request, Claude, {kind}, 15 SDK headers", "µs")
            over = Row(f"Claude over chat, {kind}", "×", target=TARGET, judged=Judged.ALONE)
            for server in up:
                for sent in (chat, claude):
                    check(server.port, sent)
                    cpu_per_request(server, sent, seconds=WARM_UP, core=plan.cores.load)
            for _ in plan.progress(f"protocols, {kind}", plan.rounds):
                for server in up:
                    of_chat, of_claude = (
                        cpu_per_request(server, sent, seconds=plan.seconds, core=plan.cores.load)
                        for sent in (chat, claude)
                    )
                    cost.add(server.name, of_claude)
                    over.add(server.name, of_claude / of_chat)
            rows += [cost, over]
    return rows


def _sent(api: API, streamed: bool) -> Traffic:
    return traffic(sdk_head, fixtures.GREETING, fixtures.ANSWER, streamed=streamed, api=api)
