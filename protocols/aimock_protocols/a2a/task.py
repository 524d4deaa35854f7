"""A task: what it has come to, and what of it a client is shown.

Source: A2A 1.0 §3.1 (operations), §3.2.4 (history), §4.1; a2a-sdk's `TaskManager` for how updates change it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import orjson

from aimock_protocols.a2a.errors import unfit
from aimock_protocols.rfc3339 import to_milliseconds

TERMINAL = frozenset({"TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"})
INTERRUPTED = frozenset({"TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"})
ENDING = TERMINAL | INTERRUPTED
"""States at which a stream ends, and a send that waits is answered."""

_PAGE = 50
_LARGEST_PAGE = 100


def written_time(seconds: float) -> str:
    """A timestamp, to the millisecond."""
    return to_milliseconds(seconds) + "Z"


@attrs.define(eq=False)
class Task:
    """Changed by updates, and by what clients say."""

    id: str
    context_id: str
    state: str
    changed_at: float
    """When it came to this state, in Unix time."""
    number: int = 0
    """Of tasks that changed in the same moment, which came later."""
    metadata: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    """What its status says."""
    artifacts: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """By their ids, in the order in which they came."""
    history: list[dict[str, Any]] = attrs.field(factory=list)
    kept: int = 1000
    """So many messages and artifacts are kept, the newest."""

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_interrupted(self) -> bool:
        return self.state in INTERRUPTED

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = {"state": self.state}
        if self.message is not None:
            told["message"] = self.message
        return told | {"timestamp": written_time(self.changed_at)}

    def view(self, history_length: int | None = None, artifacts: bool = True) -> dict[str, Any]:
        """The task as a client sees it, now. `history_length`: so many of the last messages; None: all."""
        told: dict[str, Any] = {"id": self.id, "contextId": self.context_id, "status": self.status()}
        if artifacts and self.artifacts:
            told["artifacts"] = [*self.artifacts.values()]
        history = self.history if history_length is None else self.history[-history_length:] if history_length else []
        if history:
            told["history"] = [*history]
        if self.metadata is not None:
            told["metadata"] = self.metadata
        return told

    def hear(self, message: Mapping[str, Any]) -> None:
        """What its client says. What it was asked by the status is then history too."""
        self._remember_status()
        self._remember({**message, "taskId": self.id, "contextId": self.context_id})

    def turn(self, state: str, at: float, message: dict[str, Any] | None, metadata: Any = None) -> dict[str, Any]:
        """Comes to another state: the event that tells of it."""
        self._remember_status()
        self.state, self.changed_at, self.message = state, at, message
        told = {"taskId": self.id, "contextId": self.context_id, "status": self.status()}
        return {"statusUpdate": told if metadata is None else told | {"metadata": metadata}}

    def bring(self, artifact: dict[str, Any], append: bool, last: bool, metadata: Any = None) -> dict[str, Any]:
        """Has another artifact, or more of one: the event that tells of it."""
        known = self.artifacts.get(artifact["artifactId"])
        whole = artifact
        if append and known is not None:
            whole = {**known, **artifact, "parts": [*known["parts"], *artifact["parts"]]}
        self.artifacts[artifact["artifactId"]] = whole
        if len(self.artifacts) > self.kept:
            del self.artifacts[next(iter(self.artifacts))]
        told: dict[str, Any] = {"taskId": self.id, "contextId": self.context_id, "artifact": artifact}
        told |= {"append": append, "lastChunk": last}
        return {"artifactUpdate": told if metadata is None else told | {"metadata": metadata}}

    def _remember_status(self) -> None:
        if self.message is not None:
            self._remember(self.message)
            self.message = None

    def _remember(self, message: dict[str, Any]) -> None:
        self.history.append(message)
        del self.history[: -self.kept]


def ends(event: Mapping[str, Any]) -> bool:
    """Whether a stream ends with this event."""
    if "message" in event:
        return True
    told = event.get("statusUpdate")
    return told is not None and told["status"]["state"] in ENDING


# -- lists -------------------------------------------------------------------------------------------------------------


def listed(tasks: Iterable[Task], params: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the tasks that the parameters ask for, the last changed first. Raises A2AError (INVALID_PARAMS).

    The token of the next page says after which task it begins, so that it holds whatever changes meanwhile.
    """
    size = params.get("pageSize", _PAGE)
    if not 1 <= size <= _LARGEST_PAGE:
        raise unfit("pageSize", f"must be from 1 to {_LARGEST_PAGE}")
    after = _place(params["pageToken"]) if params.get("pageToken") else None
    wanted = [task for task in tasks if _is_wanted(task, params)]
    wanted.sort(key=_order, reverse=True)
    rest = wanted if after is None else [task for task in wanted if _order(task) < after]
    page = rest[:size]
    shown = [task.view(params.get("historyLength"), params.get("includeArtifacts", False)) for task in page]
    token = _token(page[-1]) if len(rest) > size else ""
    return {"tasks": shown, "nextPageToken": token, "pageSize": size, "totalSize": len(wanted)}


def _is_wanted(task: Task, params: Mapping[str, Any]) -> bool:
    return (
        params.get("contextId", task.context_id) in (task.context_id, "")
        and params.get("status", task.state) == task.state
        and _milliseconds(task.changed_at) >= _milliseconds(params.get("statusTimestampAfter", 0.0))
    )


def _milliseconds(seconds: float) -> int:
    """As timestamps are told, so that what a client got from one can be asked for with it."""
    return round(seconds * 1_000_000) // 1000


def _order(task: Task) -> tuple[int, int]:
    return _milliseconds(task.changed_at), task.number


def _token(task: Task) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(_order(task))).decode().rstrip("=")


def _place(token: str) -> tuple[int, int]:
    try:
        time, number = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if type(time) is not int or type(number) is not int:
            raise ValueError
    except (binascii.Error, ValueError, TypeError):
        raise unfit("pageToken", "is no token that was given for a next page") from None
    return time, number
