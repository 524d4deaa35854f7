"""Fresh ids: of the same shape, the same for the same, and nothing else changed: of all that the protocols can say, and
of all recorded traffic."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import eventstream
from aimock_protocols.canonical import ENTROPY_BYTES, ChatProtocol, Head, Reply, Stamp, Text, ToolCall, WireError
from aimock_protocols.cutting import cutter_for
from aimock_protocols.ids import IDS, Renaming, restored, strings_of
from aimock_protocols.json_places import dotted, strings
from aimock_protocols.registry import PROTOCOLS, chat_protocols
from protocol_cases import CHATS
from recorded import body_of, is_stream, needs_corpus, rows_of

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ONE, OTHER = (Stamp(0.0, bytes([number]) * ENTROPY_BYTES) for number in (1, 2))

every_protocol = pytest.mark.parametrize("protocol", chat_protocols(), ids=lambda protocol: protocol.name)


def content_type(headers: Any) -> str:
    return dict(headers)["content-type"]


# -- the shape of ids --------------------------------------------------------------------------------------------------

SHAPES = [
    ("chatcmpl-BAeyRj7gU6aCNSSAskAFbupBWYMIT", r"chatcmpl-[A-Za-z0-9]{29}"),
    ("msg_01Gy6xjHMg5MAXA4Vox1EKDD", r"msg_01[A-Za-z0-9]{22}"),
    ("toolu_bdrk_01Gy6xjHMg5MAXA4Vox1EKDD", r"toolu_bdrk_01[A-Za-z0-9]{22}"),
    ("resp_05fad36c0c9fffab00698a2c352db881979aafd31de6c62fca", r"resp_[0-9a-f]{50}"),
    ("a7a1995c-1980-4683-8382-e8dda3598388", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"),
    ("abcdefab-cdef-4683-8382-e8dda3598388", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"),
    ("fc_bfb39741-3748-4def-9886-a93fc9c64a90", r"fc_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}"),
    ("gen-1758000000-AbC9", r"gen-\d{10}-[A-Z][a-z][A-Z]\d"),
    ("tooluse_dV5ehBNfl1hUE-UTM9cIww", r"tooluse_[A-Za-z0-9]{13}-[A-Za-z0-9]{8}"),
    ("get_weather_3p2j6ce4gxxx", r"get_weather_[a-z0-9]{12}"),
    ("qC8TaeOLGZbhtfAPlbGdyAk", r"[A-Za-z0-9]{23}"),
    ("bbv4bf5fw", r"[a-z]{3}\d[a-z]{2}\d[a-z]{2}"),
    ("call_0", r"call_\d"),
    ("v1_ChdQcTZx", r"v1_[A-Z][a-z]{2}[A-Z][a-z][A-Z]{2}[a-z]"),
    ("x" * 300, r"[a-z]{300}"),
]


@pytest.mark.parametrize(("old", "shape"), SHAPES, ids=[old[:24] for old, _ in SHAPES])
def test_shapes(old: str, shape: str) -> None:
    fresh = Renaming(ONE).of(old)
    assert fresh != old
    assert re.fullmatch(shape, fresh)
    assert Renaming(ONE).of(old) == fresh
    if len(old) > 8:
        assert Renaming(OTHER).of(old) != fresh


@pytest.mark.parametrize("text", ["", "call_", "-", "é", "日本"])
def test_what_has_nothing_to_change(text: str) -> None:
    assert Renaming(ONE).of(text) == text


@given(olds=st.sets(st.text(max_size=12)), entropy=st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_ids_that_differ_stay_different(olds: set[str], entropy: bytes) -> None:
    renaming = Renaming(Stamp(0.0, entropy))
    assert len({renaming.of(old) for old in olds}) == len(olds)


# -- all that the protocols can say ------------------------------------------------------------------------------------


@every_protocol
@SETTINGS
@given(data=st.data(), size=st.integers(1, 30), streamed=st.booleans())
def test_the_reply_is_the_same_but_for_its_ids(
    protocol: ChatProtocol, head: Head, stamp: Stamp, data: st.DataObject, size: int, streamed: bool
) -> None:
    """Whole and streamed, however the stream is cut: as if the ids of the reply itself had been replaced."""
    case = CHATS[protocol.name]
    reply = data.draw(case.streamed if streamed else case.whole)
    chat = protocol.decode(head, case.params, orjson.dumps(case.asks(stream=streamed)[1]))
    shape = protocol.shape(chat)
    renaming = Renaming(ONE)
    if streamed:
        frames = [frame.data for frame in protocol.frames(reply, shape, stamp, size)]
        fresh = renaming.frames(protocol.name, content_type(chat.stream_headers or protocol.stream_headers), frames)
        assert protocol.collapse(fresh) == Renaming(ONE).reply(reply)
    else:
        frames = [protocol.encode(reply, shape, stamp)]
        fresh = renaming.frames(protocol.name, content_type(protocol.whole_headers), frames)
        assert protocol.parse(fresh[0]) == Renaming(ONE).reply(reply)
    assert list(map(len, fresh)) == list(map(len, frames))


# -- recorded traffic --------------------------------------------------------------------------------------------------

FILES = {
    "anthropic.messages": "anthropic_messages",
    "bedrock.converse": "bedrock_converse",
    "bedrock.converse-stream": "bedrock_converse",
    "bedrock.invoke": "bedrock_invoke",
    "cohere.chat": "cohere",
    "cohere.embed": "cohere.embed",
    "gemini.generate": "gemini",
    "openai.chat": "openai_chat",
    "openai.embeddings": "openai_embeddings",
    "openai.responses": "openai_responses",
}
_ELSEWHERE = re.compile(
    r"(?:container|conversation|previous_response|file|prompt|order|user)s?(?:_id|\.id)$|args|input\.|arguments"
)
"""Members that are called as ids are and are none of the answer's."""


def cut(row: dict[str, Any]) -> list[bytes]:
    cutter = cutter_for(row["content_type"]) if is_stream(row) else None
    if cutter is None:
        return [body_of(row)]
    return [*cutter.feed(body_of(row)), cutter.rest()]


@needs_corpus
@pytest.mark.parametrize("name", FILES)
def test_of_recorded_traffic_nothing_else_changes(name: str, record_property: Callable[[str, object], None]) -> None:
    protocol: Any = next(each for each in PROTOCOLS if each.name == FILES[name]).load()
    renamed = rows = 0
    for row in rows_of(name):
        frames = cut(row)
        renaming = Renaming(ONE)
        fresh = renaming.frames(protocol.name, row["content_type"], frames)
        assert list(map(len, fresh)) == list(map(len, frames))
        said, says = b"".join(map(opened, frames)), b"".join(map(opened, fresh))
        for old, new in renaming.renamed.items():
            assert old != new
            says = says.replace(new.encode(), old.encode())
        assert says == said, "with the old ids in their places again it is the old answer"
        others = [] if row["content_type"].startswith(eventstream.CONTENT_TYPE) else named_ids(frames)
        assert not [
            place
            for place in others
            if not _ELSEWHERE.search(place) and dotted(place) not in IDS[family(protocol.name)]
        ]
        read = protocol.collapse if is_stream(row) else lambda pieces: protocol.parse(pieces[0])
        try:
            reply = read(frames)
        except WireError:
            continue
        if isinstance(reply, Reply):
            assert read(fresh) == Renaming(ONE).reply(reply)
        assert Renaming(ONE).frames(protocol.name, row["content_type"], frames) == fresh
        assert Renaming(OTHER).frames(protocol.name, row["content_type"], frames) != fresh or not renaming.renamed
        rows += 1
        renamed += len(renaming.renamed)
    record_property("counted", f"{name}: {renamed} ids of {rows} answers are fresh, and no other byte")


def family(name: str) -> str:
    return re.split("[.:]", name)[0]


def opened(frame: bytes) -> bytes:
    """What stands in a frame, where no checksum changes with it."""
    return eventstream.opened(frame).content if frame.startswith(b"\0") else frame


def named_ids(frames: list[bytes]) -> Iterator[str]:
    """The places of all that is called an id, in frames that are no event streams."""
    for frame in frames:
        for path, start, end in strings(frame[frame.find(b"{") :]):
            if start < end and path and path[-1] and re.search(rb"(?:^|_)id$|Id$", path[-1]):
                yield ".".join("[]" if part is None else part.decode() for part in path)


# -- places of all kinds -----------------------------------------------------------------------------------------------

CHUNK = b'{"id":"chatcmpl-a1","choices":[{"delta":{"content":"chatcmpl-a1","tool_calls":[{"id":"call_b2"}]}}]}'


def frames_of(frame: bytes, kind: str, protocol: str = "openai_chat") -> bytes:
    return Renaming(ONE).frames(protocol, kind, [frame])[0]


@pytest.mark.parametrize(
    "frame",
    [
        b"data: " + CHUNK + b"\n\n",
        b'id: "x"\r\n: {"id":"chatcmpl-a1"}\r\nevent: {\r\ndata:' + CHUNK + b"\r\n\r\n",
        b"data: " + CHUNK.replace(b',"choices"', b',\ndata: "choices"') + b"\n\n",
    ],
    ids=["plain", "with other lines", "on two lines"],
)
def test_events_with_whatever_else_stands_in_them(frame: bytes) -> None:
    renaming = Renaming(ONE)
    fresh = frames_of(frame, "text/event-stream; charset=utf-8")
    assert fresh.count(b"chatcmpl-a1") == frame.count(b"chatcmpl-a1") - 1, "text is text, and so is a comment"
    assert renaming.of("chatcmpl-a1").encode() in fresh
    assert renaming.of("call_b2").encode() in fresh


@pytest.mark.parametrize(
    "frame", [b"[DONE]", b"data: [DONE]\n\n", b"", b"\xff\xfe", b'{"id":', b'"id"', b']}{"', b"\0\0"]
)
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", eventstream.CONTENT_TYPE, "audio/mpeg"])
def test_what_cannot_be_read_stays_as_it_is(frame: bytes, kind: str) -> None:
    assert frames_of(frame, kind) == frame


@given(
    frame=st.binary() | st.text('{}[]",:\\ idxdata\n').map(str.encode),
    kind=st.sampled_from(["text/event-stream", "application/json"]),
)
def test_any_bytes_keep_their_size(frame: bytes, kind: str) -> None:
    assert len(frames_of(frame, kind)) == len(frame)


def test_an_id_with_escapes() -> None:
    assert frames_of(rb'{"id":"a\u00e9b\"c\nd"}', "application/json") == (
        b'{"id":"%b\\u00e9%b\\"%b\\n%b"}' % tuple(each.encode() for each in Renaming(ONE).of("abcd"))
    )


def test_an_element_of_an_array_that_grows() -> None:
    for frame in (b'[{"responseId":"abc"}', b',\r\n{"responseId":"abc"}'):
        fresh = Renaming(ONE).of("abc").encode()
        assert frames_of(frame, "application/json", "gemini") == frame.replace(b"abc", fresh)


def test_headers() -> None:
    renaming = Renaming(ONE)
    told = (("x-request-id", "req_1"), ("x-generation-id", "gen-abc"), ("etag", "req_1"))
    assert renaming.headers(told) == (
        ("x-request-id", renaming.of("req_1")),
        ("x-generation-id", renaming.of("gen-abc")),
        ("etag", "req_1"),
    )


def test_what_the_request_calls_otherwise_is_called_so() -> None:
    body = b'{"id":"resp_a","previous_response_id":"resp_b","output":[{"id":"resp_b"}]}'
    (fresh,) = Renaming(ONE, {"resp_b": "resp_z"}).frames("openai_responses", "application/json", [body])
    assert orjson.loads(fresh)["previous_response_id"] == orjson.loads(fresh)["output"][0]["id"] == "resp_z"
    (fresh,) = Renaming(ONE).frames("openai_responses", "application/json", [body])
    assert orjson.loads(fresh)["previous_response_id"] == "resp_b", "nobody knows what it is called by now"


def test_a_reply_keeps_what_is_no_id() -> None:
    call = ToolCall("f", "{}", "call_1")
    reply = Reply(parts=(Text("call_1"), call, ToolCall("g", "{}")), reasoning_signature="call_1", id="msg_1")
    renaming = Renaming(ONE)
    parts = (Text("call_1"), attrs.evolve(call, id=renaming.of("call_1")), ToolCall("g", "{}"))
    assert renaming.reply(reply) == attrs.evolve(reply, parts=parts, id=renaming.of("msg_1"))


def test_requests_get_the_recorded_ids_back() -> None:
    body = b'{"messages":[{"tool_call_id":"call_z","content":"call_z!"},{"id":"other"}]}'
    assert restored(body, {"call_z": "call_a"}.get) == body.replace(b'"call_z"', b'"call_a"')
    assert strings_of(body) == ["call_z", "call_z!", "other"]


def test_every_protocol_has_its_ids() -> None:
    assert IDS.keys() >= {family(each.name) for each in PROTOCOLS if each.routes}
