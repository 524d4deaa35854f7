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


class Memory:
    """What is remembered for one owner."""

    def __init__(self, memories: Memories, owner: _Owner) -> None:
        self._memories = memories
        self._owner = owner
        self._values: dict[str, _Value] = {}
        self._waiting: deque[_Said] = deque()

    def get(self, key: str) -> Any:
        kept = self._worked_out().get(key)
        return None if kept is None else kept.value

    def keys(self) -> tuple[str, ...]:
        return tuple(self._worked_out())

    def put(self, key: str, value: Any, size: int = 0) -> None:
        """What is put again counts as new."""
        values = self._worked_out()
        before = values.pop(key, None)
        values[key] = _Value(value, size)
        if before is not None:
            size -= before.size
        if len(values) > _KEPT:
            size -= self._forget_oldest()
        self._memories.grow(self._owner, self, size)

    def put_later(self, remember: Remember, said: tuple[Any, ...], request_size: int) -> None:
        """Puts what `remember` puts of what was said, once somebody asks. `request_size`: bytes of the request."""
        size = request_size * _AS_OBJECTS
        self._waiting.append(_Said(remember, said, size))
        if len(self._waiting) > _KEPT:
            size -= self._waiting.popleft().size
        self._memories.grow(self._owner, self, size)

    def remove(self, key: str) -> bool:
        """Whether there was such a value."""
        kept = self._worked_out().pop(key, None)
        if kept is not None:
            self._memories.shrink(self._owner, self, kept.size)
        return kept is not None

    def forget_some(self) -> int:
        """Forgets the oldest, if there is any; its size."""
        if self._values:
            return self._forget_oldest()
        return self._waiting.popleft().size if self._waiting else 0

    def forget(self) -> None:
        self._values.clear()
        self._waiting.clear()

    def is_empty(self) -> bool:
        return not self._values and not self._waiting

    def size(self) -> int:
        return sum(value.size for value in self._values.values()) + sum(said.size for said in self._waiting)

    def _worked_out(self) -> dict[str, _Value]:
        """The values, with those that waited."""
        if self._waiting:
            waiting, self._waiting = self._waiting, deque()
            self._memories.shrink(self._owner, self, sum(said.size for said in waiting))
            for remember, said, _ in waiting:
                remember(*said, self)
        return self._values

    def _forget_oldest(self) -> int:
        return self._values.pop(next(iter(self._values))).size


class Memories:
    """The memories of one server."""

    def __init__(self) -> None:
        self._owners: dict[_Owner, Memory] = {}
        """Who was given something last is the last; who has nothing is none."""
        self._size = 0

    def of(self, test_id: str, family: str) -> Memory:
        """That of a family of protocols under a test id."""
        owner = _Owner(test_id, family)
        return self._owners.get(owner) or Memory(self, owner)

    def grow(self, owner: _Owner, memory: Memory, size: int) -> None:
        """Takes note of what was put, and forgets as many of the oldest as are too many with it."""
        owners = self._owners
        if not owners or next(reversed(owners)) is not owner:
            owners.pop(owner, None)
            owners[owner] = memory
            if len(owners) > _OWNERS:
                self._size -= owners.pop(next(iter(owners))).size()
        self._size += size
        while self._size > _KEPT_BYTES:
            first = next(iter(owners))
            self.shrink(first, owners[first], owners[first].forget_some())

    def shrink(self, owner: _Owner, memory: Memory, size: int) -> None:
        """Takes note of what was removed."""
        self._size -= size
        if memory.is_empty():
            self._owners.pop(owner, None)

    def forget(self) -> None:
        """Everything."""
        for memory in self._owners.values():
            memory.forget()
        self._owners.clear()
        self._size = 0
