"""Push notifications: what happens to a task is told to an address that its client gave.

A courier for each configuration follows the task as any client does, and posts each event in turn. It lives as long as
something happens to the task by itself, or is still to be told, so that a task that waits for its client costs nothing.
What cannot be delivered is logged, and not tried again.

Source: A2A 1.0 §4.3.3 (notifications); a2a-sdk's `BasePushNotificationSender` for the headers.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import trio

from aimock.redaction import REDACTED
from aimock.surfaces.a2a.performance import Event, Follower, Performance, told
from aimock_protocols.a2a import legacy
from aimock_protocols.a2a.bindings import A2A_JSON, JSON
from aimock_protocols.a2a.errors import unfit
from aimock_protocols.a2a.versions import Version

if TYPE_CHECKING:
    import httpcore2

logger = logging.getLogger("aimock")

PATIENCE = 10.0
"""Seconds for one notification, from the connection to the head of the answer."""
_PER_TASK = 16
"""Configurations; the oldest goes."""
_EVERYWHERE = "*"


_SECRET = frozenset({"token", "credentials"})
_SAID = frozenset({"message", "metadata"})
"""What clients say to agents: nothing of it is ours to hide."""


def redacted(value: Any) -> Any:
    """A request, or a part of one, without the secrets of push configurations."""
    if isinstance(value, dict):
        return {
            key: REDACTED if key in _SECRET else each if key in _SAID else redacted(each) for key, each in value.items()
        }
    return [redacted(each) for each in value] if isinstance(value, list) else value


@attrs.define(eq=False)
class Courier:
    """One configuration, and what is to be told by it."""

    config: dict[str, Any]
    """In 1.0; with its `id` and `taskId`."""
    version: Version
    """In which the client made it, and is told."""
    follower: Follower = attrs.field(factory=Follower)
    is_out: bool = False
    """Whether it is under way."""


class Push:
    """The configurations of one service's tasks, and their deliveries."""

    def __init__(self, allowed: tuple[str, ...], spawn: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
        """`allowed`: hosts beside the loopback that may be told; `*`: all. `spawn` runs a function beside the
        requests."""
        self.allowed = allowed
        self._spawn = spawn
        self._couriers: dict[str, dict[str, Courier]] = {}
        self._pool: httpcore2.AsyncConnectionPool | None = None

    # -- configurations --------------------------------------------------------------------------------------------

    def create(self, performance: Performance, given: dict[str, Any], version: Version) -> dict[str, Any]:
        """Keeps a configuration, in place of one of the same id. Raises A2AError if its URL is not allowed."""
        url = given["url"]
        if not self._is_allowed(url):
            raise unfit("url", "expected an http or https URL of this machine, or of a host that `push.allow` lists")
        task = performance.task
        config = {**given, "taskId": task.id, "id": given.get("id") or task.id}
        known = self._couriers.setdefault(task.id, {})
        self._end(performance, known.pop(config["id"], None))
        if len(known) >= _PER_TASK:
            self._end(performance, known.pop(next(iter(known))))
        courier = known[config["id"]] = Courier(config, version)
        performance.follow(courier.follower)
        return config

    def configs(self, task_id: str) -> list[dict[str, Any]]:
        return [courier.config for courier in self._couriers.get(task_id, {}).values()]

    def delete(self, performance: Performance, id: str) -> None:
        """Whether or not there is one."""
        self._end(performance, self._couriers.get(performance.task.id, {}).pop(id, None))

    def forget(self, performance: Performance) -> None:
        """The task is gone."""
        for courier in self._couriers.pop(performance.task.id, {}).values():
            self._end(performance, courier)

    def _end(self, performance: Performance, courier: Courier | None) -> None:
        if courier is not None:
            performance.unfollow(courier.follower)
            courier.follower.heard.clear()

    def _is_allowed(self, url: str) -> bool:
        try:
            parts = urllib.parse.urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            return False
        if _EVERYWHERE in self.allowed or host in self.allowed or host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    # -- delivery --------------------------------------------------------------------------------------------------

    def wake(self, performance: Performance) -> None:
        """Something happened to the task, or will: its couriers go out."""
        for courier in self._couriers.get(performance.task.id, {}).values():
            if not courier.is_out and (courier.follower.heard or performance.is_moving):
                courier.is_out = True
                self._spawn(functools.partial(self._go, performance, courier))

    async def _go(self, performance: Performance, courier: Courier) -> None:
        try:
            while courier.follower.heard or performance.is_moving:
                if courier not in self._couriers.get(performance.task.id, {}).values():
                    return
                for event in await self._news(performance, courier):
                    await self._post(courier, event, performance)
        finally:
            courier.is_out = False

    async def _news(self, performance: Performance, courier: Courier) -> list[Event]:
        return told(courier.follower) or await performance.news(courier.follower)

    async def _post(self, courier: Courier, event: Event, performance: Performance) -> None:
        import httpcore2  # most servers notify nobody

        if self._pool is None:
            self._pool = httpcore2.AsyncConnectionPool(max_connections=None, network_backend=httpcore2.TrioBackend())
        is_old = courier.version is Version.V0_3
        body = orjson.dumps(legacy.written_task(performance.task.view()) if is_old else event)
        config, headers = courier.config, [("Content-Type", JSON if is_old else A2A_JSON)]
        if config.get("token"):
            headers.append(("X-A2A-Notification-Token", config["token"]))
        authentication = config.get("authentication", {})
        if authentication.get("credentials"):
            headers.append(("Authorization", f"{authentication['scheme']} {authentication['credentials']}"))
        failure = f"no answer within {PATIENCE:g} s"
        with trio.move_on_after(PATIENCE):
            try:
                url = urllib.parse.urlsplit(config["url"])
                lines = [("Host", url.netloc), ("Content-Length", str(len(body))), *headers]
                async with self._pool.stream("POST", config["url"], headers=lines, content=body) as response:
                    if response.status < 300:
                        return
                    failure = f"status {response.status}"
            except Exception as error:  # whatever is wrong with an address, the task goes on
                failure = type(error).__name__  # its text may show what was sent
        where = urllib.parse.urlsplit(config["url"])
        logger.warning("a push notification to %s://%s failed: %s", where.scheme, where.netloc, failure)

    async def aclose(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None
