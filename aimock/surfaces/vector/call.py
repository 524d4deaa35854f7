"""One request to a vector database on its way through a dialect."""

from __future__ import annotations

import functools
import logging
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs
import orjson
import trio

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.journal import MAX_BODY_BYTES, truncated
from aimock.net.exchange import Answer, Headers, Outcome, Task, Whole
from aimock.surfaces.vector.dialect import Dialect
from aimock.surfaces.vector.script import Asked, Failure, Scripted
from aimock_protocols.canonical import ErrorReply, WireError, WireResponse

if TYPE_CHECKING:
    from aimock.surfaces.vector.service import VectorService
    from aimock.surfaces.vector.store import Collection, Store

AT_ONCE = 0.002
"""Seconds of work for which streams may be kept waiting."""

_JSON: Headers = (("content-type", "application/json"), *CORS)

_UNREAD = object()

logger = logging.getLogger("aimock")

T = TypeVar("T")


class Prearranged(Exception):
    """A request that is to fail, in words that were told."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


@attrs.define(eq=False)
class Call:
    """A request, and how it is answered."""

    service: VectorService
    exchange: Exchange
    dialect: Dialect
    operation: str
    params: Mapping[str, str]
    """What the route's template found in the path, percent-decoded."""
    _body: Any = _UNREAD
    _about: Collection | None = None

    # -- what was asked --------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        return self.service.store

    @property
    def query(self) -> dict[str, list[str]]:
        """The query string, keys without a value included."""
        return urllib.parse.parse_qs(self.exchange.head.query, keep_blank_values=True)

    def body(self) -> Any:
        """The body as JSON. Raises WireError if it is none; an empty one is taken for an empty object."""
        if self._body is _UNREAD:
            try:
                self._body = orjson.loads(self.exchange.request.body or b"{}")
            except orjson.JSONDecodeError as error:
                raise WireError(ErrorReply(f"Malformed JSON: {error}", "malformed", status=400)) from error
        return self._body

    def url(self, path: str) -> str:
        """Of a path inside the mount, as the client reaches it."""
        return f"{self.exchange.origin}{self.service.path}{path}"

    def collection(self, name: str, scope: str = "") -> Collection | None:
        """The collection that the dialect sees under a name. Raises as `about` does."""
        return self.about(self.store.named(self.dialect.name, name, scope))

    def collection_with_id(self, id: str) -> Collection | None:
        """The same by its id."""
        return self.about(self.store.with_id(self.dialect.name, id))

    def about(self, collection: Collection | None) -> Collection | None:
        """Every handler says by this, or the two above, which collection the request is about: the first one counts,
        and may have been told that such a request fails. Raises Prearranged, or WireError."""
        if self._about is None and collection is not None:
            self._about = collection
            if collection.script is not None:
                failure = collection.script.failure(self.operation, self._test_id)
                if failure is not None:
                    self._fail_as(failure)
        return collection

    def scripted(self, collection: Collection, asked: Asked) -> list[Scripted] | None:
        """The results that were told for a query of the collection, cut to what it asks for; None: the store is to
        find them. Raises WireError if a function tells them that fails."""
        if collection.script is None:
            return None
        try:
            return collection.script.answer(asked, self._test_id)
        except Exception as error:
            logger.exception("the results of a query of %r were not told", collection.name)
            message = f"Query handler threw: {error}"
            raise WireError(ErrorReply(message, "server_error", status=500)) from error

    def is_ready(self, collection: Collection) -> bool:
        """What a client is to be told that waits for the collection; asked once for each time that it is told."""
        return collection.script is None or collection.script.is_ready(self._test_id)

    @property
    def _test_id(self) -> str:
        return self.exchange.steering.test_id

    def _fail_as(self, failure: Failure) -> NoReturn:
        if failure.body is None or isinstance(failure.body, str):
            message = failure.body or "Injected error"
            raise WireError(ErrorReply(message, "server_error", status=failure.status))
        raise Prearranged(failure)

    # -- answers ---------------------------------------------------------------------------------------------------

    def reply(self, status: int, body: Any, headers: Headers = ()) -> Whole:
        """A JSON answer, journaled and counted. Once for each call."""
        content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        return self.respond(WireResponse(status, (*_JSON, *headers), content))

    def respond(self, response: WireResponse) -> Whole:
        """The same for an answer that is bytes already, with all its headers."""
        labels = {"operation": self.operation, "provider": self.dialect.provider or self.dialect.name}
        entry = self.service.noted(self.exchange, response.status, labels, self._seen())
        fresh = self.exchange.fresh_headers
        return Whole(response.status, response.headers, response.body, fresh, on_end=entry.ended)

    def fail(self, error: ErrorReply) -> Whole:
        """An error in the provider's words, journaled and counted."""
        return self.respond(self.dialect.error(self, error))

    def computed(self, cost: float, work: Callable[[], T], then: Callable[[T], Answer]) -> Answer:
        """What `then` makes of what `work` gives. Work that would keep streams waiting is done in a thread, where it
        may read snapshots but nothing else. `cost`: about how many seconds of one core it takes."""
        if cost <= AT_ONCE:
            return then(work())

        async def run() -> Answer:
            try:
                result = await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self.service.threads)
                return then(result)
            except WireError as error:
                return self.fail(error.reply)

        return Task(run)

    def answered(self, handle: Callable[[Call], Answer]) -> Answer:
        """What a handler answers, or the refusal that it raises; late, if that was told of the collection."""
        try:
            answer = handle(self)
        except WireError as error:
            answer = self.fail(error.reply)
        except Prearranged as error:
            answer = self.reply(error.failure.status, error.failure.body)
        script = None if self._about is None else self._about.script
        if script is None or not script.delay:
            return answer
        return Task(functools.partial(_late, answer, script.delay / self.exchange.state.settings.replay_speed))

    def _seen(self) -> Any:
        """The body as the journal has it; what is larger than it keeps need not be written for that once more."""
        raw = self.exchange.request.body
        if len(raw) > MAX_BODY_BYTES:
            return truncated(len(raw))
        if not raw:
            return None
        try:
            return self.body()
        except WireError:
            return {"body": raw.decode("utf-8", "replace")}


async def _late(answer: Answer, delay: float) -> Answer:
    """The journal may have it already, and must hear of a client that leaves while it waits."""
    try:
        await trio.sleep(delay)
    except trio.Cancelled:
        if isinstance(answer, Whole) and answer.on_end is not None:
            answer.on_end(Outcome.CLIENT_LEFT)
        raise
    return answer
