"""What is remembered between requests, and how much of it at most."""

from __future__ import annotations

import pytest

from aimock.memories import _KEPT, _KEPT_BYTES, _OWNERS, Memories


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
