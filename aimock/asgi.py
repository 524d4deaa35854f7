"""aimock as an ASGI application, for servers that run Trio:

    AIMOCK_OPTIONS="--fixtures ./fixtures --strict" hypercorn -k trio aimock.asgi:app

`AIMOCK_OPTIONS` has the flags of the command line. What they or a config file say of address, HTTP/2 and TLS is not
heeded: that is for the server to say.
"""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import sniffio
import trio

from aimock import chosen, logs
from aimock.app import App
from aimock.config import ConfigError, Failure
from aimock.net.asgi import Application, Receive, Scope, Send
from aimock.net.limits import Limits
from aimock.state import State

OPTIONS = "AIMOCK_OPTIONS"

_NEEDS_TRIO = "aimock needs an ASGI server that runs Trio, such as `hypercorn -k trio aimock.asgi:app`"


class Built(NamedTuple):
    """What an application answers with, and what it does meanwhile."""

    application: Application
    live: Callable[[], Awaitable[None]]
    """Runs from the server's start to its end, if the server tells of them."""


class ASGIApp:
    """An application that is built when the server starts; or when its first request comes, if the server tells
    nothing of its start."""

    def __init__(self, build: Callable[[], Awaitable[Built]]) -> None:
        """`build` may raise Failure or ConfigError."""
        self._build = build
        self._building = trio.Lock()
        self._built: Built | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises RuntimeError where Trio does not run."""
        runs_trio = sniffio.current_async_library() == "trio"
        if scope["type"] == "lifespan":
            await receive()  # lifespan.startup
            if runs_trio:
                await self._live(receive, send)
            else:
                await send({"type": "lifespan.startup.failed", "message": _NEEDS_TRIO})
        elif runs_trio:
            built = await self._ready()
            await built.application(scope, receive, send)
        else:
            raise RuntimeError(_NEEDS_TRIO)

    async def _live(self, receive: Receive, send: Send) -> None:
        try:
            built = await self._ready()
        except (Failure, ConfigError) as failure:
            await send({"type": "lifespan.startup.failed", "message": str(failure)})
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(built.live)
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
            nursery.cancel_scope.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _ready(self) -> Built:
        async with self._building:
            if self._built is None:
                self._built = await self._build()
            return self._built


def asgi_app(*options: str) -> ASGIApp:
    """An application with the options of the command line: `asgi_app("--fixtures", "./fixtures", "--strict")`."""
    return ASGIApp(functools.partial(_build, options))


def app_of(state: State, limits: Limits | None, live: Callable[[], Awaitable[None]]) -> ASGIApp:
    """An application that answers from a state that there is. `live` is as in `Built`."""
    application = Application(App(state).counted(), limits, state.settings.wall_clock)

    async def build() -> Built:
        return Built(application, live)

    return ASGIApp(build)


async def _build(options: Sequence[str]) -> Built:
    choice = chosen.choose(options)
    logs.show(choice.log_level or "info")
    from aimock import sources, startup

    app: App = await trio.to_thread.run_sync(startup.build, choice, abandon_on_cancel=True)

    async def live() -> None:
        try:
            if choice.watch:
                await sources.watch(app.state, validate=bool(choice.validate_on_load))
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await app.state.aclose()

    return Built(Application(app.counted(), wall_clock=choice.wall_clock), live)


async def _from_environment() -> Built:
    try:
        return await _build(shlex.split(os.environ.get(OPTIONS, "")))
    except ValueError as error:
        raise Failure(f"{OPTIONS}: {error}") from error


app = ASGIApp(_from_environment)
