"""What a server has: tools, resources, templates of resources, prompts; and what their answers are on the wire."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from aimock.surfaces.mcp.script import Script, Step
from aimock.surfaces.mcp.tasks import Lasting
from aimock.surfaces.mcp.validation import Checked
from aimock_protocols.jsonrpc import RpcError
from aimock_protocols.mcp.header_values import Mirrored
from aimock_protocols.mcp.shapes import content_fault, text_result
from aimock_protocols.mcp.uri_templates import UriTemplate

Handler = Callable[..., Any]
"""A function of the arguments, plain or asynchronous; an asynchronous one may take the `Call` too."""


@attrs.frozen(eq=False)
class Tool:
    definition: dict[str, Any]
    """As it is listed."""
    script: Script
    arguments: Checked
    output: Checked | None = None
    mirrored: Sequence[Mirrored] = ()
    """Arguments that headers repeat."""
    handler: Handler | None = None
    later: Sequence[Step] = ()
    """What is done when its own steps are done: in the task, if it becomes one."""
    lasting: Lasting = attrs.field(factory=Lasting)

    @property
    def key(self) -> str:
        return str(self.definition["name"])

    @property
    def task_support(self) -> str:
        """`required`, `optional` or `forbidden`."""
        return str((self.definition.get("execution") or {}).get("taskSupport", "forbidden"))


@attrs.frozen(eq=False)
class Resource:
    definition: dict[str, Any]
    script: Script
    handler: Handler | None = None

    @property
    def key(self) -> str:
        return str(self.definition["uri"])


@attrs.frozen(eq=False)
class ResourceTemplate:
    definition: dict[str, Any]
    script: Script
    template: UriTemplate
    handler: Handler | None = None

    @property
    def key(self) -> str:
        return self.template.text


@attrs.frozen(eq=False)
class Prompt:
    definition: dict[str, Any]
    script: Script
    handler: Handler | None = None

    @property
    def key(self) -> str:
        return str(self.definition["name"])

    @property
    def required(self) -> list[str]:
        """Names of the arguments that must be given."""
        return [argument["name"] for argument in self.definition.get("arguments", ()) if argument.get("required")]


Entry = Tool | Resource | ResourceTemplate | Prompt

KINDS: dict[type[Entry], str] = {
    Tool: "tools",
    Resource: "resources",
    ResourceTemplate: "resourceTemplates",
    Prompt: "prompts",
}
"""The key of a section, and of a list, that has entries of a type."""


# -- answers: the forms in which they may stand in JSON, or come from a handler ----------------------------------------


def tool_result(answer: Any) -> dict[str, Any]:
    """The result of a call. Raises RpcError if the answer is an error, ValueError if it is no answer."""
    if answer is None:
        return {"content": [], "isError": False}
    if isinstance(answer, str):
        return text_result(answer)
    if isinstance(answer, list):
        answer = {"content": answer}
    if not isinstance(answer, dict):
        raise ValueError("expected a text, content blocks, a result or an error")
    _raise_error(answer)
    _only(answer, ("content", "structuredContent", "isError", "_meta"))
    if "content" not in answer and "structuredContent" not in answer:
        raise ValueError("expected content, structuredContent or error")
    if "structuredContent" in answer and not isinstance(answer["structuredContent"], dict):
        raise ValueError("structuredContent: expected an object")
    if not isinstance(answer.get("isError", False), bool):
        raise ValueError("isError: expected true or false")
    content = answer.get("content")
    if content is None:
        content = [{"type": "text", "text": orjson.dumps(answer["structuredContent"]).decode()}]
    elif isinstance(content, str):
        content = [{"type": "text", "text": content}]
    elif not isinstance(content, list):
        raise ValueError("content: expected an array of content blocks")
    for number, block in enumerate(content):
        _check_block(block, f"content[{number}]")
    return {"isError": False} | answer | {"content": content}


def prompt_result(answer: Any) -> dict[str, Any]:
    """The result of a prompt. Raises as `tool_result` does."""
    if answer is None:
        return {"messages": []}
    if isinstance(answer, str):
        answer = [{"role": "user", "content": answer}]
    if isinstance(answer, list):
        answer = {"messages": answer}
    if not isinstance(answer, dict):
        raise ValueError("expected a text, messages, a result or an error")
    _raise_error(answer)
    _only(answer, ("description", "messages", "_meta"))
    messages = answer.get("messages")
    if not isinstance(messages, list):
        raise ValueError("messages: expected an array of messages")
    return answer | {"messages": [_message(message, f"messages[{number}]") for number, message in enumerate(messages)]}


def _message(message: Any, where: str) -> dict[str, Any]:
    if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
        raise ValueError(f"{where}: expected an object with a role of user or assistant")
    content = message.get("content")
    if isinstance(content, str):
        content = {"type": "text", "text": content}
    _check_block(content, f"{where}.content")
    return message | {"content": content}


def resource_result(answer: Any, definition: Mapping[str, Any], uri: str) -> dict[str, Any]:
    """The result of reading a resource. Raises as `tool_result` does."""
    if answer is None:
        answer = ""
    if isinstance(answer, str):
        answer = {"text": answer}
    if isinstance(answer, list):
        answer = {"contents": answer}
    if not isinstance(answer, dict):
        raise ValueError("expected a text, contents or an error")
    _raise_error(answer)
    if "contents" not in answer:
        about = {"uri": uri} | ({"mimeType": definition["mimeType"]} if "mimeType" in definition else {})
        answer = {"contents": [about | answer]}
    contents = answer["contents"]
    if not isinstance(contents, list):
        raise ValueError("contents: expected an array")
    for number, item in enumerate(contents):
        fault = content_fault({"type": "resource", "resource": item})
        if fault is not None:
            raise ValueError(f"contents[{number}]: {fault.replace('resource.', '')}")
        _check_base64(item.get("blob"), f"contents[{number}].blob")
    return dict(answer)


def check_error(error: Any) -> None:
    """Raises ValueError unless it is what a JSON-RPC error has."""
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        raise ValueError("error: expected an object with an integer code and a message")


def _raise_error(answer: dict[str, Any]) -> None:
    if "error" in answer:
        check_error(answer["error"])
        _only(answer, ("error",))
        raise RpcError(answer["error"]["code"], answer["error"]["message"], answer["error"].get("data"))


def _check_block(block: Any, where: str) -> None:
    fault = content_fault(block)
    if fault is not None:
        raise ValueError(f"{where}: {fault}")
    if block["type"] in ("image", "audio"):
        _check_base64(block["data"], f"{where}.data")


def _check_base64(data: Any, where: str) -> None:
    if data is None or "{{" in data:
        return
    try:
        base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ValueError(f"{where}: expected base64") from None


def _only(answer: dict[str, Any], keys: tuple[str, ...]) -> None:
    unknown = answer.keys() - set(keys)
    if unknown:
        raise ValueError(f"{min(unknown)}: unknown key; expected {', '.join(keys)}")
