"""Members and deltas that several providers have alike."""

from __future__ import annotations

from typing import Any

import attrs

from aimock_protocols.openai_dialects.dialect import ABSENT, Deltas, Fact, Members
from aimock_protocols.openai_dialects.openai import CHUNK, OPENAI


def without(members: Members, *names: str) -> Members:
    return {name: value for name, value in members.items() if name not in names}


PLAIN_WHOLE = without(OPENAI.whole, "service_tier", "system_fingerprint")
PLAIN_CHUNK = without(CHUNK, "service_tier", "system_fingerprint", "usage")
PLAIN_CHOICE = without(OPENAI.choice, "logprobs") | {"logprobs": Fact.LOGPROBS_IF_ANY}
PLAIN_STREAMED_CHOICE = without(OPENAI.streamed_choice, "logprobs") | {"logprobs": Fact.LOGPROBS_IF_ANY}
BARE_STREAMED_CHOICE = {
    "index": Fact.INDEX,
    "delta": Fact.DELTA,
    "logprobs": Fact.LOGPROBS_IF_ANY,
    "finish_reason": Fact.FINISH_REASON_IF_ANY,
}
"""Without null."""
INDEXED_CALL = {"index": Fact.POSITION} | OPENAI.call
SPOKEN = {"role": Fact.ROLE, "content": Fact.PIECE}
OPENED = {"role": Fact.ROLE, "content": ""}
FINGERPRINTED = {"system_fingerprint": Fact.FINGERPRINT}
FINGERPRINTED_CHUNK = without(PLAIN_CHUNK, "choices") | FINGERPRINTED | {"choices": Fact.CHOICES}


def message(reasoning: str | None, told: Any = Fact.REASONING_IF_ANY, **more: Any) -> Members:
    thought = {} if reasoning is None else {reasoning: told}
    return {"role": Fact.ROLE, "content": Fact.CONTENT} | thought | {"tool_calls": Fact.CALLS} | more


def deltas(reasoning: str, role: Any = OPENED, finish: Any = OPENAI.deltas.finish) -> Deltas:
    """A role, and bare pieces after it."""
    return attrs.evolve(OPENAI.deltas, role=role, reasoning={reasoning: Fact.PIECE}, refusal=ABSENT, finish=finish)


def repeating(reasoning: str, finish: Any = OPENED, content: Any = "") -> Deltas:
    """The role again in every delta, and no delta for it alone."""
    return attrs.evolve(
        OPENAI.deltas,
        role=ABSENT,
        reasoning={"role": Fact.ROLE, "content": content, reasoning: Fact.PIECE},
        text=SPOKEN,
        refusal=ABSENT,
        calls={"role": Fact.ROLE, "content": content, "tool_calls": Fact.CALLS},
        arguments={"role": Fact.ROLE, "content": content} | OPENAI.deltas.arguments,
        finish=finish,
    )
