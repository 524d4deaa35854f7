"""Services beside the models (search, rerank, moderation, …) over HTTP: the pipeline of the chat, but that what nobody
has scripted finds nothing, which is no error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import cast

import trio

from aimock.exchange import Exchange
from aimock.fixtures import Fixture, Found, Match, Missed, Response
from aimock.fixtures.response import Kind
from aimock.net.exchange import Answer, Task, Whole
from aimock.physics import Surroundings, schedule
from aimock.randomness import uniforms
from aimock.surfaces.llm import Asked
from aimock.surfaces.pipeline import source_of
from aimock.surfaces.several import FoundEach, SeveralSurface
from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, FrameKind, LeavingOut, Results, Separating
from aimock_protocols.members import member

logger = logging.getLogger("aimock")

_NOTHING = Fixture(Match(), Response(Kind.RESULTS, frozenset({Kind.RESULTS}), results=Results()))
"""What answers where no fixture does."""
_ALL_OF_IT = (Frame(b"", FrameKind.TOKEN),)
"""To physics an answer that is not streamed is one frame."""


class ServiceSurface(SeveralSurface):
    """Answers one service's requests, once they are decoded."""

    def _settle(self, exchange: Exchange, asked: Asked) -> Answer | None:
        """Quotas are those of models."""
        return None

    def _parts(self, asked: Asked) -> Sequence[ChatRequest]:
        if member(self._protocol, "separated") is None:
            return (asked.chat,)
        return cast(Separating, self._protocol).separated(asked.chat)

    def _answers_for_all(self, found: Found, own: Sequence[Fixture]) -> bool:
        """What was recorded for just these; else each is judged by itself."""
        return found.fixture.match.exact

    def _has_part(self, response: Response) -> bool:
        return response.results is not None

    def _serve(self, exchange: Exchange, asked: Asked, found: Found | Missed) -> Answer:
        if not isinstance(found, FoundEach):
            return super()._serve(exchange, asked, found)
        said = [{} if fixture is None else _said(fixture.response).said[0] for fixture in found.fixtures]
        results = Results(tuple(said))
        return self._in_time(
            exchange, asked, found.fixture, lambda: self._whole(exchange, asked, found.fixture, results, found.fixtures)
        )

    def _say(self, exchange: Exchange, asked: Asked, fixture: Fixture, response: Response) -> Answer:
        if response.results is None:
            message = f"Fixture response of kind {response.kind} is no answer of {asked.chat.endpoint}"
            return self._error(exchange, ErrorReply(message, "server_error"), fixture)
        results = response.results
        self._warn(asked, fixture, results)
        self._remember(exchange, asked, fixture, results)
        if asked.chat.stream:
            return self._played(exchange, asked, fixture, results, exchange.record(200, _known(fixture)))
        source = source_of(fixture, results)
        return self._in_time(
            exchange, asked, fixture, lambda: self._whole(exchange, asked, _known(fixture), results, source)
        )

    def _warn(self, asked: Asked, fixture: Fixture, results: Results) -> None:
        if member(self._protocol, "left_out") is not None:
            for left_out in cast(LeavingOut, self._protocol).left_out(results, asked.form.shape):
                logger.warning("%s: %s", fixture.origin, left_out)

    def _in_time(self, exchange: Exchange, asked: Asked, fixture: Fixture, answer: Callable[[], Whole]) -> Answer:
        """The answer, when its fixture or the server says that it is due. A client that leaves meanwhile is neither
        served nor journaled."""
        tempo = exchange.state.settings.tempo
        if tempo.is_instant(fixture):
            return answer()
        around = Surroundings(
            uniforms(exchange.stamp.entropy, "jitter"),
            lambda: asked.question.prompt_tokens,
            lambda: exchange.state.streams,
        )
        ((delay, _),) = schedule(_ALL_OF_IT, tempo.pace_of(fixture), around)

        async def wait() -> Answer:
            await trio.sleep(delay)
            return answer()

        return Task(wait) if delay else answer()

    def _miss(self, exchange: Exchange, asked: Asked, missed: Missed) -> Answer:
        if exchange.strict:
            return super()._miss(exchange, asked, missed)
        relayed = None if _is_asked_after(asked) else self._relayed(exchange, asked)
        return self._say(exchange, asked, _NOTHING, _NOTHING.response) if relayed is None else relayed


def _is_asked_after(asked: Asked) -> bool:
    """Whether the answer only begins something that later requests are for: those would not find it here."""
    return asked.chat.remembers and not asked.chat.stream


def _said(response: Response) -> Results:
    assert response.results is not None, "only fixtures with results answer with results"
    return response.results


def _known(fixture: Fixture) -> Fixture | None:
    """The fixture, unless it stands for none."""
    return None if fixture is _NOTHING else fixture
