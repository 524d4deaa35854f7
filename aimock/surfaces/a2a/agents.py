"""Agents: what their cards say, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aimock import reading
from aimock.bounded import Bounded
from aimock.fixtures.patterns import Needle, occurs
from aimock.reading import Keys, keyed, object_of, object_schema, reads, unlike
from aimock.surfaces.a2a.entries import SECTIONS, Entry, reader
from aimock_protocols.a2a.versions import Version

_TEST_IDS = 500


@reads({"type": "array", "items": {"enum": [version.value for version in Version]}, "minItems": 1})
def _versions(value: Any, place: str) -> tuple[Version, ...]:
    named = []
    for index, each in enumerate(reading.many(reading.text)(value, place)):
        if each not in [version.value for version in Version]:
            raise unlike(f"{place}[{index}]", '"1.0" or "0.3"', each)
        named.append(Version(each))
    if not named:
        raise unlike(place, "one or more versions", value)
    return tuple(named)


_requirements = reading.many(reading.mapping)
_SKILL: Keys = {
    **dict.fromkeys(("id", "name", "description"), reading.text),
    **dict.fromkeys(("tags", "examples", "inputModes", "outputModes"), reading.many(reading.text)),
    "securityRequirements": _requirements,
}


@reads(object_schema(_SKILL, ("id",)))
def _skill(value: Any, place: str) -> dict[str, Any]:
    """A skill, with the fields that readers require."""
    given = keyed(value, place, _SKILL, ("id",))
    name = given.get("name") or given["id"]
    return {"description": name, **given, "name": name, "tags": given.get("tags") or ["mock"]}


_EXTENSION: Keys = {
    "uri": reading.filled,
    "description": reading.text,
    "required": reading.flag,
    "params": reading.mapping,
}
_CAPABILITIES: Keys = {
    "streaming": reading.flag,
    "pushNotifications": reading.flag,
    "extendedAgentCard": reading.flag,
    "stateTransitionHistory": reading.flag,
    "extensions": reading.many(object_of(_EXTENSION, ("uri",))),
}
_CARD: Keys = {
    "description": reading.text,
    "version": reading.text,
    "provider": object_of({"url": reading.text, "organization": reading.text}),
    "documentationUrl": reading.text,
    "iconUrl": reading.text,
    "capabilities": object_of(_CAPABILITIES),
    "securitySchemes": reading.mapping,
    "securityRequirements": _requirements,
    "defaultInputModes": reading.many(reading.text),
    "defaultOutputModes": reading.many(reading.text),
    "skills": reading.many(_skill),
}
"""What a card says, other than where the agent is."""


KEYS: Keys = {
    "name": reading.filled,
    **_CARD,
    "extendedCard": object_of({"name": reading.filled, **_CARD}),
    "protocolVersions": _versions,
    **{section: reading.many(reader(section)) for section in SECTIONS},
}


@attrs.define(eq=False)
class Agent:
    """One agent. Changed only from the server's loop."""

    name: str
    described: dict[str, Any] = attrs.field(factory=dict)
    """Fields of its card."""
    extended: dict[str, Any] | None = None
    """Those that its extended card has otherwise."""
    versions: tuple[Version, ...] = tuple(Version)
    entries: list[Entry] = attrs.field(factory=list)

    @property
    def capabilities(self) -> dict[str, Any]:
        told = {"streaming": True, "pushNotifications": True, "extendedAgentCard": self.extended is not None}
        return {**told, **self.described.get("capabilities", {})}

    def refused_mode(self, parts: list[dict[str, Any]]) -> str | None:
        """A media type of the parts that the agent does not take, if its owner has said which it does."""
        if "defaultInputModes" not in self.described:
            return None
        taken = {*self.described["defaultInputModes"]}
        for skill in self.described.get("skills", []):
            taken.update(skill.get("inputModes", []))
        return next((part["mediaType"] for part in parts if part.get("mediaType", "") not in ("", *taken)), None)

    def card_fields(self, extended: bool = False) -> dict[str, Any]:
        """What its card says: the fields that readers require, and what else its owner has said."""
        own = {**self.described, **(self.extended or {} if extended else {})}
        own["capabilities"] = self.capabilities | own.get("capabilities", {})
        told: dict[str, Any] = {"name": self.name, "description": self.name, "version": "1.0.0", **own}
        if not told.get("skills"):
            told["skills"] = [_skill({"id": self.name}, "")]
        return told

    def take(self, given: Mapping[str, Any]) -> None:
        """Has what a definition says besides what it had."""
        self.described |= {key: given[key] for key in _CARD if key in given}
        self.extended = given.get("extendedCard", self.extended)
        self.versions = given.get("protocolVersions", self.versions)
        for section in SECTIONS:
            self.entries += given.get(section, ())


class Agents:
    """The agents of a service, in the order in which they were registered, and which of their entries answers."""

    def __init__(self) -> None:
        self._named: dict[str, Agent] = {}
        self._heard: Bounded[str, dict[tuple[str, Needle], int]] = Bounded(_TEST_IDS)
        """Under each test id, how many messages each agent's pattern was found in."""

    def __len__(self) -> int:
        return len(self._named)

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._named.values())

    def named(self, name: str) -> Agent | None:
        return self._named.get(name)

    @property
    def first(self) -> Agent | None:
        return next(iter(self), None)

    def take(self, definitions: list[dict[str, Any]]) -> int:
        """Registers agents, or adds to those of the same names; how many agents and entries that adds."""
        added = 0
        for given in definitions:
            agent = self._named.get(given["name"])
            if agent is None:
                agent = self._named[given["name"]] = Agent(given["name"])
                added += 1
            agent.take(given)
            added += sum(len(given.get(section, ())) for section in SECTIONS)
        return added

    def clear(self) -> None:
        self._named.clear()
        self.rewind()

    def rewind(self, test_id: str | None = None) -> None:
        """Counts anew, under one test id or all."""
        if test_id is None:
            self._heard.clear()
        else:
            self._heard.pop(test_id, None)

    def match(
        self, only: Agent | None, text: str, message_id: str, test_id: str, streamed: bool
    ) -> tuple[Agent, Entry] | None:
        """The entry that answers, of one agent or the first of all that has one, and whose it is. It is counted. What
        is meant to be streamed comes first, if a stream is wanted."""
        heard = self._heard.get(test_id, {})

        def fits(agent: Agent, entry: Entry) -> bool:
            return (
                occurs(entry.pattern, text)
                and (entry.message_id_prefix is None or message_id.startswith(entry.message_id_prefix))
                and entry.sequence_index in (None, heard.get((agent.name, entry.pattern), 0))
            )

        candidates = [(agent, entry) for agent in ([only] if only else self) for entry in agent.entries]
        if streamed:
            candidates.sort(key=lambda candidate: not candidate[1].is_scripted)
        found = next((candidate for candidate in candidates if fits(*candidate)), None)
        if found is not None:
            key = (found[0].name, found[1].pattern)
            if test_id not in self._heard:
                self._heard.keep(test_id, heard)
            heard[key] = heard.get(key, 0) + 1
        return found


@reads({"type": "array", "items": object_schema(KEYS, ("name",))})
def read_definitions(value: Any, place: str) -> list[dict[str, Any]]:
    """Definitions of agents: an array, or one."""
    given = [value] if isinstance(value, Mapping) else value
    return reading.many(lambda each, where: keyed(each, where, KEYS, ("name",)))(given, place)
