"""chromadb's own server and the mock, asked the same.

Compared are status, error and message, ids and their order, columns, and distances to 1e-5. The real server's place in
a body (`at line 1 column 5`) is cut off. Records that are equally near, but for rounding, come in any order. What
differs on purpose is listed in docs/chroma.md, and is not asked.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from chroma_server import chroma_mock, real_chroma

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
NEAR = 1e-5
_PLACE_IN_BODY = re.compile(r" at line \d+ column \d+")
_NUMBERS = itertools.count()


class Both(NamedTuple):
    """The two servers."""

    real: httpx.Client
    ours: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> tuple[httpx.Response, httpx.Response]:
        return self.real.request(method, path, json=body), self.ours.request(method, path, json=body)

    def same(self, method: str, path: str, body: Any = None) -> Any:
        """Asks both, and gives the mock's answer, which is like the other's."""
        real, ours = self.ask(method, path, body)
        told = f"{method} {path} {json.dumps(body)[:2000]}"
        assert (ours.status_code, plain(ours)) == (real.status_code, plain(real)), told
        return ours.json()

    def collection(self, **body: Any) -> Twins:
        """A new collection in both, shown alike."""
        name = f"twins-{next(_NUMBERS)}"
        real, ours = (answer.json() for answer in self.ask("POST", f"{DATABASE}/collections", {"name": name, **body}))
        assert {**ours, "id": real["id"]} == real
        return Twins(self, name, real["id"], ours["id"])


class Twins(NamedTuple):
    """A collection that both servers have."""

    both: Both
    name: str
    real: str
    ours: str

    def ask(self, operation: str, body: Any) -> tuple[httpx.Response, httpx.Response]:
        paths = (f"{DATABASE}/collections/{id}/{operation}" for id in (self.real, self.ours))
        real, ours = (
            client.post(path, json=body) for client, path in zip((self.both.real, self.both.ours), paths, strict=True)
        )
        return real, ours

    def same(self, operation: str, body: Any) -> Any:
        real, ours = self.ask(operation, body)
        told = f"{operation} {json.dumps(body)[:2000]}"
        assert (ours.status_code, plain(ours)) == (real.status_code, plain(real)), told
        return ours.json()

    def same_nearest(self, body: Any) -> None:
        """All columns of a query, where rounding may change the order of what is equally near."""
        real, ours = self.ask("query", body)
        assert ours.status_code == real.status_code, (body, ours.text, real.text)
        if real.status_code == 200:
            theirs, mine = real.json(), ours.json()
            for place, distances in enumerate(theirs["distances"]):
                assert mine["distances"][place] == pytest.approx(distances, abs=NEAR, rel=NEAR), body
                assert _ranked(mine, place) == _ranked(theirs, place), (body, theirs, mine)
        else:
            assert plain(ours) == plain(real)


def _ranked(answer: Any, place: int) -> list[set[str]]:
    """The rows of a query in groups of those that are equally near, but for the last, which may be cut."""
    groups: list[set[str]] = []
    last = None
    columns = [answer[name][place] for name in ("ids", "distances", "documents", "metadatas", "uris")]
    for id, distance, *rest in zip(*columns, strict=True):
        if last is None or distance > last + NEAR * (1 + abs(last)):
            groups.append(set())
        groups[-1].add(json.dumps([id, rest], sort_keys=True))
        last = distance
    return groups[:-1]


def plain(response: httpx.Response) -> Any:
    """The body, without the places that errors tell."""
    return json.loads(_PLACE_IN_BODY.sub("", response.text))


@contextlib.contextmanager
def both_servers(folder: Path) -> Iterator[Both]:
    """The real one keeps what it has in the folder."""
    with (
        real_chroma(folder) as url,
        chroma_mock() as mock,
        httpx.Client(base_url=url, timeout=30, trust_env=False) as real,
        httpx.Client(base_url=mock.url, timeout=30, trust_env=False) as ours,
    ):
        yield Both(real, ours)
