"""Entries from JSON: the reference's shapes and ours. What is wrong is said by its place, with the nearest key."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

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
from aimock.surfaces.mcp.script import Case, Change, Delay, Log, Progress, Questions, Reconnect, Script, Step
from aimock.surfaces.mcp.tasks import Lasting
from aimock.surfaces.mcp.validation import Checked, check_schema
from aimock_protocols.jsonrpc import RpcError
from aimock_protocols.mcp.envelope import LEVELS
from aimock_protocols.mcp.header_values import mirrored
from aimock_protocols.mcp.uri_templates import UriTemplate

Kind = tuple[tuple[type, ...], str]
"""Types that a value may have, and what to call them."""

TEXT: Kind = ((str,), "a string")
OBJECT: Kind = ((dict,), "an object")
ARRAY: Kind = ((list,), "an array")
FLAG: Kind = ((bool,), "true or false")
NUMBER: Kind = ((int, float), "a number")
COUNT: Kind = ((int,), "an integer")
ANY: Kind = ((object,), "a value")
ONE_OR_MORE: Kind = ((dict, list), "an object or an array of them")

_SCRIPT: dict[str, Kind] = {
    "result": ANY,
    "results": ARRAY,
    "cases": ARRAY,
    "steps": ARRAY,
    "delayMs": NUMBER,
    "log": ONE_OR_MORE,
    "progress": ONE_OR_MORE,
    "sampling": ONE_OR_MORE,
    "elicitation": ONE_OR_MORE,
    "roots": ONE_OR_MORE,
}
_TASK: dict[str, Kind] = {"ttlMs": COUNT, "pollIntervalMs": COUNT, "statusMessage": TEXT} | {
    key: kind for key, kind in _SCRIPT.items() if key not in ("result", "results", "cases")
}
_ABOUT: dict[str, Kind] = {"title": TEXT, "description": TEXT, "icons": ARRAY, "_meta": OBJECT}
_TOOL: dict[str, Kind] = _ABOUT | {
    "name": TEXT,
    "inputSchema": OBJECT,
    "outputSchema": OBJECT,
    "annotations": OBJECT,
    "execution": OBJECT,
}
_HELD: dict[str, Kind] = _ABOUT | {"name": TEXT, "mimeType": TEXT, "annotations": OBJECT}
_RESOURCE: dict[str, Kind] = _HELD | {"uri": TEXT, "size": COUNT}
_TEMPLATE: dict[str, Kind] = _HELD | {"uriTemplate": TEXT}
_PROMPT: dict[str, Kind] = _ABOUT | {"name": TEXT, "arguments": ARRAY}
_ARGUMENT: dict[str, Kind] = {"name": TEXT, "title": TEXT, "description": TEXT, "required": FLAG}
_BODY: dict[str, Kind] = {"text": TEXT, "blob": TEXT, "contents": ARRAY}

_ASKED_BY = {"sampling": "sampling/createMessage", "elicitation": "elicitation/create", "roots": "roots/list"}
"""Keys that ask the client, and the method of the question."""

_LATE_MS = 3_600_000


def object_of(value: Any, where: str, kinds: Mapping[str, Kind], required: Iterable[str] = ()) -> dict[str, Any]:
    """`value` if it is an object of these keys. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected an object, got {shown(value)}".lstrip(": "))
    for key, inner in value.items():
        if key not in kinds:
            nearest = difflib.get_close_matches(key, kinds, n=1, cutoff=0.5)
            hint = f"the nearest is {nearest[0]!r}" if nearest else f"expected one of {', '.join(kinds)}"
            raise ValueError(f"{where}.{key}: unknown key; {hint}".lstrip("."))
        types, name = kinds[key]
        if not isinstance(inner, types) or (isinstance(inner, bool) and bool not in types and object not in types):
            raise ValueError(f"{where}.{key}: expected {name}, got {shown(inner)}".lstrip("."))
    for key in required:
        if key not in value:
            raise ValueError(f"{where}: {key} is missing")
    return value


def shown(value: Any) -> str:
    """A value in a message."""
    text = orjson.dumps(value, default=repr).decode()
    return text if len(text) <= 60 else text[:57] + "..."


def tool(value: Any, where: str, handler: Handler | None = None) -> Tool:
    """Raises ValueError, as do all of these."""
    value = object_of(value, where, *ENTRIES["tools"])
    _not_empty(value["name"], f"{where}.name")
    definition = {key: inner for key, inner in value.items() if key in _TOOL}
    # Clients refuse a whole list for one tool without a schema.
    schema = definition["inputSchema"] = {"type": "object"} | (definition.get("inputSchema") or {})
    if schema["type"] != "object":
        raise ValueError(f'{where}.inputSchema.type: expected "object", got {shown(schema["type"])}')
    output = definition.get("outputSchema")
    for name, held in (("inputSchema", schema), ("outputSchema", output)):
        if held is not None and held.keys() - {"type"}:
            _placed(f"{where}.{name}", check_schema, held)
    if "task" in value:
        definition["execution"] = {"taskSupport": "optional"} | definition.get("execution", {})
    support = definition.get("execution", {}).get("taskSupport", "forbidden")
    if support not in ("required", "optional", "forbidden"):
        raise ValueError(f"{where}.execution.taskSupport: expected required, optional or forbidden; got {support!r}")
    checked = None if output is None else Checked(output)

    def check(answer: Any) -> None:
        result = tool_result(answer)
        if checked is None or result["isError"] or "{{" in orjson.dumps(result).decode():
            return
        fault = checked.fault(result.get("structuredContent"))
        if fault is not None:
            raise ValueError(f"structuredContent does not fit outputSchema: {fault}")

    repeated = _placed(f"{where}.inputSchema", mirrored, schema)
    task = object_of(value.get("task", {}), f"{where}.task", _TASK)
    later = _steps(task, f"{where}.task")
    lasting = Lasting(
        task.get("ttlMs", Lasting().ttl_ms), task.get("pollIntervalMs", Lasting().poll_ms), task.get("statusMessage")
    )
    script = _script(value, where, check)
    return Tool(definition, script, Checked(schema), checked, repeated, handler, later, lasting)


def resource(value: Any, where: str, handler: Handler | None = None) -> Resource:
    value = object_of(value, where, *ENTRIES["resources"])
    _not_empty(value["uri"], f"{where}.uri")
    definition = {"name": value["uri"]} | {key: inner for key, inner in value.items() if key in _RESOURCE}
    return Resource(definition, _held_script(value, where, definition), handler)


def resource_template(value: Any, where: str, handler: Handler | None = None) -> ResourceTemplate:
    value = object_of(value, where, *ENTRIES["resourceTemplates"])
    template = _placed(f"{where}.uriTemplate", UriTemplate, value["uriTemplate"])
    definition = {"name": value["uriTemplate"]} | {key: inner for key, inner in value.items() if key in _TEMPLATE}
    return ResourceTemplate(definition, _held_script(value, where, definition), template, handler)


def prompt(value: Any, where: str, handler: Handler | None = None) -> Prompt:
    value = object_of(value, where, *ENTRIES["prompts"])
    _not_empty(value["name"], f"{where}.name")
    for number, argument in enumerate(value.get("arguments", ())):
        object_of(argument, f"{where}.arguments[{number}]", _ARGUMENT, ("name",))
    definition = {key: inner for key, inner in value.items() if key in _PROMPT}
    return Prompt(definition, _script(value, where, prompt_result), handler)


ENTRIES: dict[str, tuple[dict[str, Kind], tuple[str, ...]]] = {
    "tools": (_TOOL | _SCRIPT | {"task": OBJECT}, ("name",)),
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


def _not_empty(text: str, where: str) -> None:
    if not text:
        raise ValueError(f"{where}: expected a string that is not empty")


def _placed(where: str, read: Callable[[Any], Any], value: Any) -> Any:
    """What `read` makes of a value; its complaints say where."""
    try:
        return read(value)
    except ValueError as wrong:
        raise ValueError(f"{where}: {wrong}") from None


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
        kinds = {key: kind for key, kind in _SCRIPT.items() if key != "cases"} | {"arguments": OBJECT, "input": OBJECT}
        case = object_of(case, here, kinds)
        answers = _answers(case, here, check)
        cases.append(Case(case.get("arguments", {}), case.get("input", {}), _steps(case, here), answers or ()))
    answers = _answers(value, where, check)
    if answers is None:  # an entry that says nothing answers nothing; one with cases answers only to those
        answers = () if cases else (None,)
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
            params = dict(object_of(params, here, _Anything()))
            name = params.pop("key", key)
            if name in asked or not isinstance(name, str):
                raise ValueError(f"{here}.key: expected a name that no other question has, got {shown(name)}")
            asked[name] = _wanted(key, params, here)
    if asked:
        found.append(Questions(asked))
    for number, step in enumerate(value.get("steps", ())):
        here = f"{where}.steps[{number}]"
        step = object_of(step, here, dict.fromkeys(_STEPS, ANY))
        if not step:
            raise ValueError(f"{here}: expected one of {', '.join(_STEPS)}")
        for key, inner in step.items():
            found += _STEPS[key](inner, f"{here}.{key}")
    return tuple(found)


class _Anything(dict[str, Kind]):
    """Keys of which the client is the judge."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> Kind:
        return ANY


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _seconds(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATE_MS:
        raise ValueError(f"{where}: expected milliseconds from 0 to {_LATE_MS}, got {shown(value)}")
    return value / 1000


def _delay(value: Any, where: str) -> list[Step]:
    return [Delay(_seconds(value, where))]


def _timed(step: dict[str, Any], where: str) -> list[Step]:
    """The delay that a step begins with, if it has one."""
    return _delay(step["delayMs"], f"{where}.delayMs") if "delayMs" in step else []


def _log(value: Any, where: str) -> list[Step]:
    kinds = {"level": TEXT, "logger": TEXT, "data": ANY, "delayMs": NUMBER}
    found: list[Step] = []
    for step in _listed(value):
        step = object_of(step, where, kinds, ("data",))
        level = step.get("level", "info")
        if level not in LEVELS:
            raise ValueError(f"{where}.level: expected one of {', '.join(LEVELS)}; got {shown(level)}")
        found += [*_timed(step, where), Log(level, step["data"], step.get("logger"))]
    return found


def _progress(value: Any, where: str) -> list[Step]:
    kinds = {"progress": NUMBER, "total": NUMBER, "message": TEXT, "delayMs": NUMBER}
    found: list[Step] = []
    last = float("-inf")
    for step in _listed(value):
        step = object_of(step, where, kinds, ("progress",))
        if step["progress"] <= last:
            raise ValueError(f"{where}.progress: expected more than before ({last}), got {step['progress']}")
        last = step["progress"]
        found += [*_timed(step, where), Progress(last, step.get("total"), step.get("message"))]
    return found


def _ask(value: Any, where: str) -> list[Step]:
    wanted = {}
    for name, question in object_of(value, where, _Anything()).items():
        here = f"{where}.{name}"
        question = object_of(question, here, dict.fromkeys(_ASKED_BY, OBJECT) | {"optional": FLAG})
        kinds = [key for key in question if key in _ASKED_BY]
        if len(kinds) != 1:
            raise ValueError(f"{here}: expected one of {', '.join(_ASKED_BY)}")
        params = dict(question[kinds[0]]) | {"optional": question.get("optional", False)}
        wanted[name] = _wanted(kinds[0], params, f"{here}.{kinds[0]}")
    return [Questions(wanted)]


def _wanted(kind: str, params: dict[str, Any], where: str) -> Wanted:
    optional = params.pop("optional", False)
    if not isinstance(optional, bool):
        raise ValueError(f"{where}.optional: expected true or false, got {shown(optional)}")
    if kind == "sampling":
        params = {"maxTokens": 100} | params
        if isinstance(params.get("messages"), str):
            params["messages"] = [{"role": "user", "content": {"type": "text", "text": params["messages"]}}]
        if not isinstance(params.get("messages"), list):
            raise ValueError(f"{where}.messages: expected an array of messages, or a text")
    elif kind == "elicitation":
        is_form = params.get("mode", "form") == "form"
        kinds = {"message": TEXT} | ({"requestedSchema": OBJECT} if is_form else {"url": TEXT, "elicitationId": TEXT})
        for key, (types, name) in kinds.items():
            if not isinstance(params.get(key), types):
                raise ValueError(f"{where}.{key}: expected {name}, got {shown(params.get(key))}")
    method = _ASKED_BY[kind]
    assert method in CAPABILITIES
    return Wanted(method, params, optional)


def _change(value: Any, where: str) -> list[Step]:
    if not isinstance(value, str) or not (value in ("tools", "prompts", "resources") or ":" in value):
        raise ValueError(f"{where}: expected tools, prompts, resources or the URI of a resource; got {shown(value)}")
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


# -- files -------------------------------------------------------------------------------------------------------------


def from_files(value: Any, directory: Path, where: str) -> Any:
    """A string is the path of a JSON file, or of a folder of them; anything else is itself. Raises ValueError."""
    if not isinstance(value, str):
        return value
    path = directory / value
    try:
        if not path.is_dir():
            return orjson.loads(path.read_bytes())
        parts = [from_files(name, path, where) for name in sorted(file.name for file in path.glob("*.json"))]
    except OSError as error:
        raise ValueError(f"{where}: {path} cannot be read: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{where}: {path} is no JSON: {error}") from None
    return [entry for part in parts for entry in _listed(part)]
