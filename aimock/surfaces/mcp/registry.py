"""What a server has at the moment. It may change at any time, and then tells those who listen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aimock.surfaces.mcp.entries import KINDS, Entry, Resource, ResourceTemplate

Listener = Callable[[str], None]
"""Told what has changed: `tools`, `prompts`, `resources`, or the URI of a resource."""

_LISTED_WITH = {"resourceTemplates": "resources"}


class Registry:
    """Entries by kind and key, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS.values()}
        self.completions: dict[str, Mapping[str, list[str]]] = {}
        """Values of the arguments of prompts, and of templates, by their names and URI templates."""
        self.listeners: list[Listener] = []

    def put(self, entry: Entry) -> None:
        """Adds it, or puts it in the place of the one with its key. Who subscribed to a resource hears of it."""
        kind = KINDS[type(entry)]
        known = self._entries[kind]
        is_update = isinstance(entry, Resource) and entry.key in known
        known[entry.key] = entry
        self.tell(_LISTED_WITH.get(kind, kind))
        if is_update:
            self.tell(entry.key)

    def remove(self, kind: str, key: str) -> bool:
        """Whether it was there."""
        if self._entries[kind].pop(key, None) is None:
            return False
        self.tell(_LISTED_WITH.get(kind, kind))
        return True

    def clear(self) -> None:
        for kind, known in self._entries.items():
            if known:
                known.clear()
                self.tell(_LISTED_WITH.get(kind, kind))
        self.completions.clear()

    def tell(self, what: str) -> None:
        for listener in [*self.listeners]:
            listener(what)

    def all(self, kind: str) -> list[Entry]:
        return [*self._entries[kind].values()]

    def get(self, kind: str, key: Any) -> Entry | None:
        return self._entries[kind].get(key) if isinstance(key, str) else None

    def resource(self, uri: str) -> tuple[Entry, dict[str, str]] | None:
        """What a URI reads, and the values of its template's variables."""
        entry = self.get("resources", uri)
        if entry is not None:
            return entry, {}
        for template in self.all("resourceTemplates"):
            assert isinstance(template, ResourceTemplate)
            variables = template.template.match(uri)
            if variables is not None:
                return template, variables
        return None

    def counts(self) -> dict[str, int]:
        return {kind: len(known) for kind, known in self._entries.items()}
