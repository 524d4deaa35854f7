"""botocore's own description of the Bedrock runtime as a strict judge: it takes nothing that the service's model does
not have, where botocore itself passes it over."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape

from aimock_protocols.eventstream import Message


@cache
def service() -> ServiceModel:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def judge_output(operation: str, told: Any) -> None:
    """A whole body. Raises AssertionError."""
    _judge(service().operation_model(operation).output_shape, told, operation)


def judge_event(operation: str, message: Message, told: Any) -> None:
    """One event of an operation's stream, with its padding, or the exception that ends it. Raises AssertionError."""
    stream: Any = service().operation_model(operation).get_event_stream_output()
    kind = message.text(":message-type")
    name = message.text(f":{kind}-type")
    assert name in stream.members, f"{name} is nothing that streams of {operation} have"
    assert message.text(":content-type") == "application/json"
    assert stream.members[name].metadata.get("exception", False) is (kind == "exception")
    if kind == "event":
        told = dict(told)
        padding = told.pop("p")
        assert isinstance(padding, str)
        assert padding
    _judge(stream.members[name], told, name)


def judge_error(name: str, told: Any) -> None:
    """The body of an exception. Raises AssertionError."""
    _judge(service().shape_for(name), told, name)


def _judge(shape: Shape, told: Any, where: str) -> None:
    if getattr(shape, "is_document_type", False):
        return
    _JUDGES[shape.type_name](shape, told, where)


def _structure(shape: Any, told: Any, where: str) -> None:
    assert isinstance(told, dict), where
    unknown = told.keys() - {member.serialization.get("name", name) for name, member in shape.members.items()}
    assert not unknown, f"{where} has the unknown {unknown}"
    missing = [name for name in shape.required_members if told.get(name) is None]
    assert not missing, f"{where} lacks {missing}"
    assert not shape.is_tagged_union or len(told) == 1, f"{where} must have exactly one member: {told}"
    for name, value in told.items():
        _judge(shape.members[name], value, f"{where}.{name}")


def _list(shape: Any, told: Any, where: str) -> None:
    assert isinstance(told, list), where
    for place, value in enumerate(told):
        _judge(shape.member, value, f"{where}[{place}]")


def _map(shape: Any, told: Any, where: str) -> None:
    assert isinstance(told, dict), where
    for name, value in told.items():
        _judge(shape.value, value, f"{where}.{name}")


def _string(shape: Any, told: Any, where: str) -> None:
    assert isinstance(told, str), where
    assert not shape.enum or told in shape.enum, f"{where}: {told} is none of {shape.enum}"
    assert len(told) >= shape.metadata.get("min", 0), where


def _integer(shape: Any, told: Any, where: str) -> None:
    assert type(told) is int, where
    assert told >= shape.metadata.get("min", told), where


def _boolean(shape: Any, told: Any, where: str) -> None:
    assert type(told) is bool, where


def _number(shape: Any, told: Any, where: str) -> None:
    assert type(told) in (int, float), where


def _blob(shape: Any, told: Any, where: str) -> None:
    assert isinstance(told, str), where
    base64.b64decode(told, validate=True)


_JUDGES = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "boolean": _boolean,
    "float": _number,
    "double": _number,
    "blob": _blob,
}
