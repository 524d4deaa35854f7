"""What is remembered between requests, and how much of it at most."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aimock.memories import _KEPT, _KEPT_BYTES, _OWNERS, Memories, Memory


@pytest.fixture
def memories() -> Memories:
    return Memories()


def test_values_belong_to_a_test_and_a_family(memories: Memories) -> None:
    mine = memories.of("one", "openai_responses")
    mine.put("a", 1)
    assert (mine.get("a"), mine.keys()) == (1, ("a",))
    assert memories.of("one", "openai_responses").get("a") == 1
    for other in (memories.of("two", "openai_responses"), memories.of("one", "gemini")):
        assert (other.get("a"), other.keys(), other.remove("a")) == (None, (), False)


def test_what_is_removed_is_gone(memories: Memories) -> None:
    memory = memories.of("", "")
    memory.put("a", 1)
    assert (memory.remove("a"), memory.remove("a"), memory.get("a")) == (True, False, None)
    memory.put("a", 2)
    memories.forget()
    assert memory.keys() == ()


def test_what_is_put_again_is_new(memories: Memories) -> None:
    memory = memories.of("", "")
    for key in ("a", "b", "a"):
        memory.put(key, key)
    assert memory.keys() == ("b", "a")


def test_an_owner_has_a_bound(memories: Memories) -> None:
    memory = memories.of("", "")
    for number in range(_KEPT + 5):
        memory.put(f"{number}", number)
    assert (len(memory.keys()), memory.keys()[0]) == (_KEPT, "5")


def test_owners_have_a_bound(memories: Memories) -> None:
    for number in range(_OWNERS + 5):
        memories.of(f"{number}", "").put("a", number)
    assert [memories.of(f"{number}", "").get("a") for number in (4, 5)] == [None, 5]


def test_sizes_have_a_bound_together(memories: Memories) -> None:
    """Clients decide how long they are; those of who was given something last stay longest."""
    quarter = _KEPT_BYTES // 4
    for owner in ("old", "new"):
        for number in range(2):
            memories.of(owner, "").put(f"{number}", number, quarter)
    memories.of("new", "").put("2", 2, quarter)
    assert [memories.of(owner, "").keys() for owner in ("old", "new")] == [("1",), ("0", "1", "2")]
    memories.of("old", "").remove("1")
    memories.of("old", "").put("2", 2, quarter)
    assert memories.of("new", "").keys() == ("0", "1", "2")


def test_what_is_too_long_by_itself_is_not_kept(memories: Memories) -> None:
    memory = memories.of("", "")
    memory.put("a", 1)
    memory.put("b", 2, _KEPT_BYTES + 1)
    assert memory.keys() == ()


def put_both(key: str, memory: Memory) -> None:
    memory.put(key, len(memory.keys()))
    memory.put(key + "'", None)


def test_what_was_said_is_worked_out_when_somebody_asks(memories: Memories) -> None:
    worked_out = []
    memory = memories.of("", "")
    memory.put("first", None)
    for key in "ab":
        memory.put_later(lambda key, memory: worked_out.append(key) or put_both(key, memory), (key,), 10)
    assert worked_out == []
    assert memories.of("", "").keys() == ("first", "a", "a'", "b", "b'")
    assert (memory.get("a"), memory.get("b"), worked_out) == (1, 3, ["a", "b"])


@pytest.mark.parametrize("ask", [lambda m: m.remove("a"), lambda m: m.put("z", 1), lambda m: m.get("a")])
def test_whoever_touches_a_memory_finds_all_of_it(memories: Memories, ask: Callable[[Memory], object]) -> None:
    memory = memories.of("", "")
    memory.put_later(put_both, ("a",), 10)
    ask(memory)
    assert memory.keys()[-1:] in {("a'",), ("z",)}


def test_what_waits_has_a_bound(memories: Memories) -> None:
    memory = memories.of("", "")
    for number in range(_KEPT + 5):
        memory.put_later(_put, (f"{number}",), 1)
    assert (len(memory.keys()), memory.keys()[0]) == (_KEPT, "5")


def test_what_waits_has_a_bound_in_bytes(memories: Memories) -> None:
    """A value goes before what was said after it."""
    memory = memories.of("", "")
    memory.put("first", None, 1)
    for key in "ab":
        memory.put_later(_put, (key,), _KEPT_BYTES // 16)
    memory.put_later(_put, ("c",), 1)
    assert memory.keys() == ("b", "c")
    for key in "abcdefghijklmnop":  # all sizes were given back
        memory.put(key, None, _KEPT_BYTES // 16)
    assert memory.keys() == tuple("abcdefghijklmnop")


def _put(key: str, memory: Memory) -> None:
    memory.put(key, None)
