"""What was said before and can be taken up again: stored responses, conversations, interactions.

Each family of protocols has its own under each test id. All is bounded: the oldest goes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_KEPT = 1000
"""Values of one owner."""
_OWNERS = 500


class _Owner(NamedTuple):
    test_id: str
    family: str


class Memory:
    """What is remembered for one owner; nothing at all, until something is put there."""

    def __init__(self, owners: dict[_Owner, dict[str, Any]], owner: _Owner) -> None:
        self._owners = owners
        self._owner = owner

    @property
    def _values(self) -> dict[str, Any]:
        return self._owners.get(self._owner) or {}

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """What is put again counts as new."""
        values = self._owners.pop(self._owner, {})
        values.pop(key, None)
        values[key] = value
        self._owners[self._owner] = values
        if len(values) > _KEPT:
            del values[next(iter(values))]
        if len(self._owners) > _OWNERS:
            del self._owners[next(iter(self._owners))]

    def remove(self, key: str) -> bool:
        return self._values.pop(key, None) is not None

    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)


class Memories:
    """The memories of one server."""

    def __init__(self) -> None:
        self._owners: dict[_Owner, dict[str, Any]] = {}

    def of(self, test_id: str, family: str) -> Memory:
        """That of a family of protocols under a test id."""
        return Memory(self._owners, _Owner(test_id, family))

    def forget(self) -> None:
        """Everything."""
        self._owners.clear()
