"""Entries from JSON: the reference's shapes and ours. What is wrong is said by its place, with the nearest key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from aimock.chaos import Level
from aimock.fixtures import Chaos
from aimock.fixtures.faults import read_faults
from aimock.reading import (
    Check,
    Keys,
    Read,
    anything,
    array,
    filled,
    flag,
    integer,
    keyed,
    mapping,
    of_kind,
    one_of,
    placed,
    text,
    unlike,
)
from aimock.surfaces.mcp.entries import (
    Entry,
    Handler,
    Prompt,
    Resource,
    ResourceTemplate,
    Tool,
    prompt_result,
    resource_result,
    tool_result,
)
from aimock.surfaces.mcp.moves import CAPABILITIES, Wanted
from aimock.surfaces.mcp.script import Case, Change, Delay, Log, Progress, Questions, Reconnect, Script, Step, Verbatim
from aimock.surfaces.mcp.tasks import Lasting
from aimock.surfaces.mcp.validation import Checked, check_schema
from aimock_protocols.jsonrpc import RpcError
from aimock_protocols.mcp.envelope import LEVELS
from aimock_protocols.mcp.header_values import mirrored
from aimock_protocols.mcp.uri_templates import UriTemplate

NUMBER: Check[float] = of_kind("a number", {"type": "number"}, lambda value: type(value) in (int, float))
ONE_OR_MORE: Check[Any] = of_kind(
    "an object or an array of them", {"type": ["object", "array"]}, lambda value: isinstance(value, dict | list)
)

_SCRIPT: dict[str, Read] = {
    "result": anything,
    "results": array,
    "cases": array,
    "steps": array,
    "delayMs": NUMBER,
    "log": ONE_OR_MORE,
    "progress": ONE_OR_MORE,
    "sampling": ONE_OR_MORE,
    "elicitation": ONE_OR_MORE,
    "roots": ONE_OR_MORE,
}
_CASE: dict[str, Read] = {"arguments": mapping, "input": mapping, "recorded": flag}
_TASK: dict[str, Read] = {
    "ttlMs": integer,
    "pollIntervalMs": integer,
    "statusMessage": text,
    **{key: read for key, read in _SCRIPT.items() if key not in ("result", "results", "cases")},
}
_ABOUT: dict[str, Read] = {"title": text, "description": text, "icons": array, "_meta": mapping}
_TOOL: dict[str, Read] = _ABOUT | {
    "name": text,
    "inputSchema": mapping,
    "outputSchema": mapping,
    "annotations": mapping,
    "execution": mapping,
}
_HELD: dict[str, Read] = _ABOUT | {"name": text, "mimeType": text, "annotations": mapping}
_RESOURCE: dict[str, Read] = _HELD | {"uri": text, "size": integer}
_TEMPLATE: dict[str, Read] = _HELD | {"uriTemplate": text}
_PROMPT: dict[str, Read] = _ABOUT | {"name": text, "arguments": array}
_ARGUMENT: dict[str, Read] = {"name": text, "title": text, "description": text, "required": flag}
_BODY: dict[str, Read] = {"text": text, "blob": text, "contents": array}

_ASKED_BY = {"sampling": "sampling/createMessage", "elicitation": "elicitation/create", "roots": "roots/list"}
"""Keys that ask the client, and the method of the question."""

_LATE_MS = 3_600_000


def tool(value: Any, where: str, handler: Handler | None = None) -> Tool:
    """Raises ValueError, as do all of these."""
    value = keyed(value, where, *ENTRIES["tools"])
    filled(value["name"], f"{where}.name")
    definition = {key: inner for key, inner in value.items() if key in _TOOL}
    # Clients refuse a whole list for one tool without a schema.
    schema = definition["inputSchema"] = {"type": "object"} | (definition.get("inputSchema") or {})
    if schema["type"] != "object":
        raise unlike(f"{where}.inputSchema.type", '"object"', schema["type"])
    output = definition.get("outputSchema")
    for name, held in (("inputSchema", schema), ("outputSchema", output)):
        if held is not None and held.keys() - {"type"}:
            placed(check_schema, held, f"{where}.{name}")
    if "task" in value:
        definition["execution"] = {"taskSupport": "optional"} | definition.get("execution", {})
    support = definition.get("execution", {}).get("taskSupport", "forbidden")
    one_of("required", "optional", "forbidden")(support, f"{where}.execution.taskSupport")
    checked = None if output is None else Checked(output)

    def check(answer: Any) -> None:
        result = tool_result(answer)
        if checked is None or result["isError"] or "{{" in orjson.dumps(result).decode():
            return
        fault = checked.fault(result.get("structuredContent"))
        if fault is not None:
            raise ValueError(f"structuredContent does not fit outputSchema: {fault}")

    repeated = placed(mirrored, schema, f"{where}.inputSchema")
    level = None
    if "fault" in value:
        level = Level(Chaos(faults=placed(read_faults, value["fault"], f"{where}.fault")))
    task = keyed(value.get("task", {}), f"{where}.task", _TASK)
    later = _steps(task, f"{where}.task")
    lasting = Lasting(
        task.get("ttlMs", Lasting().ttl_ms), task.get("pollIntervalMs", Lasting().poll_ms), task.get("statusMessage")
    )
    script = _script(value, where, check)
    return Tool(definition, script, Checked(schema), checked, repeated, handler, later, lasting, level)


def resource(value: Any, where: str, handler: Handler | None = None) -> Resource:
    value = keyed(value, where, *ENTRIES["resources"])
    filled(value["uri"], f"{where}.uri")
    definition = {"name": value["uri"]} | {key: inner for key, inner in value.items() if key in _RESOURCE}
    return Resource(definition, _held_script(value, where, definition), handler)


def resource_template(value: Any, where: str, handler: Handler | None = None) -> ResourceTemplate:
    value = keyed(value, where, *ENTRIES["resourceTemplates"])
    template = placed(UriTemplate, value["uriTemplate"], f"{where}.uriTemplate")
    definition = {"name": value["uriTemplate"]} | {key: inner for key, inner in value.items() if key in _TEMPLATE}
    return ResourceTemplate(definition, _held_script(value, where, definition), template, handler)


def prompt(value: Any, where: str, handler: Handler | None = None) -> Prompt:
    value = keyed(value, where, *ENTRIES["prompts"])
    filled(value["name"], f"{where}.name")
    for number, argument in enumerate(value.get("arguments", ())):
        keyed(argument, f"{where}.arguments[{number}]", _ARGUMENT, ("name",))
    definition = {key: inner for key, inner in value.items() if key in _PROMPT}
    return Prompt(definition, _script(value, where, prompt_result), handler)


ENTRIES: dict[str, tuple[dict[str, Read], tuple[str, ...]]] = {
    "tools": (_TOOL | _SCRIPT | {"task": mapping, "fault": anything}, ("name",)),
    "resources": (_RESOURCE | _BODY | _SCRIPT, ("uri",)),
    "resourceTemplates": (_TEMPLATE | _BODY | _SCRIPT, ("uriTemplate",)),
    "prompts": (_PROMPT | _SCRIPT, ("name",)),
}
"""The keys of entries, and those that must be there, by the key of the section."""

READERS: dict[str, Callable[..., Entry]] = {
    "tools": tool,
    "resources": resource,
    "resourceTemplates": resource_template,
    "prompts": prompt,
}
"""By the key of the section."""


# -- scripts -----------------------------------------------------------------------------------------------------------


def _held_script(value: dict[str, Any], where: str, definition: dict[str, Any]) -> Script:
    """That of a resource, whose answer may stand in the entry itself."""
    body = {key: value[key] for key in _BODY if key in value}
    if len(body) > 1:
        raise ValueError(f"{where}: one of {', '.join(_BODY)} says what it holds, not {' and '.join(body)}")
    if body and ("result" in value or "results" in value):
        raise ValueError(f"{where}: {next(iter(body))} says what it holds, and so does result")
    held = {key: inner for key, inner in value.items() if key not in _BODY} | ({"result": body} if body else {})
    uri = definition.get("uri", "")
    return _script(held, where, lambda answer: resource_result(answer, definition, uri))


def _script(value: dict[str, Any], where: str, check: Callable[[Any], object]) -> Script:
    cases = []
    for number, case in enumerate(value.get("cases", ())):
        here = f"{where}.cases[{number}]"
        kinds = {key: kind for key, kind in _SCRIPT.items() if key != "cases"} | _CASE
        case = keyed(case, here, kinds)
        answers = _answers(case, here, check)
        recorded = case.get("recorded", False)
        if recorded:
            answers = tuple(map(Verbatim, answers or ()))
        arguments, steps = case.get("arguments", {}), _steps(case, here)
        cases.append(Case(arguments, case.get("input", {}), steps, answers or (), recorded))
    answers = _answers(value, where, check)
    if answers is None:  # an entry that says nothing answers nothing; one with cases answers only to those
        answers = () if "cases" in value else (None,)
    return Script(_steps(value, where), answers, tuple(cases))


def _answers(value: dict[str, Any], where: str, check: Callable[[Any], object]) -> tuple[Any, ...] | None:
    if "result" in value and "results" in value:
        raise ValueError(f"{where}: one of result and results, not both")
    if "results" in value and not value["results"]:
        raise ValueError(f"{where}.results: expected one result or more")
    answers = {f"results[{number}]": answer for number, answer in enumerate(value.get("results", ()))}
    if "result" in value:
        answers = {"result": value["result"]}
    for place, answer in answers.items():
        try:
            check(answer)
        except RpcError:
            pass  # an answer that is an error, and a sound one
        except ValueError as wrong:
            raise ValueError(f"{where}.{place}: {wrong}") from None
    return tuple(answers.values()) or None


def _steps(value: dict[str, Any], where: str) -> tuple[Step, ...]:
    """What is done on the way: the short keys in the order of the table, then `steps`."""
    found: list[Step] = []
    for key, read in _STEPS.items():
        if key in value and key in _SCRIPT:
            found += read(value[key], f"{where}.{key}")
    asked: dict[str, Wanted] = {}
    for key in _ASKED_BY:
        for number, params in enumerate(_listed(value.get(key, []))):
            here = f"{where}.{key}" + (f"[{number}]" if isinstance(value[key], list) else "")
            params = mapping(params, here)
            name = params.pop("key", key)
            if name in asked or not isinstance(name, str):
                raise unlike(f"{here}.key", "a name that no other question has", name)
            asked[name] = _wanted(key, params, here)
    if asked:
        found.append(Questions(asked))
    for number, step in enumerate(value.get("steps", ())):
        here = f"{where}.steps[{number}]"
        step = keyed(step, here, dict.fromkeys(_STEPS, anything))
        if not step:
            raise ValueError(f"{here}: expected one of {', '.join(_STEPS)}")
        for key, inner in step.items():
            found += _STEPS[key](inner, f"{here}.{key}")
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _seconds(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATE_MS:
        raise unlike(where, f"milliseconds from 0 to {_LATE_MS}", value)
    return value / 1000


def _delay(value: Any, where: str) -> list[Step]:
    return [Delay(_seconds(value, where))]


def _timed(step: dict[str, Any], where: str) -> list[Step]:
    """The delay that a step begins with, if it has one."""
    return _delay(step["delayMs"], f"{where}.delayMs") if "delayMs" in step else []


def _log(value: Any, where: str) -> list[Step]:
    kinds: Keys = {"level": text, "logger": text, "data": anything, "delayMs": NUMBER}
    found: list[Step] = []
    for step in _listed(value):
        step = keyed(step, where, kinds, ("data",))
        level = one_of(*LEVELS)(step.get("level", "info"), f"{where}.level")
        found += [*_timed(step, where), Log(level, step["data"], step.get("logger"))]
    return found


def _progress(value: Any, where: str) -> list[Step]:
    kinds: Keys = {"progress": NUMBER, "total": NUMBER, "message": text, "delayMs": NUMBER}
    found: list[Step] = []
    last = float("-inf")
    for step in _listed(value):
        step = keyed(step, where, kinds, ("progress",))
        if step["progress"] <= last:
            raise unlike(f"{where}.progress", f"more than before ({last})", step["progress"])
        last = step["progress"]
        found += [*_timed(step, where), Progress(last, step.get("total"), step.get("message"))]
    return found


def _ask(value: Any, where: str) -> list[Step]:
    wanted = {}
    for name, question in mapping(value, where).items():
        here = f"{where}.{name}"
        question = keyed(question, here, {**dict.fromkeys(_ASKED_BY, mapping), "optional": flag})
        kinds = [key for key in question if key in _ASKED_BY]
        if len(kinds) != 1:
            raise ValueError(f"{here}: expected one of {', '.join(_ASKED_BY)}")
        params = dict(question[kinds[0]]) | {"optional": question.get("optional", False)}
        wanted[name] = _wanted(kinds[0], params, f"{here}.{kinds[0]}")
    return [Questions(wanted)]


def _wanted(kind: str, params: dict[str, Any], where: str) -> Wanted:
    optional = flag(params.pop("optional", False), f"{where}.optional")
    if kind == "sampling":
        params = {"maxTokens": 100} | params
        if isinstance(params.get("messages"), str):
            params["messages"] = [{"role": "user", "content": {"type": "text", "text": params["messages"]}}]
        if not isinstance(params.get("messages"), list):
            raise ValueError(f"{where}.messages: expected an array of messages, or a text")
    elif kind == "elicitation":
        is_form = params.get("mode", "form") == "form"
        own: Keys = {"requestedSchema": mapping} if is_form else {"url": text, "elicitationId": text}
        for key, read in ({"message": text} | dict(own)).items():
            read(params.get(key), f"{where}.{key}")
    method = _ASKED_BY[kind]
    assert method in CAPABILITIES
    return Wanted(method, params, optional)


def _change(value: Any, where: str) -> list[Step]:
    if not isinstance(value, str) or not (value in ("tools", "prompts", "resources") or ":" in value):
        raise unlike(where, "tools, prompts, resources or the URI of a resource", value)
    return [Change(value)]


def _reconnect(value: Any, where: str) -> list[Step]:
    return [Reconnect(round(_seconds(value, where) * 1000))]


_STEPS: dict[str, Callable[[Any, str], list[Step]]] = {
    "delayMs": _delay,
    "log": _log,
    "progress": _progress,
    "ask": _ask,
    "changed": _change,
    "reconnectMs": _reconnect,
}
