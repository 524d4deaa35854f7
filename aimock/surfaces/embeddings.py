"""Embeddings over HTTP: the pipeline of the chat, but that a miss is no error, for every text has a vector."""

from __future__ import annotations

from collections.abc import Hashable

import attrs

from aimock.exchange import Exchange
from aimock.fixtures import Found, Missed, Question, Response
from aimock.fixtures.fixture import Fixture
from aimock.net.exchange import Answer, Whole
from aimock.surfaces.llm import Asked, LLMSurface
from aimock_protocols.canonical import ErrorReply, Reply, Vectors

_FOLLOWS_FROM_TEXT = "follows from the text"
"""What such vectors are kept by: the shape of the request has the texts."""


@attrs.frozen
class FoundEach(Found):
    """Fixtures for the texts of one request, of which the first stands for all."""

    fixtures: tuple[Fixture | None, ...] = ()
    """That of each text, in order; None: its vector follows from it."""


class EmbeddingSurface(LLMSurface):
    """Answers one protocol's embedding requests, once they are decoded."""

    def _match(self, exchange: Exchange, asked: Asked) -> tuple[Asked, Found | Missed]:
        """The fixture that answers for all texts together; or, where there is none, or it is that of one text and
        another text has another, a fixture for each text that has one. Strict servers want one for each then.

        One request is one step in a sequence, however many of its texts a fixture is for.
        """
        texts = _texts(asked)
        if len(texts) == 1:
            return super()._match(exchange, asked)
        found = self._find(exchange, asked.question)
        questions = [self._question(exchange, asked, text) for text in texts]
        alone = [self._find(exchange, question) for question in questions]
        fixtures = tuple([each.fixture if isinstance(each, Found) else None for each in alone])
        own = [fixture for fixture in dict.fromkeys(fixtures) if fixture is not None]
        if own if isinstance(found, Missed) else found.fixture in own and len(own) > 1:
            if exchange.strict and None in fixtures:
                place = fixtures.index(None)
                return asked._replace(question=questions[place]), alone[place]
            return asked, self._served_together(exchange, asked, fixtures, own)
        if isinstance(found, Found):
            self._count(exchange, asked, found.fixture)
        return asked, found

    def _served_together(
        self, exchange: Exchange, asked: Asked, fixtures: tuple[Fixture | None, ...], own: list[Fixture]
    ) -> Found:
        """One that has no vector (an error, a function) answers for all: a request fails as a whole."""
        for fixture in own:
            if fixture.response.vectors is None:
                self._count(exchange, asked, fixture)
                return Found(fixture)
        for fixture in own:
            self._count(exchange, asked, fixture)
        return FoundEach(own[0], fixtures=fixtures)

    def _count(self, exchange: Exchange, asked: Asked, fixture: Fixture) -> None:
        exchange.state.book.count(fixture, asked.question, exchange.state.counters)

    def _question(self, exchange: Exchange, asked: Asked, text: str) -> Question:
        """The request as if this were its only text."""
        chat = attrs.evolve(asked.chat, body={**asked.chat.body, "input": [text]})
        return self._questioning(exchange, chat)

    def _serve(self, exchange: Exchange, asked: Asked, found: Found | Missed) -> Answer:
        if not isinstance(found, FoundEach):
            return super()._serve(exchange, asked, found)
        vectors = [None if fixture is None else _given(fixture.response, 1).values[0] for fixture in found.fixtures]
        return self._whole(exchange, asked, found.fixture, Vectors(tuple(vectors)), found.fixtures)

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        if response.vectors is None:
            message = "Fixture response did not match any known embedding type"
            return self._error(exchange, ErrorReply(message, "server_error"), fixture)
        vectors = _given(response, len(_texts(asked)))
        return self._whole(exchange, asked, fixture, vectors, fixture if response is fixture.response else None)

    def _whole(
        self, exchange: Exchange, asked: Asked, fixture: Fixture | None, reply: Reply | Vectors, source: Hashable
    ) -> Whole:
        if isinstance(reply, Vectors):
            reply = attrs.evolve(reply, manner=exchange.state.settings.embeddings)
        return super()._whole(exchange, asked, fixture, reply, source)

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Answer:
        if exchange.strict:
            return super()._miss(exchange, asked, missed)
        relayed = self._relayed(exchange, asked)
        if relayed is not None:
            return relayed
        vectors = Vectors((None,) * len(_texts(asked)))
        return self._whole(exchange, asked, None, vectors, _FOLLOWS_FROM_TEXT)


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
