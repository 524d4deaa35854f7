"""A server that is alive and not ready yet: its fixtures are still being read.

Reading ten thousand fixtures takes a second, and even importing what reads them takes a while. Liveness probes are
answered meanwhile, readiness is denied, and every other request waits its turn: nobody is turned away.
"""

from __future__ import annotations

import functools

import trio

from aimock.cors import CORS
from aimock.net.exchange import Answer, Handler, Head, Headers, Refusal, Request, Task, Whole

_JSON: Headers = (("content-type", "application/json"), *CORS)

_PROBES = {
    "/health": Whole(200, _JSON, b'{"status":"ok"}'),
    "/ready": Whole(503, (*_JSON, ("retry-after", "1")), b'{"status":"loading"}'),
}


class Opening:
    """The handler of a server until `open` gives it the one that it is to have."""

    def __init__(self) -> None:
        self._handler: Handler | None = None
        self._opened = trio.Event()

    def open(self, handler: Handler) -> None:
        """From now on, `handler` answers: those who wait, and whoever comes."""
        self._handler = handler
        self._opened.set()

    def answer(self, request: Request) -> Answer:
        if self._handler is not None:
            return self._handler.answer(request)
        probe = _PROBES.get(request.head.path) if request.head.method in ("GET", "HEAD") else None
        return probe if probe is not None else Task(functools.partial(self._answer_when_open, request))

    async def _answer_when_open(self, request: Request) -> Answer:
        await self._opened.wait()
        return self.answer(request)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        if self._handler is not None:
            return self._handler.refuse(head, refusal)
        return Whole(refusal.status, _JSON, b'{"error":{"message":"Malformed request","type":"invalid_request_error"}}')
