"""What was said before and can be taken up again: stored responses, conversations, interactions.

Each family of protocols has its own under each test id. All is bounded: the oldest goes first. Most of what is said is
never asked for, so what is to be remembered of it is worked out when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

_KEPT = 1000
"""Values of one owner; and as many that wait to be worked out."""
_OWNERS = 500
_KEPT_BYTES = 64 * 1024 * 1024
"""Of all values together, as far as they say their size."""
_AS_OBJECTS = 8
"""Times its bytes a request takes while it waits, read as it is."""

Remember = Callable[..., None]
"""Puts, of what was said, what can be taken up: it gets all of that, and the memory."""


class _Owner(NamedTuple):
    test_id: str
    family: str


class _Value(NamedTuple):
    """What is kept, and how much of the bound it takes."""

    value: Any
    size: int


class _Said(NamedTuple):
    """What nobody has asked for yet."""

    remember: Remember
    said: tuple[Any, ...]
    size: int


class _Kept:
    """What is remembered for one owner."""

    def __init__(self) -> None:
        self.values: dict[str, _Value] = {}
        self.waiting: deque[_Said] = deque()

    def forget_oldest(self) -> int:
        """Forgets one value or what waits for one, if there is any; its size."""
        if self.values:
            return self.values.pop(next(iter(self.values))).size
        return self.waiting.popleft().size if self.waiting else 0

    def size(self) -> int:
        return sum(value.size for value in self.values.values()) + sum(said.size for said in self.waiting)


class Memory:
    """The memory of one owner; nothing at all, until something is put there."""

    def __init__(self, memories: Memories, owner: _Owner) -> None:
        self._memories = memories
        self._owner = owner

    def get(self, key: str) -> Any:
        kept = self._values().get(key)
        return None if kept is None else kept.value

    def keys(self) -> tuple[str, ...]:
        return tuple(self._values())

    def put(self, key: str, value: Any, size: int = 0) -> None:
        """What is put again counts as new."""
        values = self._values()
        kept = self._memories.kept(self._owner)
        before = values.pop(key, None)
        kept.values[key] = _Value(value, size)
        if before is not None:
            size -= before.size
        if len(kept.values) > _KEPT:
            size -= kept.forget_oldest()
        self._memories.grow(size)

    def put_later(self, remember: Remember, said: tuple[Any, ...], request_size: int) -> None:
        """Puts what `remember` puts of what was said, once somebody asks. `request_size`: bytes of the request."""
        size = request_size * _AS_OBJECTS
        waiting = self._memories.kept(self._owner).waiting
        waiting.append(_Said(remember, said, size))
        if len(waiting) > _KEPT:
            size -= waiting.popleft().size
        self._memories.grow(size)

    def remove(self, key: str) -> bool:
        """Whether there was such a value."""
        kept = self._values().pop(key, None)
        if kept is not None:
            self._memories.shrink(self._owner, kept.size)
        return kept is not None

    def _values(self) -> dict[str, _Value]:
        """The values, with those that waited."""
        kept = self._memories.owners.get(self._owner)
        if kept is None:
            return {}
        if kept.waiting:
            waiting, kept.waiting = kept.waiting, deque()
            self._memories.grow(-sum(said.size for said in waiting))
            for remember, said, _ in waiting:
                remember(*said, self)
        return kept.values


class Memories:
    """The memories of one server."""

    def __init__(self) -> None:
        self.owners: dict[_Owner, _Kept] = {}
        """Who was given something last is the last; who has nothing is none."""
        self._size = 0

    def of(self, test_id: str, family: str) -> Memory:
        """That of a family of protocols under a test id."""
        return Memory(self, _Owner(test_id, family))

    def has(self, key: str) -> bool:
        """Whether anybody's memory has a value under the key."""
        return any(Memory(self, owner).get(key) is not None for owner in tuple(self.owners))

    def kept(self, owner: _Owner) -> _Kept:
        """What the owner has, to put something there: it is the last from now on."""
        owners = self.owners
        kept = owners.get(owner)
        if kept is None or next(reversed(owners)) != owner:
            owners.pop(owner, None)
            kept = owners[owner] = kept or _Kept()
            if len(owners) > _OWNERS:
                self._size -= owners.pop(next(iter(owners))).size()
        return kept

    def grow(self, size: int) -> None:
        """Takes note of what was put, and forgets as many of the oldest as are too many with it."""
        self._size += size
        while self._size > _KEPT_BYTES:
            first = next(iter(self.owners))
            self.shrink(first, self.owners[first].forget_oldest())

    def shrink(self, owner: _Owner, size: int) -> None:
        """Takes note of what was taken away from an owner."""
        self._size -= size
        kept = self.owners[owner]
        if not kept.values and not kept.waiting:
            del self.owners[owner]

    def forget(self) -> None:
        """Everything."""
        self.owners.clear()
        self._size = 0
