"""Which names collections, databases and tenants may have."""

from __future__ import annotations

import re

from aimock_protocols.chroma.errors import refused

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")
_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SHORTEST_TENANT = 3


def check_name(name: str, field: str | None = None) -> None:
    """Of a collection or database. `field`: where it stands, if the server says that. Raises WireError."""
    where = f"Validation error: {field}: " if field else ""
    if not _NAME.fullmatch(name):
        raise refused(
            f"{where}Expected a name containing 3-512 characters from [a-zA-Z0-9._-], "
            f"starting and ending with a character in [a-zA-Z0-9]. Got: {name}"
        )
    if ".." in name:
        raise refused(f"{where}Expected a name that does not contains two consecutive periods (..). Got {name}")
    if _ADDRESS.fullmatch(name):
        raise refused(f"{where}Expected a name that is not a valid ip address. Got {name}")


def check_tenant(name: str) -> None:
    """Raises WireError."""
    if len(name) < _SHORTEST_TENANT:
        raise refused(
            f"Validation error: name: Validation error: length "
            f'[{{"value": String("{name}"), "min": Number({_SHORTEST_TENANT})}}]'
        )


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text.lower()) is not None
