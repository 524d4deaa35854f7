"""What the same answer costs by every protocol that there is, over what it costs by chat completions.

Only our own server is asked: there is no other that speaks them all. How each is asked stands in the cases of the tests
(`tests/protocol_cases`), with the prompt in place of what their user says.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aimock_protocols.canonical import ChatProtocol
from aimock_protocols.registry import chat_protocols
from bench import CannotRun, fixtures
from bench.load import cpu_per_request
from bench.plan import Plan
from bench.report import Judged, Row
from bench.servers import OURS, running
from bench.traffic import Traffic, exchange, sdk_head

CASES = str(Path(__file__).parents[2] / "tests")
BASE = "openai_chat"
TARGET = 1.5
PROMPT = f"Please tell me: {fixtures.GREETING}, thank you."


def measure(plan: Plan) -> list[Row]:
    if OURS not in plan.servers:
        return []
    if CASES not in sys.path:
        sys.path.insert(0, CASES)
    cases = importlib.import_module("protocol_cases").CHATS
    directory = fixtures.conversation(plan.directory / "every")
    rows: list[Row] = []
    with ExitStack() as stack:
        server = stack.enter_context(running(OURS, directory, core=plan.cores.server))
        for streamed in (False, True):
            sent = {each.name: _sent(each, cases[each.name], streamed) for each in chat_protocols()}
            for protocol in chat_protocols():
                _check(server.port, protocol, sent[protocol.name])
                cpu_per_request(server, sent[protocol.name], seconds=1, core=plan.cores.load)
            over = {name: _row(name, streamed) for name in sent}
            for _ in plan.progress(f"every protocol, {'streamed' if streamed else 'whole'}", plan.rounds):
                for name, traffic in sent.items():
                    if name != BASE:  # which is asked beside each: a machine changes its pace within a minute
                        base, cost = (
                            cpu_per_request(server, each, seconds=plan.seconds, core=plan.cores.load)
                            for each in (sent[BASE], traffic)
                        )
                        over[name].add(server.name, cost / base)
            rows += [row for name, row in over.items() if name != BASE]
    return rows


def _row(name: str, streamed: bool) -> Row:
    return Row(f"{name} over chat, {'stream' if streamed else 'whole'}", "×", target=TARGET, judged=Judged.ALONE)


def _sent(protocol: ChatProtocol, case: Any, streamed: bool) -> Traffic:
    path, asked = case.asks(streamed)
    body = json.dumps(asked).replace('"hello"', json.dumps(PROMPT)).encode()
    return Traffic(sdk_head(len(body), path) + body, fixtures.ANSWER, streamed)


def _check(port: int, protocol: ChatProtocol, sent: Traffic) -> None:
    """Raises CannotRun unless the server answers 200 with the expected text."""
    status, body = exchange(port, sent.request)
    reply = protocol.collapse([body]) if sent.streamed else protocol.parse(body)
    if (status, reply.text) != (200, sent.expected):
        raise CannotRun(f"{protocol.name}: expected the text {sent.expected!r}, got {status}: {body[:500]!r}")
