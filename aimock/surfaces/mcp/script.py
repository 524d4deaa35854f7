"""What happens when something is called: what is done on the way, and which answer it comes to.

An entry has a script of its own, and may have cases, each with a pattern of arguments, and of what the client answered
on the way. What is done is what the first case does whose arguments match and which has steps, else what the entry
does; the answer is that of the first case that matches in all, else the entry's. Answers in a row are given one a call,
counted for each test by itself, and the last one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from aimock.surfaces.mcp.moves import Ask, Caller, HangUp, InputRequired, Notify, Park, Steps, ToolFailed, Wait, Wanted
from aimock.surfaces.mcp.templates import filled
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import RpcError
from aimock_protocols.mcp.errors import missing_capability


@attrs.frozen
class Delay:
    seconds: float


@attrs.frozen
class Progress:
    progress: float
    total: float | None = None
    message: str | None = None


@attrs.frozen
class Log:
    level: str
    data: Any
    logger: str | None = None


@attrs.frozen
class Questions:
    wanted: Mapping[str, Wanted]
    """By key, under which the answers stand in templates and patterns. All are asked at once where that can be."""


@attrs.frozen
class Change:
    """Clients that listen are told that a list has changed, or a resource."""

    what: str
    """`tools`, `prompts`, `resources`, or the URI of a resource."""


@attrs.frozen
class Reconnect:
    """The stream's connection ends, and the client comes again (2025-11-25); otherwise nothing happens."""

    retry_ms: int


Step = Delay | Progress | Log | Questions | Change | Reconnect


@attrs.frozen(eq=False)
class Case:
    arguments: Any
    """Matches where it is contained in what was given."""
    input: Any
    steps: tuple[Step, ...]
    answers: tuple[Any, ...]


@attrs.frozen(eq=False)
class Script:
    steps: tuple[Step, ...] = ()
    answers: tuple[Any, ...] = ()
    """In the JSON form of the config file, checked."""
    cases: tuple[Case, ...] = ()

    def steps_for(self, arguments: Any) -> tuple[Step, ...]:
        for case in self.cases:
            if case.steps and contains(arguments, case.arguments):
                return case.steps
        return self.steps

    def answers_for(self, arguments: Any, inputs: Any) -> tuple[Any, ...]:
        """One or more, in their order; empty if nothing is meant to answer this."""
        for case in self.cases:
            if contains(arguments, case.arguments) and contains(inputs, case.input):
                return case.answers or self.answers
        return self.answers


def contains(value: Any, pattern: Any) -> bool:
    """Whether all that a pattern says holds: keys that it does not name may be anything, lists must be as long."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and contains(value[key], inner) for key, inner in pattern.items()
        )
    if isinstance(pattern, list):
        return (
            isinstance(value, list)
            and len(value) == len(pattern)
            and all(contains(item, inner) for item, inner in zip(value, pattern, strict=True))
        )
    return bool(value == pattern) and isinstance(value, bool) == isinstance(pattern, bool)


def play(
    steps: Iterable[Step],
    caller: Caller,
    arguments: Mapping[str, Any],
    tell: Callable[[str], None],
    inputs: dict[str, Any] | None = None,
) -> Steps[dict[str, Any]]:
    """Does the steps, one after the other; the client's answers by their keys.

    What they say may have placeholders for arguments and earlier answers (`inputs`, to which theirs are added). `tell`
    tells those who listen of a change. Raises InputRequired, ToolFailed, RpcError.
    """
    inputs = {} if inputs is None else inputs
    variables = {"args": arguments, "arguments": arguments, "input": inputs}
    for step in steps:
        match step:
            case Delay(seconds):
                yield Wait(seconds)
            case Progress():
                yield from notify_progress(caller, attrs.evolve(step, message=filled(step.message, variables)))
            case Log():
                yield from notify_log(caller, attrs.evolve(step, data=filled(step.data, variables)))
            case Questions(wanted):
                inputs |= yield from ask(
                    caller,
                    {
                        key: attrs.evolve(question, params=filled(question.params, variables))
                        for key, question in wanted.items()
                    },
                )
            case Change(what):
                tell(what)
            case Reconnect(retry_ms):
                yield HangUp(retry_ms)
    return inputs


def notify_progress(caller: Caller, step: Progress) -> Steps[None]:
    if caller.progress_token is not None:
        params = {"progressToken": caller.progress_token, **attrs.asdict(step, filter=_is_said)}
        yield Notify(jsonrpc.notification("notifications/progress", params))


def notify_log(caller: Caller, step: Log) -> Steps[None]:
    if caller.wants_log(step.level):
        yield Notify(jsonrpc.notification("notifications/message", attrs.asdict(step, filter=_is_said, recurse=False)))


def _is_said(_: Any, value: Any) -> bool:
    return value is not None


def ask(caller: Caller, wanted: Mapping[str, Wanted]) -> Steps[dict[str, Any]]:
    """The client's answers: as it gave them with a modern request, or asked for one by one."""
    wanted = {
        key: question
        for key, question in wanted.items()
        if not question.optional or caller.can(question.capability, question.feature)
    }
    require(caller, wanted.values())
    if caller.task is not None:
        return (yield Park(wanted)) if wanted else {}
    if caller.is_modern:
        given = {
            key: caller.inputs[key] for key, question in wanted.items() if question.accepts(caller.inputs.get(key))
        }
        caller.accepted |= given
        if len(given) < len(wanted):
            raise InputRequired({key: question for key, question in wanted.items() if key not in given})
        return given
    answers = {}
    for key, question in wanted.items():
        try:
            answers[key] = yield Ask(question.method, question.params)
        except RpcError as refused:
            raise ToolFailed(f"The client refused {question.method}: {refused.message}") from None
    return answers


def require(caller: Caller, wanted: Iterable[Wanted]) -> None:
    """Raises what the client is to hear if it has not declared what it takes to answer all of these."""
    lacking = [
        question for question in wanted if not (question.optional or caller.can(question.capability, question.feature))
    ]
    if lacking and caller.is_modern:
        raise missing_capability({key: value for question in lacking for key, value in question.required.items()})
    if lacking:
        raise ToolFailed(f"The client does not support {lacking[0].method}")


def questions(steps: Iterable[Step]) -> list[Wanted]:
    """All that these steps ask."""
    return [wanted for step in steps if isinstance(step, Questions) for wanted in step.wanted.values()]
