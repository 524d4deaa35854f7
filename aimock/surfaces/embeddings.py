"""Embeddings over HTTP: the pipeline of the chat, but that a miss is no error, for every text has a vector."""

from __future__ import annotations

import attrs

from aimock.exchange import Exchange
from aimock.fixtures import Found, Missed, Response
from aimock.fixtures.fixture import Fixture
from aimock.net.exchange import Answer
from aimock.surfaces.llm import Asked, LLMSurface
from aimock_protocols.canonical import ErrorReply, Vectors

_FOLLOWS_FROM_TEXT = "follows from the text"
"""What such vectors are kept by: the shape of the request has the texts."""


class EmbeddingSurface(LLMSurface):
    """Answers one protocol's embedding requests, once they are decoded."""

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        if response.vector is None:
            message = "Fixture response did not match any known embedding type"
            return self._error(exchange, ErrorReply(message, "server_error"), fixture)
        vectors = Vectors((response.vector,) * len(_texts(asked)))
        return self._whole(exchange, asked, fixture, vectors, None if response is not fixture.response else fixture)

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Answer:
        """No fixture is for all the texts together. Each may have its own; those that have none get the vector that
        follows from them, but in strict mode."""
        vectors: list[tuple[float, ...] | None] = []
        only = None
        texts = _texts(asked)
        for text in texts if len(texts) > 1 else ():
            found = self._match_one(exchange, asked, text)
            if isinstance(found, Missed):
                vectors.append(None)
                continue
            only = found.fixture
            if found.fixture.response.vector is None:
                return self._respond(exchange, asked, found.fixture, found.fixture.response)
            vectors.append(found.fixture.response.vector)
        vectors = vectors or [None] * len(texts)
        if exchange.strict and None in vectors:
            return super()._miss(exchange, asked, missed)
        source = _FOLLOWS_FROM_TEXT if only is None else None
        return self._whole(exchange, asked, only, Vectors(tuple(vectors)), source)

    def _match_one(self, exchange: Exchange, asked: Asked, text: str) -> Found | Missed:
        chat = attrs.evolve(asked.chat, body={**asked.chat.body, "input": [text]})
        return self._match(exchange.state, self._asking(exchange, chat))[1]


def _texts(asked: Asked) -> list[str]:
    texts: list[str] = asked.chat.body["input"]
    return texts
