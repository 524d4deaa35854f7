"""Services beside the LLMs, each at a path of its own (spec: core-server §12)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aimock.documents import Filling
from aimock.reading import mapping, text, unlike

if TYPE_CHECKING:
    from aimock.net.exchange import Head
    from aimock.surfaces.mock import ServiceMock
    from aimock.surfaces.mounted import Guard, Mounted


class Service(NamedTuple):
    """A kind of service."""

    package: str
    """Where its `from_config` and `config_schema` are."""
    mock: str
    """The name of its class for programs, in the module `mock` there."""


SERVICES: Mapping[str, Service] = {
    "mcp": Service("aimock.surfaces.mcp", "MCPMock"),
    "a2a": Service("aimock.surfaces.a2a", "A2AMock"),
    "agui": Service("aimock.surfaces.agui", "AGUIMock"),
    "vector": Service("aimock.surfaces.vector", "VectorMock"),
}
"""By the names of their sections in a config file."""


class Located(NamedTuple):
    """A service, and the path inside it that a request is for."""

    service: Mounted
    path: str
    label: str
    """What metrics call the path: there are few of them, whatever clients ask for."""


class Edition:
    """What was mounted at some time; nothing but its identity counts."""


_NOTHING = Edition()


class Mounts:
    """One server's services by their paths, in the order in which they were mounted."""

    def __init__(self) -> None:
        self._services: dict[str, Mounted] = {}
        self.edition = _NOTHING
        """Another one after each change: what was worked out from the one before holds no longer."""

    def __iter__(self) -> Iterator[tuple[str, Mounted]]:
        return iter(self._services.items())

    def __len__(self) -> int:
        return len(self._services)

    def add(self, path: str, service: Mounted) -> None:
        """Raises ValueError if the path is none, or is taken."""
        if not path.startswith("/") or path.rstrip("/") == "" or "?" in path or "#" in path:
            raise ValueError(f"path: expected one like /{service.name}, got {json.dumps(path)}")
        path = path.rstrip("/")
        if path in self._services:
            raise ValueError(f"path: {path} is taken by another service")
        service.mounted_at(path)
        self._services[path] = service
        self.edition = Edition()

    def named(self, path: str) -> Mounted | None:
        """The service that is mounted there; the path may lack its first slash."""
        return self._services.get("/" + path.strip("/"))

    def find(self, method: str, path: str) -> Located | None:
        """Whose a request is: that of the longest mount that the path is in, else of the first service that answers it
        at the origin itself."""
        for mount in sorted(self._services, key=len, reverse=True):
            if path == mount or path.startswith(mount + "/"):
                service, inside = self._services[mount], path[len(mount) :] or "/"
                return Located(service, inside, mount + service.label(inside))
        for service in self._services.values():
            if (method, path) in service.origin_routes:
                return Located(service, path, path)
        return None

    def claimed(self, head: Head) -> Located | None:
        """The first service that answers at the origin what no route is for."""
        service = next((service for service in self._services.values() if service.claims(head)), None)
        return None if service is None else Located(service, head.path, service.label(head.path))


def from_config(name: str, value: Any, directory: Path) -> list[tuple[str, Mounted]]:
    """The services of a config file's section, or of its sections if it is an array, with their paths. The config file
    is in the directory. Raises ValueError that names the key and what was expected."""
    filling = Filling(directory)
    value = filling.fill(value, config_schema(name), name)
    sections = value if isinstance(value, list) else [value]
    if not sections:
        raise unlike(name, "an object, or an array of one or more", value)
    try:
        return [
            _service(name, section, f"{name}[{index}]" if isinstance(value, list) else name, directory)
            for index, section in enumerate(sections)
        ]
    except ValueError as error:
        raise ValueError(filling.explained(error)) from error


def _service(name: str, section: Any, place: str, directory: Path) -> tuple[str, Mounted]:
    told = mapping(section, place)
    path = text(told.pop("path", f"/{name}"), f"{place}.path")
    try:
        guard = _guard(told.pop("auth", None))
        service: Mounted = importlib.import_module(SERVICES[name].package).from_config(told, directory)
    except ValueError as error:  # whose place is inside the section
        raise ValueError(f"{place}.{error}") from error
    service.guard = guard
    return path, service


def _guard(value: Any) -> Guard | None:
    """The guard that a section asks for. Raises ValueError."""
    if value is None:
        return None
    from aimock.surfaces.oauth.guard import guard_of  # most servers let everybody in

    return guard_of(value)


def config_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a service's section."""
    section = importlib.import_module(SERVICES[name].package).config_schema()
    from aimock.surfaces.oauth.config import auth_schema

    every = {"path": {"type": "string", "pattern": "^/[^?#]+$"}, "auth": auth_schema()}
    section = {**section, "properties": every | section["properties"]}
    return {"anyOf": [section, {"type": "array", "items": section, "minItems": 1}]}


def mock_class(name: str) -> Callable[[], ServiceMock[Any]]:
    """Its class for programs, which needs to be told nothing."""
    service = SERVICES[name]
    made: Callable[[], ServiceMock[Any]] = getattr(importlib.import_module(f"{service.package}.mock"), service.mock)
    return made
