"""Which path is whose (spec: core-server §2 and §3).

Paths are compared as sent: nothing is decoded, case counts. A path that no route has is tried again as the base paths
of OpenAI-compatible providers would have it, and once more without its trailing slash.

A route's label is what metrics call it: its template, so that there are never more labels than routes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from aimock.bounded import Bounded

T = TypeVar("T")

CONTROL_PREFIX = "/__aimock"
"""What lies under it is the control API's."""

_COMPATIBLE_ENDINGS = (
    "/chat/completions",
    "/embeddings",
    "/responses",
    "/realtime",
    "/realtime/translations",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/images/generations",
    "/images/edits",
    "/images/variations",
)
"""Endings by which an OpenAI-compatible endpoint is known behind any base path."""

_KEPT = 1024
"""Paths whose resolution is remembered."""

_PLACEHOLDER = re.compile(r"\{(\w+)(:path)?\}")
_AZURE_DEPLOYMENT = re.compile(r"/openai/deployments/\{\w+\}(?=/)")
_CHAT_BASE = re.compile(r".*(?=/chat/completions\Z)")


_GATEWAY = re.compile(r"(?:/[^/]+)+?(?=/v\d+[a-z\d]*/)")
"""What a gateway has before the paths of the API that is behind it, which begin with its version."""


class Resolved(NamedTuple, Generic[T]):
    """Who answers a request."""

    target: T
    params: Mapping[str, str]
    label: str


class _Path(NamedTuple, Generic[T]):
    """What is known of one path, or of all that one template describes."""

    methods: dict[str, T]
    template: str
    start: str
    """How every such path begins: up to the template's first placeholder."""


class Router(Generic[T]):
    """A table of (method, path template) to targets."""

    def __init__(self, looked_up: Callable[[str], list[str]] | None = None) -> None:
        """`looked_up`: the paths under which one is looked up, in order; None: as the LLMs' APIs have it."""
        self._looked_up = looked_up or candidates
        self._exact: dict[str, _Path[T]] = {}
        self._templates: dict[str, _Path[T]] = {}
        self._resolved: Bounded[tuple[str, str], Resolved[T] | None] = Bounded(_KEPT)

    def add(self, method: str, template: str, target: T) -> None:
        """`{name}` in a template stands for one segment, `{name:path}` for one or more."""
        self._resolved.clear()
        paths = self._templates if "{" in template else self._exact
        path = paths.get(template)
        if path is None:
            path = paths[template] = _Path({}, template, template.partition("{")[0])
        path.methods[method] = target

    def has(self, method: str, template: str) -> bool:
        """Whether there is a target for just this method and template."""
        paths = self._templates if "{" in template else self._exact
        return template in paths and method in paths[template].methods

    def resolve(self, method: str, path: str) -> Resolved[T] | None:
        """The target for a request; None if no route has the path, or none with this method."""
        key = (method, path)
        if key not in self._resolved:
            self._resolved.keep(key, self._resolve(method, path))
        return self._resolved[key]

    def _resolve(self, method: str, path: str) -> Resolved[T] | None:
        for candidate in self._looked_up(path):
            for (methods, template, _), params in self._with_path(candidate):
                # RFC 9110 9.3.2: what answers GET answers HEAD.
                target = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
                if target is not None:
                    return Resolved(target, params, _label(template))
        return None

    def methods(self, path: str) -> frozenset[str]:
        """The methods that the path answers; empty if it is unknown."""
        return frozenset(
            method
            for candidate in self._looked_up(path)
            for known, _ in self._with_path(candidate)
            for method in known.methods
        )

    def label(self, path: str) -> str | None:
        """What metrics call the path, whatever the method: of several templates that one which says most of it. None if
        it is unknown."""
        templates = [known.template for each in self._looked_up(path) for known, _ in self._with_path(each)]
        return _label(min(templates, key=lambda template: template.count("{"))) if templates else None

    def _with_path(self, path: str) -> Iterable[tuple[_Path[T], Mapping[str, str]]]:
        if path in self._exact:
            yield self._exact[path], {}
        for template, known in self._templates.items():
            match = _compiled(template).fullmatch(path) if path.startswith(known.start) else None
            if match is not None:
                yield known, match.groupdict()


def candidates(path: str) -> list[str]:
    """The paths under which a request is looked up, in order."""
    paths = [path, normalised(path)]
    if path.endswith("/") and len(path) > 1:
        shorter = path.rstrip("/")
        paths += [shorter, normalised(shorter)]
    versioned = _GATEWAY.match(path)
    if versioned is not None:
        paths.append(path[versioned.end() :])
    return list(dict.fromkeys(paths))


def normalised(path: str) -> str:
    """The path without a compatible provider's base: `/openai/…` once, then whatever precedes a known ending."""
    if path.startswith("/openai/"):
        path = path.removeprefix("/openai")
    if not path.startswith(("/v1/", "/v2/")):
        for ending in _COMPATIBLE_ENDINGS:
            if path.endswith(ending):
                return "/v1" + ending
    return path


def _label(template: str) -> str:
    """Azure's deployments are counted with what they are deployments of, and chat of OpenAI's kind as OpenAI's,
    whatever its base path."""
    return _CHAT_BASE.sub("/v1", _AZURE_DEPLOYMENT.sub("/v1", _PLACEHOLDER.sub(r"{\1}", template)), count=1)


@functools.cache
def _compiled(template: str) -> re.Pattern[str]:
    """Made when a path is first held against it: there are more templates than a server ever needs."""
    pattern = ""
    position = 0
    for placeholder in _PLACEHOLDER.finditer(template):
        pattern += re.escape(template[position : placeholder.start()])
        pattern += f"(?P<{placeholder[1]}>{'.+' if placeholder[2] else '[^/]+'})"
        position = placeholder.end()
    return re.compile(pattern + re.escape(template[position:]))
