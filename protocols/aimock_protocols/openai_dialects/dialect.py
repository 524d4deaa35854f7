"""What tells the providers apart who speak OpenAI's language: values only, read by `openai_chat` where they differ.

A dialect is made of layouts: JSON values in which a `Fact` stands for what an answer tells of itself. So a layout shows
what a provider sends, members in their order; what is no fact is always the same. Source: wire-openai-chat §5 to §16.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

import attrs

from aimock_protocols.canonical import Frame, FrameKind, Headers, Keepalive, Stamp


class Fact(enum.Enum):
    """What an answer tells of itself. One that is told if there is any is ABSENT else."""

    __hash__ = object.__hash__  # an enumeration's own is slow

    # of every body and chunk
    ID = enum.auto()
    CREATED = enum.auto()
    MODEL = enum.auto()
    FINGERPRINT = enum.auto()
    GIVEN_FINGERPRINT = enum.auto()
    """The reply's own, else null."""
    SERVICE_TIER = enum.auto()
    REQUEST_ID = enum.auto()
    CHOICES = enum.auto()
    USAGE = enum.auto()
    USAGE_TO_COME = enum.auto()
    """Null where usage was asked for and comes later, else ABSENT."""
    # of a choice
    INDEX = enum.auto()
    MESSAGE = enum.auto()
    DELTA = enum.auto()
    LOGPROBS = enum.auto()
    LOGPROBS_IF_ANY = enum.auto()
    FINISH_REASON = enum.auto()
    FINISH_REASON_IF_ANY = enum.auto()
    NATIVE_FINISH_REASON = enum.auto()
    # of a message
    ROLE = enum.auto()
    CONTENT = enum.auto()
    REASONING = enum.auto()
    REASONING_IF_ANY = enum.auto()
    NULL_IF_REASONING = enum.auto()
    """Null if there is any, else ABSENT."""
    REFUSAL = enum.auto()
    CALLS = enum.auto()
    FUNCTION_CALL = enum.auto()
    """The legacy form of a call, if that is what the request speaks."""
    # of a call
    CALL_ID = enum.auto()
    CALL = enum.auto()
    """Its name and arguments."""
    POSITION = enum.auto()
    # of a delta
    PIECE = enum.auto()
    """A slice of what is streamed. It may stand at several places."""
    OPENING_CONTENT = enum.auto()
    """`""` if text is to come, else null: a client that sees null waits for none."""
    OPENING_REFUSAL = enum.auto()
    """The same of a refusal, if there is one or text instead; else ABSENT."""
    # of a usage
    PROMPT_TOKENS = enum.auto()
    COMPLETION_TOKENS = enum.auto()
    TOTAL_TOKENS = enum.auto()
    # of an error
    ERROR_MESSAGE = enum.auto()
    ERROR_TYPE = enum.auto()
    ERROR_PARAM = enum.auto()
    ERROR_PARAM_IF_ANY = enum.auto()
    ERROR_CODE = enum.auto()
    ERROR_CODE_IF_ANY = enum.auto()
    ERROR_STATUS = enum.auto()
    ERROR_CODE_OR_STATUS = enum.auto()
    """The code; an error without one has its status, as text."""
    ERROR_CODE_OR_STATUS_NUMBER = enum.auto()
    ERROR_CODE_OR_TYPE = enum.auto()
    ERROR_RPC = enum.auto()
    """The status as Google's APIs call it."""
    ERROR_METADATA = enum.auto()
    """ABSENT if there is none."""
    ERROR_HINT = enum.auto()
    """ABSENT if there is none."""
    # of a model list
    MODELS = enum.auto()
    MODEL_NAME = enum.auto()
    GEMINI_MODEL = enum.auto()
    """The name as Gemini's API has it: with `models/` before it."""


class _Absent(enum.Enum):
    ABSENT = enum.auto()


ABSENT = _Absent.ABSENT
"""The value of a member that is left out."""

Layout = Any
"""A JSON value with facts in it, or functions that tell what is one provider's alone."""

Members = dict[str, Layout]

NONE: Members = {}


def filled(layout: Layout, tell: Callable[[Any], Any]) -> Any:
    """The value that a layout describes; `tell` answers for facts and functions."""
    kind = type(layout)
    if kind is dict:
        value = {}
        for name, member in layout.items():
            live = type(member)
            if live is Fact or live is FunctionType:
                member = tell(member)
            elif live is dict or live is list:
                member = filled(member, tell)
            if member is not ABSENT:
                value[name] = member
        return value
    if kind is list:
        items = (filled(item, tell) for item in layout)
        return [item for item in items if item is not ABSENT]
    return tell(layout) if kind is Fact or kind is FunctionType else layout


class Mint(NamedTuple):
    """How a provider's ids look."""

    prefix: str
    style: str
    """Name of the stamp's method that gives the rest."""
    length: int = 0
    """Of the rest; 0: it has a length of its own."""

    def id(self, stamp: Stamp, label: str = "") -> str:
        make = getattr(stamp, self.style)
        return self.prefix + str(make(self.length, label) if self.length else make(label))


class CallStyle(enum.Enum):
    """How calls are streamed."""

    IN_FRAGMENTS = "in fragments"
    ONE_BY_ONE = "one by one"
    """Each whole, in a delta of its own."""
    TOGETHER = "together"
    """Whole, those that follow on one another in one delta."""


@attrs.frozen(kw_only=True)
class Deltas:
    """What a stream adds to each choice, step by step. A step that is ABSENT is not made."""

    role: Layout
    """What comes before all content."""
    reasoning: Layout
    reasoning_end: Layout
    text: Layout
    refusal: Layout
    calls: Layout
    """`CALLS` stands for a list of calls, or of their openings."""
    arguments: Layout
    """A fragment of a call's arguments."""
    finish: Layout


@attrs.frozen(eq=False, kw_only=True)
class Dialect:
    """One provider's way of saying things. There is one object for each, and it is equal to itself only, since it is
    part of what answers are kept by."""

    reply_id: Mint
    call_id: Mint

    whole: Members
    choice: Members
    """Of a whole body."""
    message: Members
    thought: Layout
    """A part of the content that is thought, for whom content is a list if there is any; None: thoughts have a member
    of their own."""
    no_content: Any
    """What content is where there is none."""
    no_calls: Any
    call: Members
    """In a message."""

    chunk: Members
    streamed_choice: Members
    streamed_call: Members
    preamble: Members | None
    """A chunk before all others."""
    opening: Members
    """What the chunk of the role says besides."""
    opening_choice: Members
    """The same of its choice."""
    finishing: Members
    """What the chunk with the finish reason says besides."""
    finishing_choice: Members
    deltas: Deltas
    call_style: CallStyle
    calls_finish: bool
    """Whether the last delta of calls tells the finish reason too."""
    usage_chunk: bool | None
    """Whether a chunk for usage alone ends the stream; None: if the request asks for it."""
    usage_choice: bool
    """Whether that chunk repeats the choice that has finished; else it has none."""
    last_chunk: Members
    """That chunk."""
    ends_with_done: bool
    sorts_members: bool
    """Whether members come in alphabetical order."""

    usage: Members

    error: Layout
    errors: Mapping[int | str, Layout]
    """Errors of some codes, or statuses, that have another envelope."""
    streamed_error: Layout
    """An error inside a stream; None: as any other."""
    error_event: bytes | None
    """The name of the event that it is."""
    error_types: Mapping[int, str]
    """What errors of each status are called; of others, OpenAI's `server_error`."""

    models: Layout
    model: Members
    unknown_model: str
    """What is said of a model that there is not, with a place for its `{name}`."""

    headers: Headers
    """Of every response, besides its content type."""
    minted_headers: tuple[tuple[str, Mint], ...]
    """Headers with an id of each response's own."""
    stream_type: str
    tells_quotas: bool
    """Whether responses tell of rate limits."""
    keepalive: Keepalive | None


def comment(text: str, seconds: float = 15.0) -> Keepalive:
    """A comment, which says nothing but that the connection lives, after so many seconds of silence."""
    return Keepalive(Frame(b": " + text.encode() + b"\n\n", FrameKind.PING), seconds)
