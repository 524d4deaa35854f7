"""What the suite's clients send in confidence, sought in all that its servers log, journal and write into files.

Secrets are told by where they travel, by names that this module guesses more freely than the server does. Short values
(`test`, `any`) are none: they occur in other texts. What processes of their own write, `test_secrets.py` looks through.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aimock.cache
from aimock.journal import Entry, Journal
from aimock.net.exchange import Head

SHORTEST = 8
MOST_ENTRIES = 20
"""Of a test, that are looked through."""

_CONFIDENTIAL = re.compile(
    r"auth|cookie|secret|signature|(?<!page)(?<!pagination)token|(api|subscription)[-_]?key|^key$|^sig$", re.IGNORECASE
)
_PUBLIC = re.compile(r"idempoten|authority|max[-_]?token|Bearer$|Basic$", re.IGNORECASE)


def secrets_of(head: Head) -> set[str]:
    """All that should be known to nobody but the two ends."""
    lines = list(head.header_lines)
    lines += urllib.parse.parse_qsl(head.target.partition("?")[2])
    found = {part for name, value in lines if _CONFIDENTIAL.search(name) for part in _parts(value)}
    for name, value in lines:
        if name == "sec-websocket-protocol":
            found |= {each.strip().rpartition("api-key.")[2] for each in value.split(",") if "api-key." in each}
    return {each for each in found if len(each) >= SHORTEST and not _PUBLIC.search(each)}


def _parts(value: str) -> Iterator[str]:
    if "Signature=" in value:
        yield value.rpartition("Signature=")[2]  # before it: who signs, what and when
        return
    for part in re.split(r"[;,\s]+", value):
        yield part.partition("=")[2] if re.match(r"\w+=[^=]", part) else part
    scheme, _, coded = value.partition(" ")
    if scheme.lower() == "basic":
        try:
            yield base64.b64decode(coded).decode().partition(":")[2]
        except ValueError:  # whatever is no Base64 of UTF-8
            return


class Watch(logging.Handler):
    """Over one test at a time."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.begin()

    def begin(self) -> None:
        self.secrets: set[str] = set()
        self.entries: list[Entry] = []
        self.written: list[tuple[str, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(("the log", (record.getMessage() + str(record.exc_text or "")).encode()))

    def note(self, entry: Entry) -> None:
        secrets = secrets_of(entry.request.head)
        self.secrets |= secrets
        if secrets and len(self.entries) < MOST_ENTRIES:
            self.entries.append(entry)

    def leaks(self) -> list[str]:
        """Which secrets are where."""
        if not self.secrets:
            return []
        journal = [("the journal", json.dumps(entry.to_json()).encode()) for entry in self.entries]
        said = [*self.written, *journal]
        return [f"{secret} is in {place}" for secret in self.secrets for place, data in said if secret.encode() in data]


watch = Watch()


def install() -> None:
    """Before anything is imported that writes files."""
    add, write = Journal.add, aimock.cache.write_whole

    def noted(journal: Journal, entry: Entry) -> None:
        watch.note(entry)
        add(journal, entry)

    def seen(path: Path, data: bytes, *args: Any, **more: Any) -> None:
        watch.written.append((str(path), bytes(data)))
        write(path, data, *args, **more)

    Journal.add = noted  # type: ignore[method-assign]
    aimock.cache.write_whole = seen
    logging.getLogger("aimock").addHandler(watch)
