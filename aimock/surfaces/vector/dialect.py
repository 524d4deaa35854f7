"""What a vector database's API is to the service: routes, its clients' marks, and its words for errors."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from aimock.net.exchange import Answer, Head
from aimock_protocols.canonical import ErrorReply, WireResponse

if TYPE_CHECKING:
    from aimock.surfaces.vector.call import Call


class Route(NamedTuple):
    """A method and a path of the API, and who answers."""

    method: str
    template: str
    """Inside the mount; `{name}` stands for one segment, `{name:path}` for one or more."""
    operation: str
    """What metrics call it: `query`, `upsert`, `delete`, `describe`, `list` or `unknown`."""
    handle: Callable[[Call], Answer]
    """Raises WireError for what the provider refuses."""
    is_probe: bool = False
    """Whether clients only ask by it who is there: chaos lets it be."""


class Dialect(abc.ABC):
    """One provider's API. It has no state: that is all in the store."""

    name: ClassVar[str]
    provider: ClassVar[str] = ""
    """What metrics call it, if that is another name."""
    routes: Sequence[Route]

    @abc.abstractmethod
    def means(self, head: Head) -> bool:
        """Whether a request bears marks of this provider's clients, which decides on paths that several have."""

    @abc.abstractmethod
    def error(self, call: Call, error: ErrorReply) -> WireResponse:
        """An error in the provider's words. `call` may be for no route, and its body for no JSON."""
