"""Requests that ask for several answers at once, each of which may have a fixture of its own."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import attrs

from aimock.exchange import Exchange
from aimock.fixtures import Found, Missed, Response
from aimock.fixtures.fixture import Fixture
from aimock.surfaces.llm import Asked, LLMSurface
from aimock_protocols.canonical import ChatRequest


@attrs.frozen
class FoundEach(Found):
    """Fixtures for the parts of one request, of which the first stands for all."""

    fixtures: tuple[Fixture | None, ...] = ()
    """That of each part, in order; None: it has none."""


class SeveralSurface(LLMSurface):
    """Answers requests whose parts are matched each by itself, where none is for all of them together."""

    @abc.abstractmethod
    def _parts(self, asked: Asked) -> Sequence[ChatRequest]:
        """The request as if it asked for one answer alone, for each of them."""

    @abc.abstractmethod
    def _answers_for_all(self, found: Found, own: Sequence[Fixture]) -> bool:
        """Whether what matches the request as a whole answers it, where these match parts of it."""

    @abc.abstractmethod
    def _has_part(self, response: Response) -> bool:
        """Whether it is an answer for one part, and not (an error, a function) for the whole request."""

    def _match(self, exchange: Exchange, asked: Asked) -> tuple[Asked, Found | Missed]:
        """The fixture that answers for all parts together, or a fixture for each part that has one. Strict servers want
        one for each then.

        One request is one step in a sequence, however many of its parts a fixture is for.
        """
        parts = self._parts(asked)
        if len(parts) == 1:
            return super()._match(exchange, asked)
        found = self._find(exchange, asked.question)
        questions = [self._questioning(exchange, part) for part in parts]
        alone = [self._find(exchange, question) for question in questions]
        fixtures = tuple([each.fixture if isinstance(each, Found) else None for each in alone])
        own = [fixture for fixture in dict.fromkeys(fixtures) if fixture is not None]
        if own and not (isinstance(found, Found) and self._answers_for_all(found, own)):
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
        """One that is no answer for a part answers for all: a request fails as a whole."""
        for fixture in own:
            if not self._has_part(fixture.response):
                self._count(exchange, asked, fixture)
                return Found(fixture)
        for fixture in own:
            self._count(exchange, asked, fixture)
        return FoundEach(own[0], fixtures=fixtures)

    def _count(self, exchange: Exchange, asked: Asked, fixture: Fixture) -> None:
        exchange.state.book.count(fixture, asked.question, exchange.state.counters)
