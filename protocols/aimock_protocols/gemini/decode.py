"""generateContent requests to the canonical form (wire-gemini §2).

Only what cannot be understood is refused. What the provider would refuse besides is told as an objection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from aimock_protocols.canonical import ChatRequest, ErrorReply, Head, WireResponse
from aimock_protocols.gemini.calls import Calls
from aimock_protocols.gemini.config import parameters
from aimock_protocols.gemini.fields import both_cases, field, many
from aimock_protocols.gemini.media import media_part
from aimock_protocols.gemini.platform import ARRAY_HEADERS, compact, read_object, refusal
from aimock_protocols.gemini.signatures import missing_signature

_STREAMED = ":streamGenerateContent"
_TRANSLATED = both_cases("contents", "systemInstruction", "tools")
"""Members that the canonical form has elsewhere or otherwise."""

_TEXT_ALONE = {"text"}
_USERS = ("user", "function", "", None)
"""What the role of a user's turn may be; `function` is an older one, of turns that bring results."""


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body as sent. Raises WireError, a 400."""
    request = chat_request(read_object(body), *model_of(params))
    if _is_streamed(head):
        request.stream = request.body["stream"] = True
        if not _wants_events(head.query):
            request.stream_headers = ARRAY_HEADERS
    return request


def framed_error(response: WireResponse, head: Head) -> WireResponse:
    """An error, which is the only element of an array where the stream would have been one."""
    if _is_streamed(head) and not _wants_events(head.query):
        return response._replace(body=b"[" + response.body + b"\n]\n")
    return response


def _is_streamed(head: Head) -> bool:
    return head.path.rstrip("/").endswith(_STREAMED)


def model_of(params: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The model that the path names, and other names for it."""
    for name, prefix in (("tuned", "tunedModels/"), ("endpoint", "endpoints/")):
        if name in params:
            own = unquote(params[name])
            return prefix + own, (own,)
    return unquote(params["model"]).removeprefix("models/"), ()


def _wants_events(query: str) -> bool:
    """Whether a stream is to be server-sent events, else it is one JSON array."""
    return bool(query) and any(
        name in ("alt", "$alt") and value.lower() == "sse" for name, value in parse_qsl(query, errors="replace")
    )


def chat_request(sent: dict[str, Any], model: str, aliases: tuple[str, ...] = ()) -> ChatRequest:
    """The canonical form of a body. Raises WireError."""
    request = conversation(sent, model, aliases)
    if request.objection is None:
        missing = missing_signature(many(sent, "contents", "contents"), model)
        request.objection = None if missing is None else ErrorReply(missing, status=400)
    return request


def conversation(sent: dict[str, Any], model: str, aliases: tuple[str, ...] = ()) -> ChatRequest:
    """The same where the service keeps what was said, and nobody has to send thoughts back. Raises WireError."""
    contents = many(sent, "contents", "contents")
    if not contents:
        raise refusal("* GenerateContentRequest.contents: contents is not specified")
    messages, objection = _messages(contents)
    system = _system(field(sent, "systemInstruction"))
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body = {name: value for name, value in sent.items() if name not in _TRANSLATED}
    body |= {"model": model, "messages": messages, "stream": False}
    body |= parameters(sent)
    told = None if objection is None else ErrorReply(objection, status=400)
    return ChatRequest(body, sent, model, objection=told, aliases=aliases)


def _system(given: Any) -> str:
    """The system prompt, empty if there is none. Raises WireError."""
    if given is None or type(given) is str:
        return given or ""
    if type(given) is not dict:
        raise refusal("Invalid value at 'system_instruction': must be an object")
    return _text(many(given, "parts", "system_instruction.parts")) or ""


def _messages(contents: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
    """The messages of all turns, and what the provider would object to. Raises WireError."""
    messages: list[dict[str, Any]] = []
    objection = None
    calls = Calls()
    for index, content in enumerate(contents):
        where = f"contents[{index}]"
        parts = many(content, "parts", f"{where}.parts")
        role = content.get("role")
        if role == "model":
            messages.append(_assistant(parts, calls, where))
        elif role in _USERS:
            messages += _user(parts, calls, where)
        else:
            objection = objection or f"* GenerateContentRequest.{where}.role: Please use a valid role: user, model."
        if not parts:
            objection = objection or f"* GenerateContentRequest.{where}.parts: contents.parts must not be empty."
    return messages, objection


def _user(parts: list[dict[str, Any]], calls: Calls, where: str) -> list[dict[str, Any]]:
    """The results that a turn brings, a message each, then what the user says."""
    if len(parts) == 1 and parts[0].keys() == _TEXT_ALONE and type(parts[0]["text"]) is str:
        return [{"role": "user", "content": parts[0]["text"]}]
    results = []
    media = []
    for part in parts:
        if "text" in part:
            continue
        response = field(part, "functionResponse")
        if type(response) is dict:
            call_id = calls.answered_by(response)
            results.append({"role": "tool", "tool_call_id": call_id, "content": _result(response, where)})
        else:
            shown = media_part(part)
            if shown is not None:
                media.append(shown)
    text = _text(parts)
    if results and text is None and not media:
        return results
    said: str | list[dict[str, Any]] = text or ""
    if media:
        said = [{"type": "text", "text": text}, *media] if text else media
    return [*results, {"role": "user", "content": said}]


def _result(response: dict[str, Any], where: str) -> str:
    given = response.get("response")
    return given if type(given) is str else compact(given, f"{where}.parts")


def _assistant(parts: list[dict[str, Any]], calls: Calls, where: str) -> dict[str, Any]:
    """A model's text and calls. Thoughts, and the tools that the provider runs itself, are its own affair."""
    message: dict[str, Any] = {"role": "assistant", "content": _text(parts)}
    made = [call for part in parts if type(call := field(part, "functionCall")) is dict]
    if made:
        message["tool_calls"] = [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": call.get("name"), "arguments": _arguments(call, where)},
            }
            for call_id, call in zip(calls.made(made), made, strict=True)
        ]
    return message


def _arguments(call: dict[str, Any], where: str) -> str:
    given = call.get("args")
    return "{}" if given is None else compact(given, f"{where}.parts")


def _text(parts: list[dict[str, Any]]) -> str | None:
    """The text of all parts, joined, but for thoughts; None if there is none."""
    texts = [text for part in parts if type(text := part.get("text")) is str and not part.get("thought")]
    return "".join(texts) if texts else None
