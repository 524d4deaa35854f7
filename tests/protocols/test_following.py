"""Sessions that a provider goes on with: what it is told, which turns are seen to pass, and what is known of each.

The provider is another session of ours, or says what the test writes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest

from aimock_protocols import gemini_live, openai_realtime, openai_responses
from aimock_protocols.canonical import ChatRequest, ErrorReply, Reply, Text, ToolCall
from aimock_protocols.sessions import Followed, Follower, Passage, Passed, SocketProtocol
from live_driver import DEVELOPER, VERTEX
from talking import Head, Talk, talk, text_reply

Event = dict[str, Any]

SOUND = base64.b64encode(b"\0\x10" * 4800).decode()
RESPONSES = Head(path="/v1/responses", query="")
LIVE = Head(path=DEVELOPER, query="")
CALL = ToolCall("get_weather", '{"city":"Paris"}', "call_1")


def answered(request: ChatRequest) -> Reply | ErrorReply:
    """By what was said last."""
    last = request.body["messages"][-1]
    if last["role"] == "tool":
        return text_reply("It is sunny.")
    content = last["content"]
    text = content if isinstance(content, str) else "a picture"
    return Reply((CALL,)) if "weather" in text else text_reply(f"You said {text}.")


@attrs.define
class Relayed:
    """A client's session that has come to a turn which only the provider can answer."""

    here: Talk
    there: Talk
    follower: Follower
    client: list[Event] = attrs.field(factory=list)
    """What came down."""
    passages: list[Passage] = attrs.field(factory=list)
    """Those that messages belonged to, in the order in which they began to be answered."""
    frames: dict[int, list[Event]] = attrs.field(factory=dict)
    """By identity, the messages of each."""
    _read: int = 0

    def begin(self) -> None:
        for message in self.follower.greeting():
            self.there.send(message)
        self.pump()
        assert self.follower.is_ready
        for passed in self.follower.retold():
            for each in passed.messages:
                self.there.send(each)
        self.pump()

    def send(self, event: Event) -> Passed:
        passed = self.follower.asked(json.dumps(event))
        for message in passed.messages:
            self.there.send(message)
        self.pump()
        return passed

    def pump(self) -> None:
        """What the provider has said comes down."""
        while self._read < len(self.there.events):
            self._read += 1
            self.hear(self.there.events[self._read - 1])

    def hear(self, event: Event | str) -> Passage | None:
        passed = self.follower.told(event if isinstance(event, str) else json.dumps(event))
        for message in passed.messages:
            self.client.append(json.loads(message))
        passage = passed.passage
        if passage is not None:
            if id(passage) not in self.frames:
                self.passages.append(passage)
            self.frames.setdefault(id(passage), []).append(self.client[-1])
        return passage

    def said(self, passage: Passage, protocol: Any) -> Reply:
        reply: Reply = protocol.said_in([json.dumps(event).encode() for event in self.frames[id(passage)]])
        return reply


def relayed(
    protocol: SocketProtocol, head: Head, before: Sequence[Event], local: Callable[[ChatRequest], Any], **options: Any
) -> Relayed:
    """After these messages of the client, of whose turns `local` answers those it does not give None for."""
    here = talk(protocol, head, is_recorded=True, **options)
    for event in before:
        here.send(event)
        while here.held and (reply := local(here.held[0].request)) is not None:
            here.say(here.held[0], reply)
    assert here.held, "nothing was missed"
    session: Any = here.session
    follower = session.follow(here.held, here.stamp())
    relay = Relayed(here, talk(protocol, head, answered, **options), follower)
    relay._read = len(relay.there.events) if protocol is openai_realtime else 0
    relay.begin()
    return relay


def nothing(request: ChatRequest) -> None:
    return None


# -- Realtime ----------------------------------------------------------------------------------------------------------


def message(text: str, role: str = "user") -> Event:
    kind = "output_text" if role == "assistant" else "input_text"
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
    return {"type": "conversation.item.create", "item": item}


CREATE: Event = {"type": "response.create"}
WRITTEN: Event = {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}


def first_two(request: ChatRequest) -> Reply | None:
    answers = sum(message["role"] == "assistant" for message in request.body["messages"])
    return text_reply("Answered here.") if answers < 2 else None


def test_realtime_is_retold_with_the_ids_that_the_client_knows() -> None:
    spoken = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": SOUND}]}
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
    relay = relayed(
        openai_realtime,
        Head(),
        [
            {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}},
            message("one"),
            CREATE,
            {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": 1.2}}}},
            {"type": "conversation.item.create", "item": spoken},
            {"type": "input_audio_buffer.append", "audio": SOUND},
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [picture]}},
            CREATE,
            message("three"),
            CREATE,
        ],
        first_two,
    )
    here: Any = relay.here.session
    there: Any = relay.there.session
    assert [item.id for item in there.conversation][:6] == [item.id for item in here.conversation][:6]
    request = relay.there.requests[0]
    assert request.body["messages"] == relay.here.requests[-1].body["messages"]
    assert request.body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert there._config["audio"]["output"]["speed"] == 1.2
    assert bytes(there._buffer) == base64.b64decode(SOUND)
    (passage,) = relay.passages
    assert passage.request is not None
    assert passage.request.body == relay.here.requests[-1].body
    assert (passage.is_over, passage.is_whole) == (True, True)
    assert relay.said(passage, openai_realtime).text == "You said three."
    assert relay.client[0]["type"] == "response.created", "all before it the client knows"


def test_realtime_goes_on_with_tools() -> None:
    relay = relayed(openai_realtime, Head(), [WRITTEN, message("what weather?"), CREATE], nothing)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    relay.send({"type": "conversation.item.create", "item": output})
    asked = relay.send(CREATE).passage
    assert relay.passages[1] is asked
    assert [relay.said(each, openai_realtime).parts for each in relay.passages] == [(CALL,), (Text("It is sunny."),)]
    assert [each.request and each.request.body["messages"][-1]["role"] for each in relay.passages] == ["user", "tool"]
    assert relay.said(relay.passages[0], openai_realtime).finish_reason == "tool_calls"
    assert [event["type"] for event in relay.client].count("conversation.item.added") == 3


def created(number: int) -> Event:
    return {"type": "response.created", "response": {"id": f"resp_{number}", "status": "in_progress", "output": []}}


def added(number: int, item: str) -> Event:
    told = {"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    return {"type": "response.output_item.added", "response_id": f"resp_{number}", "output_index": 0, "item": told}


def done(number: int, status: str = "completed", *output: Event) -> Event:
    return {"type": "response.done", "response": {"id": f"resp_{number}", "status": status, "output": [*output]}}


@pytest.fixture
def realtime() -> Relayed:
    """One whose provider has answered once, and says from now on what the test writes."""
    return relayed(openai_realtime, Head(), [WRITTEN, message("hello"), CREATE], nothing)


def test_responses_side_by_side_are_told_apart(realtime: Relayed) -> None:
    first = realtime.follower.asked(json.dumps(CREATE)).passage
    apart = {"type": "response.create", "response": {"conversation": "none", "input": [], "metadata": {"a": "b"}}}
    second = realtime.follower.asked(json.dumps(apart)).passage
    events = [created(1), created(2), added(2, "y"), added(1, "x"), {"type": "rate_limits.updated"}]
    passages = [realtime.hear(event) for event in events]
    assert passages == [first, second, second, first, None]
    text = {"type": "response.output_text.delta", "response_id": "resp_2", "item_id": "y", "delta": "."}
    placed = {"type": "conversation.item.added", "item": added(1, "x")["item"], "previous_item_id": None}
    assert [realtime.hear(event) for event in (text, placed)] == [second, first]
    assert [realtime.hear(done(2)), realtime.hear({"type": "rate_limits.updated"})] == [second, first]
    assert second is not None
    assert second.request is not None
    assert second.request.body["messages"] == []
    assert (second.is_over, first is not None and first.is_over) == (True, False)


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_response_that_is_cut_short_is_not_whole(realtime: Relayed, status: str) -> None:
    realtime.follower.asked(json.dumps(CREATE))
    realtime.hear(created(1))
    passage = realtime.hear(done(1, status))
    assert passage is not None
    assert (passage.is_over, passage.is_whole) == (True, False)


def test_an_error_in_place_of_a_response(realtime: Relayed) -> None:
    first = realtime.follower.asked(json.dumps(CREATE | {"event_id": "a"})).passage
    second = realtime.follower.asked(json.dumps(CREATE | {"event_id": "b"})).passage
    assert realtime.hear({"type": "error", "error": {"event_id": "b", "message": "no"}}) is second
    assert realtime.hear({"type": "error", "error": {"event_id": None, "message": "no"}}) is first
    assert realtime.hear({"type": "error", "error": {"message": "no"}}) is None
    assert first is not None
    assert (first.is_over, first.is_whole, first.request) == (True, False, None)


def test_a_response_that_the_provider_begins_by_its_own_ear(realtime: Relayed) -> None:
    heard = {"id": "heard", "type": "message", "role": "user", "status": "completed"}
    heard["content"] = [{"type": "input_audio", "transcript": "told sooner or later"}]  # type: ignore[assignment]
    for kind in ("added", "done"):
        assert realtime.hear({"type": f"conversation.item.{kind}", "item": heard, "previous_item_id": "nobody"}) is None
    passage = realtime.hear(created(1))
    assert passage is not None
    assert passage.request is not None
    assert passage.request.body["messages"][-1] == {"role": "user", "content": "[audio input]"}


def test_what_is_deleted_and_truncated_is_so_in_what_follows(realtime: Relayed) -> None:
    (first, *_) = [event["item"]["id"] for event in realtime.client if "item" in event]
    realtime.hear({"type": "conversation.item.deleted", "item_id": first})
    passage = realtime.hear(created(1))
    assert passage is not None
    assert passage.request is not None
    assert [each["content"] for each in passage.request.body["messages"]] == ["hello"]


@pytest.mark.parametrize(
    "event",
    [
        "no JSON",
        "[]",
        '{"type": 7}',
        '{"type": "response.done"}',
        '{"type": "response.created", "response": []}',
        '{"type": "conversation.item.added", "item": {"id": "x", "type": "message"}}',
        '{"type": "conversation.item.added", "item": {"type": "message"}}',
        '{"type": "response.output_item.added", "response_id": "resp_1", "item": null}',
    ],
)
def test_what_is_not_understood_passes_as_it_is(realtime: Relayed, event: str) -> None:
    follower = realtime.follower
    assert follower.asked(event).messages == (event,)
    assert follower.told(event).messages == (event,)
    passage = follower.told(json.dumps(created(2))).passage
    assert passage is not None
    assert follower.told(json.dumps(done(2))).passage is passage
    assert passage.is_whole


# -- Responses ---------------------------------------------------------------------------------------------------------


def asks(text: str, **more: Any) -> Event:
    return {"type": "response.create", "model": "gpt-5", "input": text, **more}


def test_responses_take_up_what_was_answered_here() -> None:
    def local(request: ChatRequest) -> Reply | None:
        text = request.body["messages"][-1]["content"]
        return text_reply("Answered here.", id="resp_here") if text == "one" else None

    before = [asks("one", stream_id="a"), asks("two", stream_id="a", previous_response_id="resp_here")]
    relay = relayed(openai_responses, RESPONSES, before, local)
    (first,) = relay.passages
    latest = relay.client[-1]["response"]["id"]
    relay.send(asks("three", previous_response_id=latest, stream_id="a"))
    relay.send(asks("four", previous_response_id="resp_here", stream_id="b"))
    unknown = relay.send(asks("five", previous_response_id="resp_of_last_week", store=False)).passage
    said = [
        [each["content"] for each in passage.request.body["messages"]] if passage.request else None
        for passage in relay.passages
    ]
    assert said == [
        ["one", "Answered here.", "two"],
        ["one", "Answered here.", "two", "You said two.", "three"],
        ["one", "Answered here.", "four"],
        None,
    ]
    assert first.request is not None
    assert first.request.body == relay.here.requests[-1].body
    assert [each.is_whole for each in relay.passages] == [True, True, True, False]
    assert unknown is relay.passages[-1], "an error in its place"
    assert relay.said(first, openai_responses).text == "You said two."


def test_responses_that_only_prepare_are_none_to_record() -> None:
    relay = relayed(openai_responses, RESPONSES, [asks("one")], nothing)
    assert relay.send(asks("warm up", generate=False)).passage is None
    prepared = relay.client[-1]["response"]["id"]
    relay.send(asks("two", previous_response_id=prepared))
    last = relay.passages[-1]
    assert len(relay.passages) == 2
    assert last.request is not None
    assert [each["content"] for each in last.request.body["messages"]] == ["warm up", "two"]


# -- Gemini Live -------------------------------------------------------------------------------------------------------


def setup(**more: Any) -> Event:
    return {"setup": {"model": "models/m", "generationConfig": {"responseModalities": ["TEXT"]}, **more}}


def says(text: str) -> Event:
    return {"clientContent": {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": True}}


def results(*ids: str, **more: Any) -> Event:
    told = [{"id": each, "name": "get_weather", "response": {"is": "sunny"}, **more} for each in ids]
    return {"toolResponse": {"functionResponses": told}}


def one_answer(request: ChatRequest) -> Reply | None:
    is_first = all(message["role"] != "assistant" for message in request.body["messages"])
    return text_reply("Answered here.") if is_first else None


@pytest.mark.parametrize("path", [DEVELOPER, VERTEX])
def test_live_is_retold_and_goes_on(path: str) -> None:
    head = Head(path=path, query="")
    relay = relayed(gemini_live, head, [setup(), says("one"), says("what weather?")], one_answer)
    assert relay.send(results("call_1")).passage is not None
    relay.send(says("bye"))
    assert [relay.said(each, gemini_live).parts for each in relay.passages] == [
        (CALL,),
        (Text("It is sunny."),),
        (Text("You said bye."),),
    ]
    shown = [each.request.body for each in relay.passages if each.request]
    assert [body["messages"] for body in shown] == [each.body["messages"] for each in relay.there.requests]
    assert [len(body["messages"]) for body in shown] == [3, 5, 7]
    assert all(each.is_whole for each in relay.passages)
    assert "setupComplete" not in relay.client[0], "that the client knows"


def test_live_is_told_a_handle_of_its_own() -> None:
    here = talk(gemini_live, LIVE, one_answer)
    here.send(setup(sessionResumption={}))
    here.send(says("one"))
    handle = here.events[-1]["sessionResumptionUpdate"]["newHandle"]
    session: Any = here.session
    again = talk(gemini_live, LIVE, memory=session.memory)
    again.send(setup(sessionResumption={"handle": handle, "transparent": True}))
    again.send(says("two"))
    follower = _follow(again)
    (greeting,) = follower.greeting()
    assert json.loads(greeting)["setup"]["sessionResumption"] == {"transparent": True}
    assert follower.told('{"setupComplete": {}}') == Passed()
    (passed,) = follower.retold()
    (content,) = passed.messages
    parts = [turn["parts"] for turn in json.loads(content)["clientContent"]["turns"]]
    assert parts == [[{"text": "one"}], [{"text": "Answered here."}], [{"text": "two"}]]


def _follow(talking: Talk) -> Follower:
    session: Any = talking.session
    followed: Followed = session
    return followed.follow(talking.held, talking.stamp())


@pytest.fixture
def live() -> Relayed:
    return relayed(gemini_live, LIVE, [setup(), says("hello")], nothing)


def told(**content: Any) -> Event:
    return {"serverContent": content}


def model(text: str) -> Event:
    return told(modelTurn={"parts": [{"text": text}]})


def test_an_answer_that_is_interrupted_is_not_whole(live: Relayed) -> None:
    first = live.follower.asked(json.dumps(says("go on"))).passage
    assert live.hear(model("Well")) is first
    second = live.follower.asked(json.dumps(says("stop"))).passage
    passages = [live.hear(event) for event in (told(interrupted=True), told(turnComplete=True), model("Yes"))]
    assert passages == [first, first, second]
    assert first is not None
    assert (first.is_over, first.is_whole) == (True, False)
    assert second is not None
    assert second.request is not None
    assert [each["content"] for each in second.request.body["messages"]][-3:] == ["go on", "Well", "stop"]


def test_what_is_told_beside_an_answer_is_none_of_it(live: Relayed) -> None:
    live.follower.asked(json.dumps(says("go on")))
    beside = [told(inputTranscription={"text": "hm"}), {"sessionResumptionUpdate": {}}, {"goAway": {}}, {}, told()]
    assert [live.hear(event) for event in beside] == [None] * 5
    passage = live.hear(model("Well"))
    assert [live.hear(event) for event in beside] == [None, None, None, None, passage]
    assert live.hear({"usageMetadata": {"totalTokenCount": 3}}) is passage


def test_an_answer_that_never_comes_is_over_too(live: Relayed) -> None:
    asked = live.follower.asked(json.dumps(says("go on"))).passage
    assert live.hear(told(turnComplete=True)) is asked
    assert asked is not None
    assert (asked.is_over, asked.is_whole) == (True, False)
    assert live.hear(told(turnComplete=True)) is None


def test_the_results_of_several_calls_are_waited_for(live: Relayed) -> None:
    calls = [{"id": each, "name": "get_weather", "args": {}} for each in ("a", "b")]
    live.hear({"toolCall": {"functionCalls": calls}})
    assert live.follower.asked(json.dumps(results("a"))).passage is None
    assert live.follower.asked(json.dumps(results("b", scheduling="SILENT"))).passage is None
    assert live.follower.asked(json.dumps(results("b"))).passage is not None


def test_what_was_spoken_is_retold_as_it_came() -> None:
    blob = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(b"\0\x20\0\xe0" * 4000).decode()}
    quiet = blob | {"data": base64.b64encode(bytes(32000)).decode()}
    before = [{"realtimeInput": {"audio": blob}}, {"realtimeInput": {"audio": quiet}}]
    relay = relayed(gemini_live, LIVE, [setup(), says("one"), *before], one_answer, hears=True)
    (passage,) = relay.passages
    assert passage.request is not None
    assert passage.request.body["messages"][-1] == {"role": "user", "content": "[audio input]"}
    assert passage.request.body["messages"] == relay.there.requests[-1].body["messages"]
    follower = relay.follower
    assert follower.asked(json.dumps(before[0])).passage is None, "it is the service that hears its end"
    assert relay.hear(model("I hear")) is relay.passages[1]
    assert relay.passages[1].request is not None
    assert relay.passages[1].request.body["messages"][-1] == {"role": "user", "content": "[audio input]"}
