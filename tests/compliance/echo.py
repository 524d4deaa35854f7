"""An echo behind the server's own loop, for the Autobahn TestSuite: `python echo.py` prints its port and serves."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from aimock.net.dialogue import Send, Step
from aimock.net.exchange import Answer, Head, Outcome, Refusal, Request, Upgrade, Whole
from aimock.net.listen import open_listeners
from aimock.net.server import HTTPServer


class Echo:
    """Sends every message back as it came."""

    def opened(self) -> Iterable[Step]:
        return ()

    def received(self, message: str | bytes) -> Iterable[Step]:
        if isinstance(message, str):
            return (Send(message.encode(), is_binary=False),)
        return (Send(message, is_binary=True),)

    def ended(self, outcome: Outcome) -> None:
        pass


class Echoing:
    """The handler of a server with nothing else."""

    def answer(self, request: Request) -> Answer:
        return Upgrade(Echo)

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        return Whole(refusal.status, (), refusal.message.encode())


async def main() -> None:
    listeners = open_listeners("127.0.0.1", 0)
    print(listeners[0].getsockname()[1], flush=True)
    await HTTPServer(Echoing()).serve(listeners)


if __name__ == "__main__":
    trio.run(main)
