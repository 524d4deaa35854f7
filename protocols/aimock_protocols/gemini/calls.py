"""Which result is whose: calls and results of a conversation, by id where there are any, else by name and order."""

from __future__ import annotations

from typing import Any


class Calls:
    """The calls of the model's last turn that had any, as far as they have not been answered."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        """Id and name of each."""
        self._unknown = 0

    def made(self, calls: list[dict[str, Any]]) -> list[str]:
        """The ids of a turn's calls: their own, or made up of name and place."""
        named = [(_text(call, "id") or _made_up(_text(call, "name"), at), call) for at, call in enumerate(calls)]
        self._open = [(call_id, _text(call, "name")) for call_id, call in named]
        return [call_id for call_id, _ in named]

    def answered_by(self, response: dict[str, Any]) -> str:
        """The id of the call that a result answers: that which it tells, or that of the first call of its name. A
        result that belongs to none gets an id of its own."""
        told, name = _text(response, "id"), _text(response, "name")
        for place, (call_id, call_name) in enumerate(self._open):
            if call_id == told or (not told and call_name == name):
                del self._open[place]
                return call_id
        if told:
            return told
        self._unknown += 1
        return _made_up(name, self._unknown - 1)


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key)
    return text if type(text) is str else ""


def _made_up(name: str, number: int) -> str:
    return f"call_gemini_{name}_{number}"
