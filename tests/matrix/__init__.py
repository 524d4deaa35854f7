"""One question, every client: what they make of the same fixtures, whatever protocol they speak.

`scenarios.py` has what is asked and what is answered, in no provider's terms; each module of `clients/` (official SDKs)
and `frameworks/` has clients that put the question in their terms, and read their objects back. `asking.py` does so;
`page.py` reads and writes docs/support.md, whose cells are what `tests/clients/test_matrix.py` and `tests/frameworks`
expect.
"""

from __future__ import annotations

import abc
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, ClassVar, NamedTuple

import attrs
import orjson


class Call(NamedTuple):
    """A call of a tool, its arguments read."""

    name: str
    arguments: Any


class Question(NamedTuple):
    """What is asked, in the terms of OpenAI's chat."""

    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]] = ()
    schema: dict[str, Any] | None = None
    """The JSON schema that the answer is to follow."""


@attrs.define
class Seen:
    """What a client has in hand when the answer is over."""

    text: str = ""
    reasoning: str = ""
    calls: list[Call] = attrs.field(factory=list)
    order: list[str] = attrs.field(factory=list)
    """`reasoning`, `text` and `call`, as they followed on one another; empty if the SDK does not tell."""
    finish: str | None = None
    """In the provider's words."""
    tokens: tuple[int, int] | None = None
    """Into the model and out of it."""
    pieces: int = 0
    """Of text, if it came in pieces."""

    def say(self, text: str | None) -> None:
        """Takes in text, or a piece of it."""
        if text:
            self.text += text
            self.pieces += 1
            self._follows("text")

    def think(self, text: str | None) -> None:
        if text:
            self.reasoning += text
            self._follows("reasoning")

    def call(self, name: str, arguments: Any) -> None:
        """Takes in a whole call; its arguments are an object, or the JSON text of one."""
        self.calls.append(Call(name, orjson.loads(arguments or "{}") if isinstance(arguments, str) else arguments))
        self.order.append("call")

    def _follows(self, kind: str) -> None:
        if self.order[-1:] != [kind]:
            self.order.append(kind)


class Client(abc.ABC):
    """An SDK as it speaks one protocol, on a server at `url`, without retries."""

    name: ClassVar[str]
    """As the page has it: the package, and its client if it has several."""
    speaks: ClassVar[str]
    """The protocol, by its name in the registry."""
    model: ClassVar[str]
    lacks: ClassVar[Set[str]] = frozenset()
    """Scenarios that cannot be put in its terms."""

    def __init__(self, url: str) -> None:
        self.url = url

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Gives back what it holds, if that is more than connections."""

    @abc.abstractmethod
    def ask(self, question: Question, stream: bool) -> Seen:
        """Asks, and reads the answer to its end. Raises whatever the SDK raises."""


BEYOND_TEXT = frozenset(
    {
        "tools",
        "parallel tools",
        "reasoning",
        "tools after text",
        "tools before text",
        "structured output",
        "after tool results",
    }
)
"""Scenarios for which a client that has nothing but text is not made."""

CLIENTS: dict[str, type[Client]] = {}


def load(group: str) -> list[str]:
    """Imports the clients of a group, `clients` or `frameworks`; returns the packages that are missing."""
    missing = []
    package = importlib.import_module(f"{__name__}.{group}")
    for module in pkgutil.iter_modules(package.__path__):
        try:
            importlib.import_module(f"{package.__name__}.{module.name}")
        except ModuleNotFoundError as error:
            missing.append(str(error.name))
    return missing


def of(group: str) -> set[str]:
    """The names of a group's clients."""
    return {name for name, cls in CLIENTS.items() if cls.__module__.startswith(f"{__name__}.{group}.")}


def client(cls: type[Client]) -> type[Client]:
    """Registers a client."""
    CLIENTS[cls.name] = cls
    return cls


class Pieces:
    """Calls that come in pieces, by their place."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._names: dict[Any, str] = {}
        self._arguments: dict[Any, list[str]] = {}

    def add(self, place: Any, name: str | None, arguments: str | None) -> None:
        if place not in self._names:
            self._names[place] = ""
            self._arguments[place] = []
            self._seen.order.append("call")
        self._names[place] += name or ""
        self._arguments[place].append(arguments or "")

    def end(self) -> None:
        for place, name in self._names.items():
            self._seen.calls.append(Call(name, orjson.loads("".join(self._arguments[place]) or "{}")))


def functions(tools: Iterable[dict[str, Any]], shape: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """The tools of a question, each as `shape` makes it of name, description and parameters."""
    return [shape(tool["function"]) for tool in tools]
