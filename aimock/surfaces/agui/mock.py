"""`AGUIMock`: the AG-UI service for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aimock.documents import listed
from aimock.fixtures.patterns import Pattern
from aimock.surfaces.agui.match import MATCH_KEYS, Predicate
from aimock.surfaces.agui.section import read_entries, read_section
from aimock.surfaces.agui.service import AGUI
from aimock.surfaces.mock import ServiceMock
from aimock_protocols.agui.vocabulary import Event

Text = str | re.Pattern[str] | Pattern
"""What a text is tested for: a literal, whose case counts, or a regular expression."""


class AGUIMock(ServiceMock[AGUI]):
    """An agent. Its answers are fixtures, of which the first that fits wins.

    Every method that adds a fixture takes keys of an entry and of its match as options, in snake_case or camelCase
    (`delay_ms=5`, `validate=False`, `turn_index=0`), and raises ValueError that names the event and the rule that it
    breaks.
    """

    def __init__(self, **options: Any) -> None:
        """`options`: those of `AIMock`, for a server of its own."""
        super().__init__(AGUI(), **options)

    def add_fixture(self, entry: Mapping[str, Any]) -> Self:
        """An entry as in a config file. In its `match`, `re.Pattern` may stand for texts, and a function under
        `predicate` is asked with the request's body."""
        fixtures = [*read_entries(listed([entry], "fixtures", Path(), "fixtures"))]
        self._do(lambda: self.service.book.add(fixtures))
        return self

    def on_message(self, pattern: Text, text: str, **options: Any) -> Self:
        """Says a text."""
        return self._on({"message": pattern}, text=text, **options)

    def on_run(self, pattern: Text, events: Sequence[Event], **options: Any) -> Self:
        """Plays the events of a run: made by `aimock_protocols.agui.parts`, or as they are on the wire."""
        return self._on({"message": pattern}, events=events, **options)

    def on_tool_call(
        self,
        pattern: Text,
        tool_name: str,
        arguments: Any = None,
        *,
        result: Any = None,
        tool_call_id: str | None = None,
        **options: Any,
    ) -> Self:
        """Calls a tool; without a result the client is to bring one."""
        call = {"toolCall": tool_name, "arguments": arguments, "result": result, "toolCallId": tool_call_id}
        return self._on({"message": pattern}, run=[_given(call)], **options)

    def on_tool_result(self, tool_call_id: Text, events: str | Sequence[Event], **options: Any) -> Self:
        """Answers the result of a tool call, with a text or with events."""
        return self._on({"toolCallId": tool_call_id}, **_said(events), **options)

    def on_state_key(self, key: str, snapshot: Any, **options: Any) -> Self:
        """Answers a request whose state has the key, with a new state."""
        return self._on({"stateKey": key}, run=[{"stateSnapshot": snapshot}], **options)

    def on_reasoning(self, pattern: Text, reasoning: str, text: str | None = None, **options: Any) -> Self:
        """Thinks aloud, and says a text."""
        said = [] if text is None else [{"text": text}]
        return self._on({"message": pattern}, run=[{"reasoning": reasoning}, *said], **options)

    def on_predicate(self, predicate: Predicate, events: str | Sequence[Event], **options: Any) -> Self:
        """Answers requests for whose body (a dict) the function is true."""
        return self._on({"predicate": predicate}, **_said(events), **options)

    def on_interrupt(
        self,
        pattern: Text,
        reason: str,
        *,
        interrupt_id: str,
        message: str | None = None,
        tool_call_id: str | None = None,
        **options: Any,
    ) -> Self:
        """Ends the run with an interrupt, which another run is to answer."""
        interrupt = {"id": interrupt_id, "reason": reason, "message": message, "toolCallId": tool_call_id}
        return self._on({"message": pattern}, run=[], interrupts=[_given(interrupt)], **options)

    def on_resume(
        self,
        interrupt_id: Text,
        events: str | Sequence[Event],
        *,
        status: str | None = None,
        payload: Any = None,
        **options: Any,
    ) -> Self:
        """Goes on after an interrupt that was answered: with this status and with this in its payload, if any is
        given."""
        answer = {"interruptId": interrupt_id, "status": status, "payload": payload}
        return self._on({"resume": _given(answer)}, **_said(events), **options)

    def on_error(self, pattern: Text, message: str, code: str | None = None, **options: Any) -> Self:
        """Fails the run."""
        return self._on({"message": pattern}, run=[_given({"error": message, "code": code})], **options)

    def _on(self, match: Mapping[str, Any], **entry: Any) -> Self:
        told = {_camel(key): value for key, value in entry.items()}
        criteria = {key: told.pop(key) for key in MATCH_KEYS if key in told}
        return self.add_fixture({"match": {**match, **criteria}, **told})

    def enable_recording(
        self, upstream: str, *, fixture_path: str | Path | None = None, proxy_only: bool = False
    ) -> Self:
        """From now on asks the agent at the URL where nothing matches, and keeps what it says, unless `proxy_only`.
        What was recorded there in earlier runs answers too. Raises ValueError."""
        told = {"upstream": upstream, "proxyOnly": proxy_only, "fixturePath": fixture_path}
        section = read_section({"record": told}, Path())
        self._do(lambda: self.service.take(section))
        return self

    def disable_recording(self) -> Self:
        self._do(lambda: self.service.record(None))
        return self


def _said(events: str | Sequence[Event]) -> dict[str, Any]:
    return {"text": events} if isinstance(events, str) else {"events": events}


def _given(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
