"""The canonical exchange: what every protocol decodes to, and encodes from.

Values only. A protocol is a set of pure functions between these and wire bytes; what it cannot know by itself
(time, randomness) reaches it in a `Stamp`, so the same reply, request and stamp give the same bytes, for ever.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import attrs

Headers = tuple[tuple[str, str], ...]
"""Response headers in the order in which they are sent."""

_ALPHANUMERIC = (b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" * 5)[:256]
_DIGITS = (b"0123456789" * 26)[:256]


class FrameKind(enum.Enum):
    """What a frame is to physics, which paces by kind and never looks inside."""

    OPEN = "open"
    """Framing before the content (a role chunk, `message_start`). Delayed and counted."""
    TOKEN = "token"
    """Content, and the frame that finishes it. Delayed and counted."""
    CLOSE = "close"
    """What follows the content at once (a usage chunk, `[DONE]`). Neither delayed nor counted."""
    PING = "ping"
    """A keepalive. Neither delayed nor counted."""


class Frame(NamedTuple):
    """One event of a stream, whole, as it goes on the wire."""

    data: bytes
    kind: FrameKind


@attrs.frozen
class Text:
    """A run of answer text."""

    text: str


@attrs.frozen
class ToolCall:
    """One call of a tool. `arguments` is JSON text and is sent verbatim, valid or not."""

    name: str
    arguments: str
    id: str | None = None
    """None: the protocol mints one in its provider's style."""


Part = Text | ToolCall


@attrs.frozen
class MidStreamError:
    """An error delivered inside a stream after `after_chunks` counted frames; whole responses ignore it."""

    after_chunks: int
    error: ErrorReply


@attrs.frozen
class Reply:
    """What the model answers, in no provider's terms.

    `parts` are in the order in which they are streamed. No part at all means that there is no content; a
    `Text("")` is content that is empty. Fields that are None were not said, and each protocol derives them.
    """

    parts: tuple[Part, ...] = ()
    reasoning: str | None = None
    reasoning_signature: str | None = None
    redacted_thinking: tuple[str, ...] = ()
    web_searches: tuple[str, ...] = ()
    refusal: str | None = None
    tool_plan: str | None = None
    """What the model means to do with the tools that it calls; None: a protocol that has such plans makes one up."""
    citations: tuple[Mapping[str, Any], ...] = attrs.field(default=(), hash=False)
    """The passages that the answer rests on, each as the fixture has it."""
    finish_reason: str | None = None
    """In OpenAI's names (`stop`, `length`, `tool_calls`, `content_filter`); any other passes through untouched."""
    usage: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    """Token counts and extras under the keys that the fixture used; None: estimated or zero, as the provider does."""
    logprobs: Any = attrs.field(default=None, hash=False)
    id: str | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    role: str | None = None
    provider: str | None = None
    native_finish_reason: str | None = None
    mid_stream_error: MidStreamError | None = None
    announced: bool = False
    """Whether a stream begins with a sign that the model is at work, where its provider has one (OpenRouter)."""

    @property
    def text(self) -> str | None:
        """The text of all text parts, joined; None if there is none (which is not the same as empty)."""
        texts = [part.text for part in self.parts if isinstance(part, Text)]
        return "".join(texts) if texts else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


@attrs.frozen
class ErrorReply:
    """An error to be told in the provider's own envelope."""

    message: str
    type: str | None = None
    """None: the protocol's default for a server fault (`server_error`, `api_error`, …)."""
    param: str | None = None
    code: Any = None
    status: int = 500
    retry_after: float | None = None
    """Seconds; a 429 without it says 1."""
    fallthrough: bool = True
    """Whether OpenRouter's failover may go past it to the next model."""
    metadata: Any = attrs.field(default=None, hash=False)
    hint: str | None = None
    """For the person who reads the error: which fixture came nearest, and why it did not match."""


Embeddings = Literal["hash", "semantic"]
"""How vectors follow from their texts: so that equal texts have equal ones, or besides so that related texts have near
ones."""


@attrs.frozen
class Vectors:
    """What an embedding model answers: a vector for each input, in order."""

    values: tuple[tuple[float, ...] | None, ...]
    """None: the input's vector follows from its text (`embedding.following`)."""
    usage: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    id: str | None = None
    model: str | None = None
    manner: Embeddings = "hash"


@attrs.frozen
class Results:
    """What a service (search, rerank, moderation, …) answers, in its own words; its protocol says the rest."""

    said: tuple[Mapping[str, Any], ...] = attrs.field(default=({},), hash=False)
    """Members of its answer: of each of those that are answered by themselves (`Separating`), in order; for all others
    there is one. Nothing said is the answer that finds nothing."""


@attrs.define(slots=False)
class WireError(Exception):
    """A request that a protocol refuses, with the answer that its provider would give."""

    reply: ErrorReply

    def __str__(self) -> str:
        return self.reply.message


@attrs.define
class ChatRequest:
    """A request in the one shape that fixtures match: the OpenAI chat body, whatever protocol it came by.

    `body` is that shape as JSON values (`model`, `messages`, `tools`, `response_format`, …); for OpenAI chat it is the
    very body that was sent, unknown keys included. `native` is the body as the provider's protocol has it.
    """

    body: dict[str, Any]
    native: dict[str, Any]
    model: str = ""
    """The model asked for; empty if the request names none."""
    stream: bool = False
    endpoint: str = "chat"
    """Endpoint type, one of those of the fixture format (`chat`, `embedding`, `search`, …). An embedding request's body
    is that of OpenAI's, with the texts to embed as a list under `input`; a service's is its own (`services.py`)."""
    objection: ErrorReply | None = None
    """Why the provider would refuse the request, although it can be answered: strict servers refuse it too."""
    aliases: tuple[str, ...] = ()
    """Other names of the model asked for, by which a fixture may call it too (the last part of an ARN)."""
    fallbacks: tuple[str, ...] = ()
    """Models to be asked in turn if no fixture answers for the one before, or one answers with an error that falls
    through."""
    settled: Callable[[Stamp], WireResponse] | None = None
    """The answer, if the request asks for nothing that a fixture would know (that a model be loaded)."""
    recalls: str | None = None
    """What the request takes up that was said before: its key in the server's memory (`Remembering.recall`)."""
    remembers: bool = False
    """Whether the reply is to be remembered (`Remembering.remember`)."""
    resumed: Callable[[], list[Any]] | None = None
    """The messages together with those that it takes up, if `recall` found any: what fixtures see where the server is
    told that they shall."""
    stream_headers: Headers | None = None
    """Headers of this request's stream, if it is framed otherwise than the protocol's streams are."""


ENTROPY_BYTES = 64


@attrs.define(eq=False)
class Stamp:
    """Time and randomness for one exchange. Never changed."""

    created: float
    """Unix time in seconds."""
    entropy: bytes
    """ENTROPY_BYTES of them: every id in this exchange follows from these."""

    def alphanumeric(self, length: int, label: str = "") -> str:
        """`length` (at most 64; without a label 32) characters of 0-9A-Za-z, the same for the same label."""
        return self.alphanumeric_bytes(length, label).decode("ascii")

    def alphanumeric_bytes(self, length: int, label: str = "") -> bytes:
        """The same, in ASCII."""
        return (self._derived(label) if label else self.entropy)[:length].translate(_ALPHANUMERIC)

    def hexadecimal(self, length: int, label: str = "") -> str:
        """`length` (at most 128; without a label 64) hexadecimal digits, the same for the same label."""
        return (self._derived(label) if label else self.entropy)[-((length + 1) // 2) :].hex()[:length]

    def written(self, write: Callable[[float], str]) -> str:
        """The time as a function of it writes it, always the same for the same time."""
        return write(self.created)

    def digits(self, length: int, label: str = "") -> str:
        """`length` (at most 64; without a label 32) decimal digits, the same for the same label."""
        return (self._derived(label) if label else self.entropy)[:length].translate(_DIGITS).decode("ascii")

    def uuid(self, label: str = "") -> str:
        """A random UUID (RFC 9562, version 4), the same for the same label."""
        digits = (self._derived(label) if label else self.entropy)[-16:].hex()
        variant = "89ab"[int(digits[16], 16) % 4]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def _derived(self, label: str) -> bytes:
        """What follows from the entropy under a label. An exchange has one main id of each kind: the unlabelled ones,
        which are cut from either end of the entropy itself and spare themselves a digest. (A keyed digest would cost
        three times as much as one of both together.)"""
        return hashlib.blake2b(self.entropy + label.encode()).digest()


class Head(Protocol):
    """What a protocol may know of the request besides its body. `aimock.net` has the class."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str:
        """Without the question mark; percent-encoding as sent."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; of a repeated header the first value."""


class Route(NamedTuple):
    """What a protocol listens on. `{name}` in a template is one path segment, `{name:path}` one or more."""

    method: str
    template: str


class WireResponse(NamedTuple):
    """A whole response as it goes on the wire, but for the headers that every response of its protocol has."""

    status: int
    headers: Headers
    body: bytes


@attrs.frozen
class Allowance:
    """How much of its quota a client has used, for the provider's rate limit headers."""

    limit_requests: int
    remaining_requests: int
    requests_reset: float
    """Seconds until none of it is used."""
    limit_tokens: int
    remaining_tokens: int
    tokens_reset: float


@attrs.frozen
class Excess:
    """Too much asked for: a request that a quota does not allow."""

    unit: str
    """`requests` or `tokens`."""
    limit: int
    """A minute."""
    used: int
    requested: int
    wait: float
    """Seconds until it would be allowed."""
    model: str


class Keepalive(NamedTuple):
    """What a provider sends while its model is silent."""

    frame: Frame
    interval: float
    """Seconds of silence before each."""


class Memory(Protocol):
    """What a server remembers under one test id between requests, for one family of protocols. The oldest is forgotten
    first when there is too much."""

    def get(self, key: str) -> Any:
        """None if there is nothing under the key."""

    def put(self, key: str, value: Any, size: int = 0) -> None:
        """`size` is about how many bytes it holds that nothing else holds, where that is more than a few."""

    def remove(self, key: str) -> bool:
        """Whether there was something to remove."""

    def keys(self) -> tuple[str, ...]:
        """Oldest first."""


@attrs.frozen
class SideRequest:
    """A request to a side route: one beside the chat, that no fixture answers (a model list, a token count)."""

    head: Head
    params: Mapping[str, str]
    body: bytes
    stamp: Stamp
    models: tuple[str, ...]
    """The models that there are: those that fixtures name, or some well-known ones."""
    memory: Memory


class WireProtocol(Protocol):
    """The questions that every protocol answers to which fixtures give the answers; a module or an object with these
    members is one. `encode` and `parse` are about a Reply, about Vectors where requests are for embeddings, or about
    Results where they are for a service."""

    @property
    def name(self) -> str: ...
    @property
    def heeds(self) -> tuple[str, ...]:
        """Names of the request headers that `decode` looks at, in lower case."""

    @property
    def whole_headers(self) -> Headers:
        """Headers of a whole response, content type included; length, rate limits and fresh headers not."""

    def fresh_headers(self, stamp: Stamp) -> Headers:
        """Headers of this response alone, an error's too."""

    def rate_limits(self, allowance: Allowance, now: float) -> Headers:
        """The rate limit headers of a response at `now`, Unix time in seconds."""

    def decode(self, head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
        """Wire to canonical. Raises WireError with the provider's own 4xx. `params` come from the route's template."""

    def shape(self, request: ChatRequest) -> Any:
        """All that a response takes from its request: a hashable value, whose equals are answered alike."""

    def encode(self, reply: Any, shape: Any, stamp: Stamp) -> bytes:
        """One whole response body."""

    def parse(self, body: bytes) -> Any:
        """The inverse of `encode`.

        Raises WireError on a body that tells an error, ValueError on any other that is not a reply of this protocol.
        """

    def rate_limited(self, excess: Excess) -> ErrorReply:
        """The 429 that the provider gives for it."""

    def error(self, error: ErrorReply, stamp: Stamp) -> WireResponse:
        """An error in the provider's envelope; one without a type has that which its status calls for."""


class ChatProtocol(WireProtocol, Protocol):
    """What a protocol is asked besides, whose answers can be streamed. If its routes take requests for embeddings too,
    `encode` and `parse` are about both."""

    @property
    def stream_headers(self) -> Headers: ...

    @property
    def keepalive(self) -> Keepalive | None: ...

    def frames(self, reply: Any, shape: Any, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        """The same response, streamed; text is cut into slices of `chunk_size` characters (code points)."""

    def collapse(self, chunks: Iterable[bytes]) -> Reply:
        """The inverse of `frames`: the reply that a stream carried, however its bytes were split.

        Raises WireError if all that the stream brought was an error.
        """

    def error_frame(self, error: ErrorReply, shape: Any, stamp: Stamp) -> Frame:
        """An error inside a stream that has begun."""


class Separating(Protocol):
    """A member that a service's protocol has besides, if one request asks for several answers."""

    def separated(self, request: ChatRequest) -> list[ChatRequest]:
        """The request as it is for each of them, in order."""


class LeavingOut(Protocol):
    """A member that a service's protocol has besides, if what a fixture says may not be about a request."""

    def left_out(self, reply: Results, shape: Any) -> list[str]:
        """What of it the answer leaves out, and why."""


class Remembering(Protocol):
    """Members that a protocol has besides, if later requests can take up what was said."""

    def recall(self, request: ChatRequest, memory: Memory) -> ChatRequest:
        """The request, for one with `recalls`, with what was said before. Raises WireError if that is not known."""

    def remember(
        self, request: ChatRequest, reply: Any, shape: Any, stamp: Stamp, chunk_size: int, memory: Memory
    ) -> None:
        """Called once for each reply to a request with `remembers`, in their order, before anything is asked of the
        memory."""


class Opened(NamedTuple):
    """What stands in a frame, where nothing hides it, and what makes a frame of such content again."""

    content: bytes
    seal: Callable[[bytes], bytes]


class Sealing(Protocol):
    """A member that a protocol has besides, if its frames hide what stands in them: in base64, behind a checksum. Kept
    renderings are filled in before they are sealed."""

    def opened(self, frame: bytes) -> Opened:
        """What stands in one of its frames."""


class TellingInHeaders(Protocol):
    """A member that a protocol has besides, if headers of whole responses tell of the reply."""

    def reply_headers(self, reply: Any, shape: Any) -> Headers:
        """Headers of this whole response alone: token counts, say."""


class FramingErrors(Protocol):
    """A member that a protocol has besides, if the form of its errors depends on how it was asked."""

    def framed_error(self, response: WireResponse, head: Head) -> WireResponse:
        """The error response to a request with this head."""
