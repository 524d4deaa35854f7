"""Running a command whose SDKs are pointed at a recording server: `aimock record -- COMMAND`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence

import attrs
import trio

from aimock import sdks
from aimock.record.signing import local_credentials
from aimock.serving import Opened, Signals

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit statuses of a command that could not be started, as shells give them."""
_SIGNALLED = 128
"""What is added to the number of the signal that ended a command."""


@attrs.define
class Command:
    """A command, and who is asked in earnest what it asks."""

    words: Sequence[str]
    providers: Collection[str]
    """Those that have a URL."""
    environment: Mapping[str, str]
    """That in which it would run by itself."""
    _process: trio.Process | None = None

    @property
    def has_begun(self) -> bool:
        return self._process is not None

    async def run(self, opened: trio.MemoryReceiveChannel[Opened], signals: Signals) -> int:
        """Its exit status. SIGINT and SIGTERM go on to it; one that comes before it has begun ends it so."""
        status = 0

        async def accompany() -> None:
            nonlocal status
            status = await self._run_beside(await opened.receive())
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accompany)
            async for number in signals:
                if self._process is None:
                    status = _SIGNALLED + number
                    nursery.cancel_scope.cancel()
                elif number != signal.SIGINT or not _is_in_foreground():  # the terminal sends it to both
                    self._process.send_signal(number)
        return status

    async def _run_beside(self, server: Opened) -> int:
        try:
            with trio.CancelScope(shield=True):  # one that is being started is waited for, and then ended
                process = self._process = await trio.lowlevel.open_process(
                    list(self.words), env=pointed(self.environment, server, self.providers)
                )
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError)
            why = "command not found" if is_missing else error.strerror
            print(f"aimock: record: {self.words[0]}: {why}", file=sys.stderr)
            return _NOT_FOUND if is_missing else _NOT_EXECUTABLE
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:  # the server could not go on
                process.terminate()
        return status if status >= 0 else _SIGNALLED - status


def pointed(environment: Mapping[str, str], server: Opened, providers: Collection[str]) -> dict[str, str]:
    """The environment with SDKs pointed at the server. Keys that are in it stay: they go to the provider with what is
    asked of it. Where there is none a dummy lets an SDK start, for what is replayed needs no key."""
    is_secure = server.url.startswith("https:")
    told = sdks.without(environment, (*sdks.LEADING_ELSEWHERE, *(() if is_secure else sdks.PLAIN_HTTP_FORBIDDEN)))
    told |= sdks.addresses(server.url, server.ca_file, providers)
    told |= sdks.bypassing(environment, server.url)
    told |= sdks.lacking(environment, providers)
    has_aws = any(map(environment.get, sdks.AWS_CREDENTIALS)) or local_credentials(environment) is not None
    return (sdks.API_VERSION if has_aws else sdks.AWS_KEYS | sdks.API_VERSION) | told


def _is_in_foreground() -> bool:
    """Whether the terminal's keys reach this process, and so the command too, which is of the same group."""
    if os.name != "posix":
        return True  # a console tells all that run in it
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
