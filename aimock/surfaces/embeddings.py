"""Embeddings over HTTP: the pipeline of the chat, but that a miss is no error, for every text has a vector."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import attrs

from aimock.exchange import Exchange
from aimock.fixtures import Found, Missed, Response
from aimock.fixtures.fixture import Fixture
from aimock.net.exchange import Answer, Whole
from aimock.surfaces.llm import Asked
from aimock.surfaces.several import FoundEach, SeveralSurface
from aimock_protocols.canonical import ChatRequest, ErrorReply, Vectors

_FOLLOWS_FROM_TEXT = "follows from the text"
"""What such vectors are kept by: the shape of the request has the texts."""


class EmbeddingSurface(SeveralSurface):
    """Answers one protocol's embedding requests, once they are decoded."""

    def _parts(self, asked: Asked) -> list[ChatRequest]:
        chat = asked.chat
        return [attrs.evolve(chat, body={**chat.body, "input": [text]}) for text in _texts(asked)]

    def _answers_for_all(self, found: Found, own: Sequence[Fixture]) -> bool:
        """Unless it is that of one text, and another text has another."""
        return found.fixture not in own or len(own) == 1

    def _has_part(self, response: Response) -> bool:
        return response.vectors is not None

    def _serve(self, exchange: Exchange, asked: Asked, found: Found | Missed) -> Answer:
        if not isinstance(found, FoundEach):
            return super()._serve(exchange, asked, found)
        vectors = [None if fixture is None else _given(fixture.response, 1).values[0] for fixture in found.fixtures]
        return self._told(exchange, asked, found.fixture, Vectors(tuple(vectors)), found.fixtures)

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        if response.vectors is None:
            message = "Fixture response did not match any known embedding type"
            return self._error(exchange, ErrorReply(message, "server_error"), fixture)
        vectors = _given(response, len(_texts(asked)))
        return self._told(exchange, asked, fixture, vectors, fixture if response is fixture.response else None)

    def _told(
        self, exchange: Exchange, asked: Asked, fixture: Fixture | None, vectors: Vectors, source: Hashable
    ) -> Whole:
        vectors = attrs.evolve(vectors, manner=exchange.state.settings.embeddings)
        return self._whole(exchange, asked, fixture, vectors, source)

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Answer:
        if exchange.strict:
            return super()._miss(exchange, asked, missed)
        relayed = self._relayed(exchange, asked)
        if relayed is not None:
            return relayed
        vectors = Vectors((None,) * len(_texts(asked)))
        return self._told(exchange, asked, None, vectors, _FOLLOWS_FROM_TEXT)


def _given(response: Response, texts: int) -> Vectors:
    """The vectors of a response for so many texts: one for each, or one for all of them. Where it has none for a text,
    its vector follows from it."""
    vectors = response.vectors
    assert vectors is not None, "only fixtures with vectors answer with vectors"
    values = vectors.values
    if response.raw is not None and "embedding" in response.raw:
        return attrs.evolve(vectors, values=values * texts)
    return attrs.evolve(vectors, values=(*values, *(None,) * texts)[:texts])


def _texts(asked: Asked) -> list[str]:
    texts: list[str] = asked.chat.body["input"]
    return texts
