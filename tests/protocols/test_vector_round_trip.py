"""`parse(encode(v)) == v` for all vectors, by every protocol of embeddings."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols.canonical import Head, Stamp, Vectors, WireProtocol
from aimock_protocols.embedding import normalised, vector_of
from aimock_protocols.registry import embedding_protocols
from aimock_protocols.semantic import semantic_vector_of
from protocol_cases import EMBEDDINGS

every_protocol = pytest.mark.parametrize("protocol", embedding_protocols(), ids=lambda protocol: protocol.name)
SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_every_protocol_says_what_it_can_express() -> None:
    assert {protocol.name for protocol in embedding_protocols()} == set(EMBEDDINGS)


@every_protocol
@SETTINGS
@given(data=st.data())
def test_vectors_come_back(protocol: WireProtocol, head: Head, stamp: Stamp, data: st.DataObject) -> None:
    case = EMBEDDINGS[protocol.name]
    vectors = data.draw(case.vectors)
    request = protocol.decode(head, case.params, orjson.dumps(case.asks()[1]))
    assert (request.endpoint, request.body["input"]) == ("embedding", [*case.texts])
    assert protocol.parse(protocol.encode(vectors, protocol.shape(request), stamp)) == vectors


@every_protocol
def test_every_text_has_a_vector(protocol: WireProtocol, head: Head, stamp: Stamp) -> None:
    """core-fixtures 5.5: bit for bit that which follows from it."""
    case = EMBEDDINGS[protocol.name]
    request = protocol.decode(head, case.params, orjson.dumps(case.asks()[1]))
    body = protocol.encode(Vectors((None,) * len(case.texts)), protocol.shape(request), stamp)
    for told, text in zip(case.floats(orjson.loads(body)), case.texts, strict=True):
        follows = vector_of(text, len(told))
        assert tuple(told) == (normalised(follows) if case.normalises else follows)


@every_protocol
def test_related_texts_have_near_vectors_if_that_is_the_manner(
    protocol: WireProtocol, head: Head, stamp: Stamp
) -> None:
    case = EMBEDDINGS[protocol.name]
    request = protocol.decode(head, case.params, orjson.dumps(case.asks()[1]))
    vectors = Vectors((None,) * len(case.texts), manner="semantic")
    body = protocol.encode(vectors, protocol.shape(request), stamp)
    for told, text in zip(case.floats(orjson.loads(body)), case.texts, strict=True):
        assert told == pytest.approx(semantic_vector_of(text, len(told)))
