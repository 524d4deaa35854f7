"""What holds for every family of InvokeModel: whole and streamed, there and back (wire-bedrock §3, §5)."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import bedrock_invoke, eventstream
from aimock_protocols.bedrock_invoke.families import FAMILIES as TABLE
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    WireError,
)
from protocol_cases.bedrock_families import FAMILIES, VECTORS, Family, VectorFamily

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
every_vector_family = pytest.mark.parametrize("family", VECTORS.values(), ids=VECTORS)
SETTINGS = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
METRICS = "amazon-bedrock-invocationMetrics"


@attrs.frozen
class StreamHead:
    path: str
    method: str = "POST"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


def ask(family: Family | VectorFamily, stream: bool = False, **more: Any) -> ChatRequest:
    operation = "invoke-with-response-stream" if stream else "invoke"
    head = StreamHead(f"/model/{family.model}/{operation}")
    return bedrock_invoke.decode(head, {"model": family.model}, orjson.dumps({**family.request, **more}))


def frames(family: Family, reply: Reply, stamp: Stamp, chunk_size: int = 3) -> list[Frame]:
    return list(bedrock_invoke.frames(reply, bedrock_invoke.shape(ask(family, stream=True)), stamp, chunk_size))


def documents(frames: list[Frame]) -> list[Any]:
    events = eventstream.messages(frame.data for frame in frames)
    return [orjson.loads(base64.b64decode(orjson.loads(event.payload)["bytes"])) for event in events]


def test_every_family_is_here() -> None:
    here = {bedrock_invoke.shape(ask(family)).family for family in (*FAMILIES.values(), *VECTORS.values())}
    assert here | {"reranking"} == set(TABLE), "rerankers have tests of their own (test_rerank.py)"


@every_family
def test_its_user_says_hello(family: Family) -> None:
    for stream in (False, True):
        request = ask(family, stream)
        assert request.body["messages"] == [{"role": "user", "content": "hello"}]
        assert (request.model, request.stream, request.endpoint) == (family.model, stream, "chat")
        assert request.body.get("stream", False) is stream


@every_family
@SETTINGS
@given(data=st.data())
def test_whole(family: Family, stamp: Stamp, data: st.DataObject) -> None:
    reply = data.draw(family.whole)
    body = bedrock_invoke.encode(reply, bedrock_invoke.shape(ask(family)), stamp)
    assert bedrock_invoke.parse(body) == reply


@every_family
@SETTINGS
@given(data=st.data(), chunk_size=st.integers(1, 40), cuts=st.lists(st.integers(0, 2**16), max_size=8))
def test_streamed(family: Family, stamp: Stamp, data: st.DataObject, chunk_size: int, cuts: list[int]) -> None:
    reply = data.draw(family.streamed)
    stream = b"".join(frame.data for frame in frames(family, reply, stamp, chunk_size))
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    collapsed = bedrock_invoke.read_stream([stream])
    assert (collapsed.reply, collapsed.truncated, collapsed.dropped) == (reply, False, 0)
    assert bedrock_invoke.read_stream([stream[start:end] for start, end in pairwise(edges)]) == collapsed
    assert bedrock_invoke.read_stream(stream[at : at + 1] for at in range(len(stream))) == collapsed


@every_family
@pytest.mark.parametrize("after", [0, 1, 3, 50])
def test_interrupted(family: Family, stamp: Stamp, after: int) -> None:
    """By an exception, at the latest in place of the last document."""
    whole = Reply((Text("0123456789"),))
    broken = attrs.evolve(whole, mid_stream_error=MidStreamError(after, ErrorReply("boom", status=429)))
    undisturbed, disturbed = frames(family, whole, stamp), frames(family, broken, stamp)
    assert disturbed[:-1] == undisturbed[: min(after, len(undisturbed) - 1)]
    *_, last = eventstream.messages(frame.data for frame in disturbed)
    assert (last.text(":exception-type"), orjson.loads(last.payload)) == ("throttlingException", {"message": "boom"})
    kept = bedrock_invoke.read_stream(frame.data for frame in disturbed[:-1]).reply.text
    if kept:
        collapsed = bedrock_invoke.read_stream(frame.data for frame in disturbed)
        assert (collapsed.truncated, collapsed.reply.text) == (True, kept)
        assert "0123456789".startswith(kept)
        interruption = collapsed.reply.mid_stream_error
        assert interruption is not None
        assert (interruption.after_chunks, interruption.error.message) == (len(disturbed) - 1, "boom")
    else:
        with pytest.raises(WireError, match="boom") as raised:
            bedrock_invoke.read_stream(frame.data for frame in disturbed)
        assert raised.value.reply.status == 429


@every_family
def test_a_stream_that_breaks_off_is_truncated(family: Family, stamp: Stamp) -> None:
    told = frames(family, Reply((Text("0123456789"),)), stamp)
    whole = b"".join(frame.data for frame in told)
    assert bedrock_invoke.read_stream([whole[:-5]]).truncated
    kept = bedrock_invoke.read_stream([b"".join(frame.data for frame in told[:4])])
    assert kept.truncated
    assert "0123456789".startswith(kept.reply.text or "!")
    assert bedrock_invoke.read_stream([]).truncated


@every_family
def test_the_last_document_has_the_metrics(family: Family, stamp: Stamp) -> None:
    usage = {"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": 3, "latencyMs": 20}
    told = documents(frames(family, Reply((Text("Hi"),), usage=usage), stamp))
    assert [METRICS in document for document in told] == [False] * (len(told) - 1) + [True]
    assert told[-1][METRICS] == {
        "inputTokenCount": 7,
        "outputTokenCount": 5,
        "cacheReadInputTokenCount": 3,
        "invocationLatency": 20,
        "firstByteLatency": 20,
    }


@every_family
def test_every_event_is_a_padded_chunk(family: Family, stamp: Stamp) -> None:
    told = frames(family, Reply((Text("Hello"),)), stamp)
    events = list(eventstream.messages(frame.data for frame in told))
    kinds = {(event.text(":event-type"), event.text(":content-type")) for event in events}
    assert kinds == {("chunk", "application/json")}
    payloads = [orjson.loads(event.payload) for event in events]
    assert all(list(payload) == ["bytes", "p"] and payload["p"].startswith("ab") for payload in payloads)


@every_family
def test_the_stream_and_the_whole_say_the_same(family: Family, stamp: Stamp) -> None:
    """Also what the family derives or mints itself is the same in both, tokens included where it tells them."""
    for parts in (Reply((Text("Hello, you"),)), Reply(refusal="No.")):
        whole = bedrock_invoke.parse(bedrock_invoke.encode(parts, bedrock_invoke.shape(ask(family)), stamp))
        streamed = bedrock_invoke.collapse(frame.data for frame in frames(family, parts, stamp))
        assert attrs.evolve(streamed, usage=whole.usage) == whole
        assert streamed.usage is not None


@every_family
def test_headers_tell_the_tokens_that_the_body_tells(family: Family, stamp: Stamp) -> None:
    reply = Reply((Text("Hello, you"),), reasoning="thought")
    shape = bedrock_invoke.shape(ask(family))
    headers = dict(bedrock_invoke.reply_headers(reply, shape))
    usage = bedrock_invoke.collapse(frame.data for frame in frames(family, reply, stamp)).usage or {}
    usage = usage.get("billed_units", usage)
    told = [
        usage.get("input_tokens", usage.get("prompt_tokens")),
        usage.get("output_tokens", usage.get("completion_tokens")),
    ]
    names = ("X-Amzn-Bedrock-Input-Token-Count", "X-Amzn-Bedrock-Output-Token-Count")
    assert [headers[name] for name in names] == list(map(str, told))
    assert headers["X-Amzn-Bedrock-Output-Token-Count"] == "3"
    assert headers["X-Amzn-Bedrock-Invocation-Latency"] == "430"


@every_family
def test_a_stream_without_text_has_an_end(family: Family, stamp: Stamp) -> None:
    told = documents(frames(family, Reply(), stamp))
    assert METRICS in told[-1]
    assert not bedrock_invoke.collapse(frame.data for frame in frames(family, Reply(), stamp)).text


@every_vector_family
@SETTINGS
@given(data=st.data())
def test_vectors(family: VectorFamily, stamp: Stamp, data: st.DataObject) -> None:
    vectors = data.draw(family.vectors)
    request = ask(family)
    assert (request.endpoint, request.body["input"]) == ("embedding", ["hello"])
    body = bedrock_invoke.encode(vectors, bedrock_invoke.shape(request), stamp)
    assert bedrock_invoke.parse(body) == vectors


@every_vector_family
def test_vectors_are_not_streamed(family: VectorFamily) -> None:
    with pytest.raises(WireError, match="unsupported for streaming"):
        ask(family, stream=True)
