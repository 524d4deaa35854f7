"""`parse(encode(r)) == r` for all results, by every protocol of services."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock.fixtures.rules import check_response
from aimock_protocols.canonical import Head, Results, Stamp, WireProtocol
from aimock_protocols.members import member
from aimock_protocols.registry import PROTOCOLS, service_protocols
from aimock_protocols.services import ASKED_WITH, texts_of
from protocol_cases import SERVICES

every_protocol = pytest.mark.parametrize("protocol", service_protocols(), ids=lambda protocol: protocol.name)
SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_every_protocol_says_what_it_can_express() -> None:
    assert {protocol.name for protocol in service_protocols()} == set(SERVICES)
    assert {case.endpoint for case in SERVICES.values()} <= set(ASKED_WITH)


@every_protocol
@SETTINGS
@given(data=st.data())
def test_results_come_back(protocol: WireProtocol, head: Head, stamp: Stamp, data: st.DataObject) -> None:
    case = SERVICES[protocol.name]
    results = Results(data.draw(case.said))
    request = protocol.decode(head, case.params, orjson.dumps(case.asks()[1]))
    assert (request.endpoint, texts_of(request.endpoint, request.body)) == (case.endpoint, ["hello"])
    assert protocol.parse(protocol.encode(results, protocol.shape(request), stamp)) == results


@every_protocol
def test_nothing_said_is_an_answer(protocol: WireProtocol, head: Head, stamp: Stamp) -> None:
    case = SERVICES[protocol.name]
    shape = protocol.shape(protocol.decode(head, case.params, orjson.dumps(case.asks()[1])))
    body = protocol.encode(Results(), shape, stamp)
    assert protocol.encode(Results(), shape, stamp) == body
    assert isinstance(orjson.loads(body), dict)
    assert isinstance(protocol.parse(body), Results)


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1.5, "", "text", "https://a.org/", "[", "//[", [], [5], {}]
)
OBJECTS = st.dictionaries(st.sampled_from(["url", "title", "score", "favicon", "raw_content", "images"]), VALUES)
SAID = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("results", "images"), st.lists(VALUES | OBJECTS, max_size=3)),
        **dict.fromkeys(("failed_results", "sources"), st.lists(OBJECTS, max_size=3)),
        **dict.fromkeys(("categories", "category_scores"), OBJECTS),
        **dict.fromkeys(("content", "request_id", "created_at", "usage", "response_time", "other"), VALUES),
        "answer": st.none() | st.text(),
        "flagged": st.booleans(),
    },
)


@every_protocol
@SETTINGS
@given(said=SAID)
def test_whatever_a_fixture_may_say_is_said(protocol: Any, head: Head, stamp: Stamp, said: dict[str, Any]) -> None:
    assert list(check_response(said, for_services=True)) == []
    case = SERVICES[protocol.name]
    shape = protocol.shape(protocol.decode(head, case.params, orjson.dumps(case.asks()[1])))
    assert orjson.loads(protocol.encode(Results((said,)), shape, stamp))
    if member(protocol, "frames") is not None:
        assert b"".join(frame.data for frame in protocol.frames(Results((said,)), shape, stamp, 3))


def test_the_journal_knows_every_service() -> None:
    assert all(each.service for each in PROTOCOLS if each.name in SERVICES)
