"""The A2A agent mock as a Python object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aimock.fixtures.structure import camel
from aimock.surfaces.a2a.service import MAX_TASKS, A2AService
from aimock.surfaces.a2a.signing import read_signing, signing_of
from aimock.surfaces.mock import ServiceMock


class A2AMock(ServiceMock[A2AService]):
    """Agents that answer as they are told.

        with A2AMock() as mock:
            mock.register_agent("bot").on_message("bot", "hello", "Hi!")

    JSON shapes keep the config file's camelCase keys; keyword options are its keys in snake_case.
    """

    def __init__(
        self,
        *,
        max_tasks: int = MAX_TASKS,
        push_to: Iterable[str] = (),
        signing: bool | Mapping[str, Any] = False,
        **options: Any,
    ) -> None:
        """`max_tasks`: so many are remembered. `push_to`: hosts beside this machine that may be notified, `*` for all.
        `signing`: whether cards are signed; an object names the `key`, a PEM file. `options`: those of `AIMock`, for a
        server of its own. Raises ValueError."""
        signed = signing_of(read_signing(signing, "signing"), "signing", Path())
        super().__init__(A2AService(max_tasks=max_tasks, push_to=push_to, signing=signed), **options)

    def register_agent(self, definition: str | Mapping[str, Any], **more: Any) -> Self:
        """Registers an agent by its name or a definition, or adds to the one of that name. Raises ValueError."""
        given = {"name": definition} if isinstance(definition, str) else dict(definition)
        return self.add({"agents": [given | _keys(more)]})

    def on_message(
        self, agent: str, pattern: Any, parts: str | Sequence[Mapping[str, Any]] = "", **options: Any
    ) -> Self:
        """The agent answers with a message. Raises ValueError if no agent has this name."""
        return self._on(agent, "messages", {"pattern": pattern, "parts": parts, **_keys(options)})

    def on_task(self, agent: str, pattern: Any, artifacts: Sequence[Mapping[str, Any]] = (), **options: Any) -> Self:
        """The agent answers with a task that brings artifacts. Raises ValueError."""
        return self._on(agent, "tasks", {"pattern": pattern, "artifacts": artifacts, **_keys(options)})

    def on_streaming_task(
        self,
        agent: str,
        pattern: Any,
        events: Sequence[Mapping[str, Any]] = (),
        delay_ms: float | None = None,
        **options: Any,
    ) -> Self:
        """The agent answers with a task, to which these events happen. Raises ValueError."""
        entry = {"pattern": pattern, "events": events, "delayMs": delay_ms, **_keys(options)}
        return self._on(agent, "streamingTasks", entry)

    @property
    def public_key(self) -> dict[str, str] | None:
        """The JSON Web Key by which signatures of its cards are verified; None, if they are not signed. Raises
        RuntimeError unless it is mounted."""
        signing = self.service.signing
        if signing is None:
            return None
        if self._server is None:
            raise RuntimeError("the service is not mounted, and its key follows from the server's seed")
        return signing.key(self._server.seed).public

    def _on(self, agent: str, section: str, entry: dict[str, Any]) -> Self:
        def act() -> None:
            if self.service.agents.named(agent) is None:
                raise ValueError(f"agent: no agent {agent!r} is registered")
            self.service.add({"agents": [{"name": agent, section: [entry]}]})

        self._do(act)
        return self


def _keys(options: Mapping[str, Any]) -> dict[str, Any]:
    return {camel(key): value for key, value in options.items()}
