"""The mock server as a Python object: `AIMock`.

    with AIMock() as mock:                      # its own thread: for sync and asyncio tests
        mock.on_message("hello", {"content": "Hi!"})
        client = OpenAI(base_url=mock.url + "/v1", api_key="test")

    async with AIMock() as mock:                # inside Trio
        ...

JSON shapes keep the fixture format's camelCase keys; keyword options are taken in snake_case as well.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import sniffio
import trio

from aimock import choices, logs, sources
from aimock.app import App
from aimock.config_keys import PORT, embedding_manner
from aimock.fixtures import Chaos, StreamingProfile
from aimock.fixtures.question import Transform
from aimock.journal import Journal
from aimock.net.limits import Limits
from aimock.net.server import server_kind
from aimock.programmed import Programmed, run_in
from aimock.quotas import Quota
from aimock.reading import count, number, whole_number
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces.mounted import Mounted
from aimock.tls import listening
from aimock_protocols.sessions import Options

if TYPE_CHECKING:
    from aimock.asgi import ASGIApp
    from aimock.record.config import RecordConfig
    from aimock.surfaces.mock import ServiceMock
    from aimock_protocols.canonical import Embeddings

GRACE = 2.0
"""Seconds that `stop` gives to streams that are still being sent."""


class AIMock(Programmed):
    """One mock server. Start it with `with`, `async with` (Trio), or `start()` and `stop()`."""

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: bool | tuple[str | Path, str | Path] | Mapping[str, Any] | None = None,
        fixtures: str | Path | Iterable[str | Path] = (),
        watch: bool = False,
        latency: float = 0.0,
        chunk_size: int = 20,
        replay_speed: float = 1.0,
        embeddings: Embeddings = "hash",
        rewrite_ids: bool = False,
        streaming_profile: str | Mapping[str, Any] | StreamingProfile | None = None,
        chaos: Mapping[str, Any] | Chaos | None = None,
        quota: Mapping[str, Any] | Quota | None = None,
        providers: str | Sequence[str] | None = None,
        strict: bool = False,
        log_level: str | None = None,
        journal_max_entries: int = 1000,
        fixture_counts_max_test_ids: int = 500,
        request_transform: Transform | None = None,
        seed: int | None = None,
        wall_clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        metrics: bool = False,
        api_keys: Sequence[str] | None = None,
        http2: bool = False,
        sessions: Options | None = None,
        record: Mapping[str, Any] | RecordConfig | None = None,
    ) -> None:
        """`latency` in ms before each frame; `fixtures`: files, directories or URLs; `port` 0 takes a free one.
        With `watch` they are read again when they change, URLs excepted. `tls`: the PEM files of a certificate and its
        key, or True for a certificate of the server's own, whose CA is then in `ca_file`; or as in a config file.

        `log_level` (`silent`, `warn`, `info`, `debug`) prints as the command line does, for the whole process; None
        leaves the logger `aimock` to the program. `streaming_profile` (a name or an object) and `chaos` are as in
        fixtures. `embeddings`: `hash`, or `semantic`, by which related texts have near vectors. `rewrite_ids`:
        recordings are answered with fresh ids. `sessions`: what clients by WebSocket may expect. `providers`: whose
        APIs are answered (`openai`, `claude`, …). `record`: as for `enable_recording`. Raises ValueError on what the
        command line or a config file would refuse.
        """
        if log_level is not None:
            logs.show(log_level)
        self._host = host
        self._port = PORT(port, "port")
        self._tls = choices.tls(tls)
        self._limits = limits
        self._http2 = http2
        self._state = State(
            Settings(
                latency=number(0)(latency, "latency"),
                chunk_size=whole_number(1)(max(1, chunk_size), "chunk_size"),
                replay_speed=number(0, exclusive=True)(replay_speed, "replay_speed"),
                embeddings=embedding_manner(embeddings, "embeddings"),
                rewrite_ids=rewrite_ids,
                streaming_profile=None
                if streaming_profile is None
                else choices.given("streaming_profile", streaming_profile),
                chaos=choices.given("chaos", {} if chaos is None else chaos),
                quota=choices.given("quota", quota),
                providers=choices.given("providers", providers),
                strict=strict,
                request_transform=request_transform,
                journal_max_entries=count(journal_max_entries, "journal_max_entries"),
                fixture_counts_max_test_ids=count(fixture_counts_max_test_ids, "fixture_counts_max_test_ids"),
                seed=seed,
                metrics=metrics,
                api_keys=choices.keys(api_keys),
                is_secure=self._tls is not None,
                sessions=sessions or Options(),
                wall_clock=wall_clock,
            )
        )
        self._app: App | None = None
        self._url: str | None = None
        self._ca_file: Path | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread: threading.Thread | None = None
        self._stopping: trio.Event | None = None
        self._inside: contextlib.AbstractAsyncContextManager[None] | None = None
        if record is not None:
            self._state.record_by(choices.recorder(record))
        for source in [fixtures] if isinstance(fixtures, str | Path) else fixtures:
            sources.add(self._state, str(source), logs.report_problem)
        self._watches = watch

    # -- life ------------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, **options: Any) -> Self:
        """A server that is already running in its own thread; the caller stops it."""
        mock = cls(**options)
        mock.start()
        return mock

    def start(self) -> str:
        """Starts the server in a thread of its own and returns its URL. Raises OSError if it cannot listen,
        and ValueError if it has no certificate that it could show."""
        if self._url is not None:
            raise RuntimeError("the server is already running")
        started: concurrent.futures.Future[None] = concurrent.futures.Future()

        def run() -> None:
            try:
                trio.run(self._run_until_stopped, started)
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)

        self._thread = threading.Thread(target=run, name="aimock", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread = None
            raise
        return self.url

    def stop(self, grace: float = GRACE) -> None:
        """Stops a server that `start` started; streams may finish within `grace` seconds."""
        if self._thread is None or self._token is None:
            raise RuntimeError("the server is not running in a thread")
        self._grace = grace
        assert self._stopping is not None
        with contextlib.suppress(trio.RunFinishedError):
            run_in(self._token, self._stopping.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        if sniffio.current_async_library() != "trio":
            raise RuntimeError("`async with AIMock()` is for Trio; elsewhere use `with AIMock()`, which has its thread")
        self._inside = self._running()
        await self._inside.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        inside, self._inside = self._inside, None
        assert inside is not None
        return await inside.__aexit__(kind, error, trace)

    @contextlib.contextmanager
    def hosting(self, guest: AIMock) -> Iterator[None]:
        """Answers from the guest's state (fixtures, journal, settings, …) in place of its own, at the same address.

        So tests can share a server and nothing else. An answer that has begun stays with the state it began in. Raises
        RuntimeError if this server is not running or has a guest, or if the guest is running itself.
        """
        url, app = self.url, self._app
        assert app is not None
        if guest._url is not None or self._has_guest:
            raise RuntimeError("the guest is already running" if guest._url is not None else "there is a guest already")
        self._do(lambda: app.use(guest._state))
        self._has_guest = True
        guest._url, guest._token, guest._ca_file = url, self._token, self._ca_file
        try:
            yield
        finally:
            guest._url = guest._token = guest._ca_file = None
            self._has_guest = False
            self._do(lambda: app.use(self._state))
            self._do(guest._state.leave)

    async def _run_until_stopped(self, started: concurrent.futures.Future[None]) -> None:
        self._stopping = trio.Event()
        self._grace = GRACE
        async with self._running():
            started.set_result(None)
            await self._stopping.wait()

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        self._app = App(self._state)
        failure: Exception | None = None
        watching = trio.CancelScope()
        kind = server_kind(http2=self._http2)
        with listening(self._host, self._port, self._tls, kind.alpn) as (listeners, security, url):
            server = kind(self._app.counted(), self._limits, self._state.settings.wall_clock, security)
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve, listeners)
                self._token = trio.lowlevel.current_trio_token()
                self._url = url
                self._ca_file = security.ca_file if security is not None else None
                if self._watches:
                    nursery.start_soon(self._watch, watching)
                try:
                    yield
                except Exception as error:  # the caller's own, which leaves as it is, not in a group of the nursery's
                    failure = error
                finally:
                    self._url = self._token = self._ca_file = None
                    watching.cancel()
                    await server.shut_down(self._grace)
                    await self._state.aclose()
        if failure is not None:
            raise failure

    def asgi(self) -> ASGIApp:
        """This mock as an ASGI application, for a server that runs Trio or a client that calls applications itself.

        It need not be started, and has no address of its own. Where the server tells of its start and its end, the
        methods run in its loop meanwhile, and `watch` is heeded; else they run where they are called.
        """
        from aimock import asgi  # for those who serve it so

        self._is_mounted = True
        return asgi.app_of(self._state, self._limits, self._live)

    async def _live(self) -> None:
        """While somebody else serves it."""
        self._token = trio.lowlevel.current_trio_token()
        try:
            if self._watches:
                await sources.watch(self._state)
            await trio.sleep_forever()
        finally:
            self._token = None
            with trio.CancelScope(shield=True):
                await self._state.aclose()

    async def _watch(self, scope: trio.CancelScope) -> None:
        with scope:
            await sources.watch(self._state)

    _grace: float = GRACE
    _has_guest: bool = False
    _is_mounted: bool = False

    def mount(self, path: str, service: ServiceMock[Any] | Mounted) -> Self:
        """Serves what is under the path by a service: an `MCPMock`, an `A2AMock`, … Raises ValueError if the path is
        none or is taken, or the service is mounted already."""
        mounted = service if isinstance(service, Mounted) else service.service
        self._do(lambda: self._state.mounts.add(path, mounted))
        if not isinstance(service, Mounted):
            service.attached(self)
        return self

    @property
    def url(self) -> str:
        """`http://host:port`, with TLS `https://…`. Raises RuntimeError unless the server is running."""
        if self._url is None:
            raise RuntimeError("the server is not running")
        return self._url

    @property
    def base_url(self) -> str:
        """The same as `url`."""
        return self.url

    @property
    def ca_file(self) -> Path | None:
        """The CA that clients have to trust, while the server runs with a certificate of its own; else None."""
        return self._ca_file

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def seed(self) -> int:
        """The seed of everything random; give it to another server to repeat this one's run."""
        return self._state.randomness.seed

    # -- what happened ---------------------------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        """The live journal. Raises RuntimeError unless the server is running, or an ASGI application."""
        if not self._is_mounted:
            _ = self.url
        return self._state.journal

    def get_requests(self) -> list[dict[str, Any]]:
        """The journal's entries, oldest first, as the control API shows them."""
        return self._do(lambda: [entry.to_json() for entry in self.journal])

    get_journal = get_requests

    def get_last_request(self) -> dict[str, Any] | None:
        requests = self.get_requests()
        return requests[-1] if requests else None

    def clear_requests(self) -> Self:
        """Empties the journal and rewinds all sequences."""

        def clear() -> None:
            self._state.journal.clear()
            self._state.rewind()

        self._do(clear)
        return self

    reset_journal = clear_requests

    def reset_match_counts(self, test_id: str | None = None) -> Self:
        """Rewinds the sequences, and the faults that strike so many times, of one test id, or of all."""
        self._do(lambda: self._state.rewind(test_id))
        return self

    def reset(self) -> Self:
        """Back to an empty server: no fixtures, no queued errors, an empty journal, every sequence at its start."""
        self._do(self._state.reset)
        return self

    reset_fixtures = reset


LLMock = AIMock
"""The reference's name for it."""
