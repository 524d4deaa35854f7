"""Fixtures from a URL: fetched once, kept in a cache for when that fails (spec: core-fixtures §7.2)."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import logging
import re
import string
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from aimock.cache import cache_directory, write_whole
from aimock.fixtures import Fixture, FixtureSourceError, Problem, Severity, shown_source
from aimock.fixtures.load import FixtureFileError, Reporter, SourceUnavailable, build_entries, parse_entries
from aimock.net.addresses import literal
from aimock.net.fetch import AddressRefused, FetchError, Target, fetch
from aimock.settings import private_urls_allowed

logger = logging.getLogger("aimock")

Get = Callable[[Target], bytes]
"""Raises FetchError."""

_PARTS = re.compile(r"(https?)://([^/?#]*)([^#]*)(#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[(?P<address>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")
_FORBIDDEN = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")


def get(target: Target) -> bytes:
    """Fetches, in a thread and a loop of its own: the caller may well be in one. Raises FetchError."""
    outcome: concurrent.futures.Future[bytes] = concurrent.futures.Future()

    def run() -> None:
        try:
            outcome.set_result(trio.run(functools.partial(fetch, target, allow_private=private_urls_allowed())))
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon: a server that is told to stop while it fetches does not wait for that.
    threading.Thread(target=run, name="aimock fetch", daemon=True).start()
    return outcome.result()


def load_remote(url: str, report: Reporter, get: Get = get) -> list[Fixture]:
    """The fixtures at a URL, or the cached ones if it cannot be had, with a warning.

    Raises FixtureSourceError: SourceUnavailable if there are none, or if it leads to an address that is not public;
    for a URL that is no good, the plain one.
    """
    target = parse_url(url)
    name = shown_source(url)
    try:
        data = get(target)
        entries = parse_entries(data)
    except AddressRefused as refusal:
        raise SourceUnavailable(url, f"refused: {refusal} (AIMOCK_ALLOW_PRIVATE_URLS=1 allows it)") from refusal
    except (FetchError, FixtureFileError) as failure:
        cached = _cached(url)
        if cached is None:
            raise SourceUnavailable(url, str(failure)) from failure
        entries = cached
        report(Problem(name, None, Severity.WARNING, f"{failure}; the copy of an earlier fetch is used"))
    else:
        _keep(url, data)
    return build_entries(entries, report, name, name)


def parse_url(url: str) -> Target:
    """The parts of a URL. Raises FixtureSourceError, which does not repeat what may be a secret."""

    def fault(message: str) -> FixtureSourceError:
        return FixtureSourceError(url, message)

    if _FORBIDDEN.search(url):
        raise fault("a URL has no spaces, control characters or backslashes")
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise fault("only http and https URLs are supported")
    scheme, authority, path, _ = parts.groups()
    if "@" in authority:
        raise fault("a URL with a user or a password is not taken: it would show in logs and lists of processes")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise fault("expected a host, or a host and a port")
    host = found["name"] if found["address"] is None else found["address"]
    if not host or (found["address"] is not None and ":" not in host):
        raise fault("expected a host, an IPv6 address in brackets")
    try:
        address = literal(host)
    except ValueError as error:
        raise fault(str(error)) from None
    secure = scheme.lower() == "https"
    port = int(found["port"] or (443 if secure else 80))
    if not 1 <= port <= 65535:
        raise fault("expected a port from 1 to 65535")
    if not path.startswith("/"):
        path = "/" + path
    path = urllib.parse.quote(path, safe=string.punctuation)
    return Target(secure, host.lower() if address is None else str(address), port, path)


# -- the cache -----------------------------------------------------------------------------------------------------


def cache_file(url: str) -> Path:
    """Where the copy of a URL's fixtures is kept. Raises RuntimeError if the user has no home directory."""
    return cache_directory() / "fixtures" / hashlib.sha256(url.encode()).hexdigest() / "fixtures.json"


def _cached(url: str) -> list[Any] | None:
    try:
        return parse_entries(cache_file(url).read_bytes())
    except (OSError, RuntimeError, FixtureFileError):
        return None


def _keep(url: str, data: bytes) -> None:
    try:
        file = cache_file(url)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, data)
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        logger.warning("%s: no copy is kept: %s", shown_source(url), reason)
