"""Refusals in Qdrant's words: the status, and the prefix that tells the kind of error.

Source: the server's `StorageError` and its handler of unreadable bodies, as clients see them.
"""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import ErrorReply, WireError

_NAMED = 80
"""Characters of what was sent that an error repeats."""


def _refused(status: int, message: str) -> WireError:
    return WireError(ErrorReply(message, status=status))


def wrong_input(what: str) -> WireError:
    return _refused(400, f"Wrong input: {what}")


def bad_request(what: str) -> WireError:
    return _refused(400, f"Bad request: {what}")


def not_found(what: str) -> WireError:
    return _refused(404, f"Not found: {what}")


def already_there(what: str) -> WireError:
    return _refused(409, f"Wrong input: {what}")


def malformed(what: str, where: str = "JSON body") -> WireError:
    """What is not of the form that the request has."""
    return _refused(400, f"Format error in {where}: {what}")


def invalid(place: str, what: str, where: str = "JSON body") -> WireError:
    """What has the form, but a value that is out of bounds."""
    return _refused(422, f"Validation error in {where}: [{place}: {what}]")


def no_collection(name: str) -> WireError:
    return not_found(f"Collection `{name}` doesn't exist!")


def no_point(point_id: int | str) -> WireError:
    return not_found(f"No point with id {point_id} found")


def no_vector_name(name: str) -> WireError:
    return wrong_input(f"Not existing vector name error: {name}")


def wrong_dimension(expected: int, got: int) -> WireError:
    return wrong_input(f"Vector dimension error: expected dim: {expected}, got {got}")


def shown(value: Any) -> str:
    """A value as errors repeat it."""
    text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) <= _NAMED else text[:_NAMED] + "…"


def envelope(error: ErrorReply) -> dict[str, Any]:
    """The body of an error."""
    return {"status": {"error": error.message}, "time": 0.0}
