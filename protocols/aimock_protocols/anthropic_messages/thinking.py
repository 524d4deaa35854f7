"""What extended thinking asks of a conversation (wire-anthropic-messages §4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from aimock_protocols.canonical import ErrorReply

_PROOFS = {"thinking": "signature", "redacted_thinking": "data"}
"""The blocks with which a turn may begin, and what each must hold."""


def objection(sent: dict[str, Any]) -> ErrorReply | None:
    """Why the provider would refuse the conversation: while `thinking` is enabled, a turn that called a tool, and has
    its result, must be sent back with the thought that came before the call. None if it is in order."""
    thinking = sent.get("thinking")
    if type(thinking) is not dict or thinking.get("type") != "enabled":
        return None
    messages = sent["messages"]
    for index, (turn, answer) in enumerate(pairwise(messages)):
        if turn.get("role") != "assistant" or answer.get("role") != "user":
            continue
        if _has(turn, "tool_use") and _has(answer, "tool_result"):
            fault = _fault(turn["content"][0])
            if fault is not None:
                return ErrorReply(f"messages.{index}.content.0: {fault}", status=400)
    return None


def _has(message: dict[str, Any], kind: str) -> bool:
    content = message.get("content")
    return type(content) is list and any(type(block) is dict and block.get("type") == kind for block in content)


def _fault(first: Any) -> str | None:
    """What is wrong with the first block of a turn."""
    kind = first.get("type") if type(first) is dict else None
    proof = _PROOFS.get(kind) if type(kind) is str else None
    if proof is None:
        return (
            f"Expected `thinking` or `redacted_thinking`, but found `{kind}`. While `thinking` is enabled, an "
            "assistant turn that used a tool must begin with the thinking block that preceded the call"
        )
    if not (type(first.get(proof)) is str and first[proof]):
        return f"`{kind}` must have the `{proof}` with which it was sent"
    return None
