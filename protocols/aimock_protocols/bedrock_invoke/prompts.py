"""Prompts in which a whole conversation stands as one text, read back as its messages (wire-bedrock §5.2, §5.5, §5.6).

A prompt without the marks of its model's template is one message of the user. An assistant's turn that is empty is the
one that the model is to write, and no message.
"""

from __future__ import annotations

import re
from typing import Any

Messages = list[dict[str, Any]]

_LLAMA_TURN = re.compile(
    r"<\|(?:start_header_id|header_start)\|>\s*(\w+)\s*<\|(?:end_header_id|header_end)\|>"
    r"(.*?)(?=<\|(?:eot_id|eot|eom_id|start_header_id|header_start)\|>|\Z)",
    re.DOTALL,
)
_LLAMA_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "ipython": "tool", "tool": "tool"}

_INSTRUCTION = re.compile(r"\[INST\](.*?)(?:\[/INST\](.*?)(?=\[INST\]|\Z)|\Z)", re.DOTALL)
_SENTENCE_ENDS = ("<s>", "</s>")

_DEEPSEEK_TURN = re.compile(r"<｜(User|Assistant)｜>")
_DEEPSEEK_ROLES = {"User": "user", "Assistant": "assistant"}
_DEEPSEEK_MARKS = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<think>")

_CLAUDE_TURN = re.compile(r"(?:\A|\n)(Human|Assistant):")
_CLAUDE_ROLES = {"Human": "user", "Assistant": "assistant"}


def plain(prompt: str) -> Messages:
    """A prompt of a model that has no template."""
    return [{"role": "user", "content": prompt}]


def llama(prompt: str) -> Messages:
    """Each turn stands behind a header with its role: `<|start_header_id|>user<|end_header_id|>hello<|eot_id|>`."""
    turns = [(_LLAMA_ROLES.get(role, "user"), content.strip()) for role, content in _LLAMA_TURN.findall(prompt)]
    return _messages(turns) or plain(prompt)


def mistral(prompt: str) -> Messages:
    """The user's turns stand in brackets: `<s>[INST] hello [/INST] Hi!</s>[INST] and? [/INST]`."""
    turns = []
    for instruction, answer in _INSTRUCTION.findall(prompt):
        turns += [("user", instruction.strip()), ("assistant", _without(answer, _SENTENCE_ENDS).strip())]
    return _messages(turns) or plain(prompt)


def claude(prompt: str) -> Messages:
    """Each turn begins with its role: `\\n\\nHuman: hello\\n\\nAssistant:`. What stands before the first is the
    system's."""
    return _marked(prompt, _CLAUDE_TURN, _CLAUDE_ROLES)


def deepseek(prompt: str) -> Messages:
    """The same with marks of its own: `<｜User｜>hello<｜Assistant｜><think>`."""
    return _marked(_without(prompt, _DEEPSEEK_MARKS), _DEEPSEEK_TURN, _DEEPSEEK_ROLES)


def _marked(prompt: str, turn: re.Pattern[str], roles: dict[str, str]) -> Messages:
    before, *rest = turn.split(prompt)
    turns = [("system", before.strip())] if rest else []
    turns += [(roles[rest[at]], rest[at + 1].strip()) for at in range(0, len(rest), 2)]
    return _messages(turns) or plain(prompt)


def _without(text: str, marks: tuple[str, ...]) -> str:
    for mark in marks:
        text = text.replace(mark, "")
    return text


def _messages(turns: list[tuple[str, str]]) -> Messages:
    """Messages of turns; of those that are not the user's, none that is empty."""
    return [{"role": role, "content": content} for role, content in turns if content or role == "user"]
