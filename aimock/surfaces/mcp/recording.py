"""Learning from a real server: its lists, once; and its answer to each call that nothing here answers.

All that was learned stands in one file, a section as `aimock mcp import` writes it, which is read at the next start:
then the real server is only asked what is not in it. Headers are never saved, nor what repeats them.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import attrs
import trio

from aimock.cache import write_whole
from aimock.reading import Keys, keyed, mapping, text
from aimock.record.upstream import UpstreamFailed
from aimock.surfaces.mcp.entries import Entry
from aimock.surfaces.mcp.importing import case_of, imported, without_secrets
from aimock.surfaces.mcp.reading import READERS
from aimock.surfaces.mcp.registry import Registry
from aimock.surfaces.mcp.remote import Remote, RemoteError
from aimock.surfaces.mcp.script import Case, contains
from aimock_protocols.jsonrpc import INTERNAL_ERROR, RpcError

logger = logging.getLogger("aimock")

_MOST_CASES = 10_000
"""In one file."""
_KEYS: Keys = {"upstream": text, "file": text, "headers": mapping}


class Recorder:
    """One real server, and the file of what it said."""

    def __init__(self, registry: Registry, given: Any, directory: Path) -> None:
        """`given`: `{"upstream": URL, "file": …, "headers": {…}}`; the file's path is relative to the directory. Raises
        ValueError that names the key."""
        told = keyed(given, "record", _KEYS, ("upstream",))
        headers = told.get("headers", {})
        for name, value in headers.items():
            if not isinstance(value, str) or not (name + value).isascii() or not (name + value).isprintable():
                raise ValueError(f"record.headers.{name}: expected a string of ASCII")
        self._headers = tuple(headers.items())
        try:
            self._remote = Remote(told["upstream"], self._headers)
        except ValueError as expected:
            raise ValueError(f"record.upstream: expected {expected}") from None  # not what it was: it may have a key
        self._file = directory / told.get("file", f"mcp-{self._remote.authority.replace(':', '-')}.json")
        self._registry = registry
        self._section: dict[str, Any] = {}
        self._is_ready = False
        self._one_at_a_time = trio.Lock()
        self._read()

    @property
    def is_ready(self) -> bool:
        return self._is_ready

    async def prepare(self) -> None:
        """Raises RpcError."""
        async with self._one_at_a_time:
            if self._is_ready or self._read():
                return
            section = await self._asked(imported(self._remote, (), self._warn))
            self._section = without_secrets(section, self._headers)
            self._serve()
            await self._write()

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Raises RpcError."""
        async with self._one_at_a_time:
            known = self._known(name, arguments)
            if known is not None:  # somebody else has asked meanwhile
                return known
            schema = self._tool(name).definition["inputSchema"]
            result = await self._asked(self._remote.call(name, arguments, schema))
            case = without_secrets(case_of(arguments, result), self._headers)
            answer: dict[str, Any] = case["result"]
            if "content" not in answer:
                raise RpcError(INTERNAL_ERROR, f"{name} wants something of its client before it answers")
            if case["arguments"] != arguments:
                return answer  # they had a secret in them, and are not written down
            if self._recorded >= _MOST_CASES:
                logger.warning("%s: %d answers are recorded; no more are", self._file.name, self._recorded)
            else:
                self._learn(name, case)
                await self._write()
            return answer

    @property
    def _recorded(self) -> int:
        return sum(len(tool.get("cases", ())) for tool in self._section.get("tools", ()))

    def forget(self) -> None:
        """What was learned is read again, from the file, or else from the real server."""
        self._is_ready = False

    async def aclose(self) -> None:
        await self._remote.aclose()

    async def _asked(self, question: Any) -> Any:
        """What the real server answers. Raises RpcError."""
        try:
            return await question
        except RemoteError as error:
            told = without_secrets(error.error, self._headers)
            raise RpcError(told.get("code", INTERNAL_ERROR), str(told.get("message")), told.get("data")) from None
        except UpstreamFailed as error:
            raise RpcError(INTERNAL_ERROR, error.message) from None

    # -- what is known ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Serves what the section has; entries that are there already keep what they answer, and get its cases."""
        for kind, read in READERS.items():
            for place, value in enumerate(self._section.get(kind, ())):
                entry = read(value, f"{kind}[{place}]")
                known = self._registry.get(kind, entry.key)
                if known is None:
                    self._registry.put(entry)
                else:
                    self._add_cases(known, entry.script.cases)
        self._is_ready = True

    def _tool(self, name: str) -> Entry:
        """One that is listed. Raises RpcError if it is gone by now."""
        tool = self._registry.get("tools", name)
        if tool is None:
            raise RpcError(INTERNAL_ERROR, f"{name} was removed meanwhile")
        return tool

    def _learn(self, name: str, case: dict[str, Any]) -> None:
        known = self._tool(name)
        tools = self._section.setdefault("tools", [])
        entry = next((tool for tool in tools if tool["name"] == name), None)
        if entry is None:  # it was told of by others, and the real server may have it under the same name
            entry = dict(known.definition)
            tools.append(entry)
        entry.setdefault("cases", []).append(case)
        self._add_cases(known, READERS["tools"](entry, name).script.cases[-1:])

    def _add_cases(self, entry: Entry, cases: tuple[Case, ...]) -> None:
        script = attrs.evolve(entry.script, cases=(*entry.script.cases, *cases))
        self._registry.amend(attrs.evolve(entry, script=script))

    def _known(self, name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """What was recorded for a call."""
        tools = self._section.get("tools", ())
        cases = next((tool.get("cases", ()) for tool in tools if tool["name"] == name), ())
        for case in cases:
            if contains(case["arguments"], arguments) and contains(arguments, case["arguments"]):
                answer: dict[str, Any] = case["result"]
                return answer
        return None

    # -- the file --------------------------------------------------------------------------------------------------

    def _read(self) -> bool:
        """Serves what the file has, if there is one; whether there is. Raises ValueError if it is none of ours."""
        try:
            content = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            raise ValueError(f"record.file: {self._file} cannot be read: {error}") from None
        section = content.get("mcp") if isinstance(content, dict) else None
        if not isinstance(section, dict):
            raise ValueError(f"record.file: {self._file}: expected an object with a section mcp")
        self._section = section
        self._serve()
        return True

    async def _write(self) -> None:
        text = json.dumps({"mcp": self._section}, indent=2, ensure_ascii=False) + "\n"
        try:
            await trio.to_thread.run_sync(write_whole, self._file, text.encode())
        except OSError as error:
            logger.error("%s: %s: what was recorded is kept in memory only", self._file, error.strerror)

    def _warn(self, text: str) -> None:
        logger.warning("%s: %s", self._file.name, without_secrets(text, self._headers))
