"""Ids that were given out in place of recorded ones, by which later requests refer to what was said."""

from __future__ import annotations

from collections.abc import Mapping

_KEPT = 20_000
"""Ids; the oldest are forgotten first."""


class GivenIds:
    """Of one server."""

    def __init__(self) -> None:
        self._recorded: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._recorded)

    def add(self, renamed: Mapping[str, str]) -> None:
        """`renamed`: from recorded id to the one given out."""
        self._recorded |= {given: recorded for recorded, given in renamed.items()}
        while len(self._recorded) > _KEPT:
            del self._recorded[next(iter(self._recorded))]

    def recorded(self, given: str) -> str:
        """The recorded id in whose place this one was given out; the id itself, if it is none of those."""
        return self._recorded.get(given, given)

    def restored(self, body: bytes) -> bytes:
        """A request as it would be without fresh ids: the provider knows only those that it gave."""
        if not self._recorded:
            return body
        from aimock_protocols.ids import restored

        return restored(body, self._recorded.get)

    def named_in(self, body: bytes) -> dict[str, str]:
        """How the request calls recorded ids: from each to the one that it has for it."""
        if not self._recorded:
            return {}
        from aimock_protocols.ids import strings_of

        return {self._recorded[said]: said for said in strings_of(body) if said in self._recorded}

    def forget(self) -> None:
        self._recorded.clear()
