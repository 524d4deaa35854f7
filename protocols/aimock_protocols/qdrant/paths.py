"""Paths into payloads: `a.b`, `a[].b` (every item of an array), `a[0]`, and `"a.b"` for a key with a dot in it.

Payloads are never changed: what puts something in gives another payload, which shares what is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from aimock_protocols.qdrant.errors import malformed
from aimock_protocols.qdrant.reading import listed, text, unexpected

EVERY = None
"""The step `[]`."""

Step = str | int | None
"""A key, an index, or EVERY."""
Path = tuple[Step, ...]

Selecting = Callable[[Mapping[str, Any]], dict[str, Any] | None]
"""What is given back of a payload; None: none of it."""

_STEP = re.compile(r'(?:(?P<first>^)|\.)(?:"(?P<quoted>[^"]*)"|(?P<key>[\w-]+))|\[(?P<index>\d*)\]')
_MOST = (1 << 64) - 1


@lru_cache(maxsize=512)
def parsed(path: str) -> Path | None:
    """None if it is no path."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (not steps and found["first"] is None):
            return None
        index = found["index"]
        if index is None:
            steps.append(found["key"] if found["quoted"] is None else found["quoted"])
        elif index == "":
            steps.append(EVERY)
        elif not index.isascii() or int(index) > _MOST:
            return None
        else:
            steps.append(int(index))
        at = found.end()
    return tuple(steps) or None


def path(value: Any, place: str) -> Path:
    """Reads one. Raises WireError."""
    steps = parsed(text(value, place))
    if steps is None:
        raise malformed(f"{place}: Invalid json path: '{value[:80]}'")
    return steps


def found(value: Any, steps: Sequence[Step]) -> Iterator[Any]:
    """The values at a path; arrays as they are."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if isinstance(value, Mapping) and step in value:
            yield from found(value[step], rest)
    elif isinstance(value, list):
        if step is EVERY:
            for item in value:
                yield from found(item, rest)
        elif step < len(value):
            yield from found(value[step], rest)


def items(value: Any, steps: Sequence[Step]) -> Iterator[Any]:
    """The values at a path, and of arrays there their items: what conditions look at."""
    for each in found(value, steps):
        if isinstance(each, list):
            yield from each
        else:
            yield each


def merged(into: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """An object with the keys of another; a null takes its key away."""
    both = {**into, **value}
    return {key: item for key, item in both.items() if key not in value or item is not None}


def assigned(value: Any, steps: Sequence[Step], told: Mapping[str, Any]) -> Any:
    """A value with an object merged in at a path. What is in the way gives way; items that are not there are not
    made."""
    if not steps:
        return merged(value if isinstance(value, Mapping) else {}, told)
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        known = value if isinstance(value, Mapping) else {}
        return {**known, step: assigned(known.get(step), rest, told)}
    if not isinstance(value, list):
        return []
    return [assigned(item, rest, told) if step in (EVERY, at) else item for at, item in enumerate(value)]


def without(value: Any, steps: Sequence[Step]) -> Any:
    """A value less what is at a path. `a[]` empties an array; a single item cannot be taken out of one."""
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if not isinstance(value, Mapping) or step not in value:
            return value
        if not rest:
            return {key: item for key, item in value.items() if key != step}
        return {**value, step: without(value[step], rest)}
    if not isinstance(value, list):
        return value
    if not rest:
        return [] if step is EVERY else value
    return [without(item, rest) if step in (EVERY, at) else item for at, item in enumerate(value)]


# -- what is given back of a payload -----------------------------------------------------------------------------------

Tree = dict[Step, Any]
"""Paths by their steps; True: all that is there."""


def selecting(value: Any, place: str) -> Selecting:
    """Reads `with_payload`: a boolean, a list of paths, `{include}` or `{exclude}`. Raises WireError."""
    if isinstance(value, bool):
        return _whole if value else _nothing
    paths = listed(path)
    if isinstance(value, list):
        return _including(paths(value, place))
    if isinstance(value, dict):
        for name, selection in (("include", _including), ("exclude", _excluding)):
            if name in value:
                return selection(paths(value[name], f"{place}.{name}"))
    raise unexpected(value, place, "a boolean, a sequence of keys or a payload selector")


def _whole(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    return dict(payload)


def _nothing(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    return None


def _including(paths: Sequence[Path]) -> Selecting:
    tree = _tree(paths)
    return lambda payload: _kept(payload, tree)


def _excluding(paths: Sequence[Path]) -> Selecting:
    tree = _tree(paths)
    return lambda payload: _left(payload, tree)


def _tree(paths: Sequence[Path]) -> Tree:
    tree: Tree = {}
    for steps in paths:
        node = tree
        for step in steps[:-1]:
            below = node.setdefault(step, {})
            if below is True:
                break
            node = below
        else:
            node[steps[-1]] = True
    return tree


def _kept(value: Any, tree: Tree) -> Any:
    if isinstance(value, Mapping):
        return {
            key: item if tree[key] is True else _kept(item, tree[key]) for key, item in value.items() if key in tree
        }
    if isinstance(value, list):
        below = tree.get(EVERY)
        if below is None:
            return []
        return value if below is True else [_kept(item, below) for item in value]
    return value


def _left(value: Any, tree: Tree) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _left(item, tree[key]) if key in tree else item
            for key, item in value.items()
            if tree.get(key) is not True
        }
    if isinstance(value, list):
        below = tree.get(EVERY)
        if below is None:
            return value
        return [] if below is True else [_left(item, below) for item in value]
    return value
