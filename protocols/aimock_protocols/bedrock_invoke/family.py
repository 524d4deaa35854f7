"""What a family of models is: bodies of InvokeModel are opaque to Bedrock, and each family has its own (wire §5)."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol

from aimock_protocols.canonical import ChatRequest, FrameKind, Headers, Reply, Stamp
from aimock_protocols.collapsing import Collapsed


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    family: str
    own: Hashable
    """What only this family's answers take from their request."""
    prompt_tokens: int
    """Estimated."""
    echoed: Headers = ()
    """Headers of the request that come back."""


class Document(NamedTuple):
    """One JSON object of a stream, before it is framed."""

    data: bytes
    kind: FrameKind


class Family(Protocol):
    """The questions that every family answers whose models talk; a module or an object with these members is one."""

    @property
    def name(self) -> str: ...
    @property
    def models(self) -> re.Pattern[str]:
        """Is found in the ids of its models, geography and ARN included."""

    def asks(self, sent: dict[str, Any]) -> bool:
        """Whether a request body looks like one of this family."""

    def answers(self, document: dict[str, Any]) -> bool:
        """Whether a whole body, or a document of a stream, looks like one of this family."""

    def decode(self, sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
        """The canonical form of a body. Raises WireError."""

    def shape(self, request: ChatRequest) -> Shape: ...

    def encode(self, reply: Any, shape: Shape, stamp: Stamp) -> bytes:
        """One whole body."""

    def parse(self, body: bytes) -> Any:
        """The inverse. Raises ValueError if it is no answer of this family, WireError if it is an error."""


class ChatFamily(Family, Protocol):
    """What a family is asked besides, whose answers can be streamed: all but those of embeddings."""

    def documents(self, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
        """The same answer as the documents of a stream, at least one; the last gets the metrics of the invocation."""

    def collapse(self, documents: list[dict[str, Any]]) -> Collapsed:
        """The inverse."""


def provided_by(names: str) -> re.Pattern[str]:
    """Finds model ids of a provider (`anthropic`, `cohere\\.command`), whatever stands before them."""
    return re.compile(rf"(?:\A|[./])(?:{names})")
