"""What was said before and can be taken up again: stored responses, conversations, interactions.

Each family of protocols has its own under each test id. All is bounded: the oldest goes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_KEPT = 1000
"""Values of one owner."""
_OWNERS = 500
_KEPT_BYTES = 64 * 1024 * 1024
"""Of all values together, as far as they say their size."""


class _Owner(NamedTuple):
    test_id: str
    family: str


class _Value(NamedTuple):
    """What is kept, and how much of the bound it takes."""

    value: Any
    size: int


class Memory:
    """What is remembered for one owner; nothing at all, until something is put there."""

    def __init__(self, memories: Memories, owner: _Owner) -> None:
        self._memories = memories
        self._owner = owner

    @property
    def _values(self) -> dict[str, _Value]:
        return self._memories.owners.get(self._owner) or {}

    def get(self, key: str) -> Any:
        kept = self._values.get(key)
        return None if kept is None else kept.value

    def put(self, key: str, value: Any, size: int = 0) -> None:
        """What is put again counts as new."""
        self._memories.put(self._owner, key, value, size)

    def remove(self, key: str) -> bool:
        return self._memories.remove(self._owner, key)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)


class Memories:
    """The memories of one server."""

    def __init__(self) -> None:
        self.owners: dict[_Owner, dict[str, _Value]] = {}
        """Who was given something last is the last."""
        self._size = 0

    def of(self, test_id: str, family: str) -> Memory:
        """That of a family of protocols under a test id."""
        return Memory(self, _Owner(test_id, family))

    def put(self, owner: _Owner, key: str, value: Any, size: int) -> None:
        """Keeps a value, and forgets as many of the oldest as are too many for it."""
        values = self.owners.get(owner)
        if values is None or owner != next(reversed(self.owners)):
            self.owners.pop(owner, None)
            values = self.owners[owner] = values or {}
        before = values.pop(key, None)
        values[key] = _Value(value, size)
        self._size += size if before is None else size - before.size
        if len(values) > _KEPT:
            self._forget_oldest(owner)
        if len(self.owners) > _OWNERS:
            first = next(iter(self.owners))
            while first in self.owners:
                self._forget_oldest(first)
        while self._size > _KEPT_BYTES:
            self._forget_oldest(next(iter(self.owners)))

    def remove(self, owner: _Owner, key: str) -> bool:
        """Whether there was such a value. An owner of nothing is none."""
        values = self.owners.get(owner, {})
        kept = values.pop(key, None)
        if kept is None:
            return False
        self._size -= kept.size
        if not values:
            del self.owners[owner]
        return True

    def _forget_oldest(self, owner: _Owner) -> None:
        self.remove(owner, next(iter(self.owners[owner])))

    def forget(self) -> None:
        """Everything."""
        self.owners.clear()
        self._size = 0
