"""A2A 0.3 to 1.0, and back.

Requests are read leniently: what has no place in 1.0 is left as it is, for `schema` to refuse. What a 0.3 object says
by its `kind`, 1.0 says by which field it has.

Source: A2A 0.3.0 (`types.ts`); a2a-sdk's `compat/v0_3/conversions.py`, whose choices are kept (an id of a push
configuration that is not said is the task's; a history length of 0 means all of it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.a2a.schema import STATES

_ROLES = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}
_ROLES_BACK = {new: old for old, new in _ROLES.items()}
_STATES = {state: state.removeprefix("TASK_STATE_").lower().replace("_", "-") for state in STATES}
_FINAL = frozenset({"completed", "canceled", "failed", "rejected", "input-required", "auth-required"})
"""States after which a stream ends (0.3 §7.2.2)."""
_FILE_KEYS = (("mimeType", "mediaType"), ("name", "filename"))
_IS_WRAPPED = "data_part_compat"
"""Metadata of a part whose data is no object in 1.0, as it must be in 0.3; a2a-sdk unwraps it."""


# -- requests ----------------------------------------------------------------------------------------------------------


def read_send(params: Mapping[str, Any]) -> dict[str, Any]:
    read = dict(params)
    if isinstance(params.get("message"), dict):
        read["message"] = _read_message(params["message"])
    if isinstance(params.get("configuration"), dict):
        configuration = read["configuration"] = dict(params["configuration"])
        blocking = configuration.pop("blocking", None)
        if blocking is not None:
            configuration["returnImmediately"] = not blocking if isinstance(blocking, bool) else blocking
        if not configuration.get("historyLength", True):
            del configuration["historyLength"]
        push = configuration.pop("pushNotificationConfig", None)
        if push is not None:
            configuration["taskPushNotificationConfig"] = _read_push(push)
    return read


def read_get(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != "historyLength" or value != 0}


def read_as_it_is(params: Mapping[str, Any]) -> dict[str, Any]:
    return dict(params)


def read_push_set(params: Mapping[str, Any]) -> dict[str, Any]:
    push = _read_push(params.get("pushNotificationConfig"))
    return {"taskId": params.get("taskId"), **(push if isinstance(push, dict) else {})}


def read_push_id(params: Mapping[str, Any]) -> dict[str, Any]:
    task = params.get("id")
    return {"taskId": task, "id": params.get("pushNotificationConfigId") or task}


def read_push_list(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"taskId": params.get("id")}


def _read_message(message: Mapping[str, Any]) -> dict[str, Any]:
    read = {key: value for key, value in message.items() if key != "kind"}
    role = message.get("role")
    read["role"] = _ROLES.get(role, role) if isinstance(role, str) else role
    parts = message.get("parts")
    if isinstance(parts, list):
        read["parts"] = [read_part(part) if isinstance(part, dict) else part for part in parts]
    return read


def read_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part has what its kind says, and nothing else counts."""
    kind = part.get("kind")
    read: dict[str, Any] = {}
    metadata = part.get("metadata")
    if kind == "text":
        read["text"] = part.get("text")
    elif kind == "data":
        read["data"] = data = part.get("data")
        if isinstance(metadata, dict) and metadata.get(_IS_WRAPPED) is True and isinstance(data, dict):
            metadata = {key: value for key, value in metadata.items() if key != _IS_WRAPPED} or None
            read["data"] = data.get("value")
        elif not isinstance(data, dict):
            read = {"data": None, "text": data}  # neither can be read
    elif kind == "file" and isinstance(part.get("file"), dict):
        file = part["file"]
        for old, new in (("bytes", "raw"), ("uri", "url"), *_FILE_KEYS):
            if file.get(old) is not None:
                read[new] = file[old]
    return read if metadata is None else {**read, "metadata": metadata}


def _read_push(push: Any) -> Any:
    if not isinstance(push, dict):
        return push
    read = dict(push)
    authentication = push.get("authentication")
    if isinstance(authentication, dict):
        schemes = authentication.get("schemes")
        read["authentication"] = {key: value for key, value in authentication.items() if key != "schemes"}
        if isinstance(schemes, list) and schemes:
            read["authentication"]["scheme"] = schemes[0]
    return read


# -- answers -----------------------------------------------------------------------------------------------------------


def written_part(part: Mapping[str, Any]) -> dict[str, Any]:
    metadata = part.get("metadata")
    if "text" in part:
        written: dict[str, Any] = {"kind": "text", "text": part["text"]}
    elif "data" in part:
        data = part["data"]
        if not isinstance(data, dict):
            data, metadata = {"value": data}, {**(metadata or {}), _IS_WRAPPED: True}
        written = {"kind": "data", "data": data}
    else:
        file = {"bytes": part["raw"]} if "raw" in part else {"uri": part["url"]}
        file |= {old: part[new] for old, new in _FILE_KEYS if new in part}
        written = {"kind": "file", "file": file}
    return written if metadata is None else {**written, "metadata": metadata}


def written_message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "message",
        **message,
        "role": _ROLES_BACK[message["role"]],
        "parts": [written_part(part) for part in message["parts"]],
    }


def _status(status: Mapping[str, Any]) -> dict[str, Any]:
    written = {**status, "state": _STATES[status["state"]]}
    if "message" in status:
        written["message"] = written_message(status["message"])
    return written


def _artifact(artifact: Mapping[str, Any]) -> dict[str, Any]:
    return {**artifact, "parts": [written_part(part) for part in artifact["parts"]]}


def written_task(task: Mapping[str, Any]) -> dict[str, Any]:
    written = {"kind": "task", **task, "status": _status(task["status"])}
    if "artifacts" in task:
        written["artifacts"] = [_artifact(artifact) for artifact in task["artifacts"]]
    if "history" in task:
        written["history"] = [written_message(message) for message in task["history"]]
    return written


def written_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A StreamResponse, or what `SendMessage` answers."""
    ((name, value),) = event.items()
    if name == "task":
        return written_task(value)
    if name == "message":
        return written_message(value)
    if name == "artifactUpdate":
        return {"kind": "artifact-update", **value, "artifact": _artifact(value["artifact"])}
    status = _status(value["status"])
    return {"kind": "status-update", **value, "status": status, "final": status["state"] in _FINAL}


def written_push(config: Mapping[str, Any]) -> dict[str, Any]:
    push = {key: value for key, value in config.items() if key not in ("taskId", "tenant")}
    if "authentication" in push:
        authentication = push["authentication"]
        push["authentication"] = {"schemes": [authentication["scheme"]], **authentication}
        del push["authentication"]["scheme"]
    return {"taskId": config["taskId"], "pushNotificationConfig": push}


def written_pushes(listed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [written_push(config) for config in listed["configs"]]


def written_as_it_is(value: Any) -> Any:
    return value
