"""The blocks of a Converse message as canonical messages (wire-bedrock §6.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimock_protocols.bedrock_platform import compact

Message = dict[str, Any]


def system(blocks: Any) -> list[Message]:
    """The system prompt: the text of all its blocks, joined without a separator."""
    text = _text(blocks) if type(blocks) is list else ""
    return [{"role": "system", "content": text}] if text else []


def user(blocks: list[Any], where: str) -> list[Message]:
    """A user's tool results, then what else the turn has: text alone is a string, beside attachments one part of
    several. Raises WireError."""
    results: list[Message] = []
    parts: list[Message] = []
    for block in blocks:
        if type(block) is not dict:
            continue
        if type(block.get("toolResult")) is dict:
            results.append(_result(block["toolResult"], where))
        else:
            parts += _parts(block)
    if all(part["type"] == "text" for part in parts):
        content: Any = "".join([part["text"] for part in parts]) if parts else None
    else:
        content = parts
    return results if results and not parts else [*results, {"role": "user", "content": content}]


def assistant(blocks: list[Any], where: str) -> list[Message]:
    """An assistant's text and calls. Thoughts, and the tools that the provider runs itself, are its own affair. Raises
    WireError."""
    blocks = [block for block in blocks if type(block) is dict]
    said = [text for block in blocks if (text := _said(block)) is not None]
    message: Message = {"role": "assistant", "content": "".join(said) if said else None}
    calls = [block["toolUse"] for block in blocks if type(block.get("toolUse")) is dict]
    calls = [call for call in calls if call.get("type") != SERVER_TOOL]
    if calls:
        message["tool_calls"] = [
            {
                "id": call.get("toolUseId"),
                "type": "function",
                "function": {"name": call.get("name"), "arguments": _arguments(call.get("input"), where)},
            }
            for call in calls
        ]
    return [message]


SERVER_TOOL = "server_tool_use"
"""The type of calls that the provider answers itself."""


def _said(block: dict[str, Any]) -> str | None:
    """Text of an assistant's block, with citations or without."""
    cited = block.get("citationsContent")
    if type(cited) is dict and type(cited.get("content")) is list:
        return _text(cited["content"])
    return block["text"] if type(block.get("text")) is str else None


def _text(blocks: list[Any]) -> str:
    return "".join([block["text"] for block in blocks if type(block) is dict and type(block.get("text")) is str])


def _arguments(given: Any, where: str) -> str:
    return "{}" if given is None else compact(given, where)


def _result(result: dict[str, Any], where: str) -> Message:
    """A tool's result: its text, and its JSON as compact text."""
    content = result.get("content")
    told = []
    for block in content if type(content) is list else ():
        if type(block) is dict and type(block.get("text")) is str:
            told.append(block["text"])
        elif type(block) is dict and "json" in block:
            told.append(compact(block["json"], where))
    return {"role": "tool", "tool_call_id": result.get("toolUseId"), "content": "".join(told)}


# -- what users send besides text --------------------------------------------------------------------------------------


def _parts(block: dict[str, Any]) -> list[Message]:
    """The canonical parts of one block: none of one that is no content, such as a cache point."""
    if type(block.get("text")) is str:
        return [{"type": "text", "text": block["text"]}]
    guarded = block.get("guardContent")
    if type(guarded) is dict:
        inner = guarded.get("text")
        return _parts(inner if type(inner) is dict else {"image": guarded.get("image")})
    return [_MEDIA[kind](block[kind]) for kind in _MEDIA if type(block.get(kind)) is dict]


def _image(image: dict[str, Any]) -> Message:
    return {"type": "image_url", "image_url": {"url": _url("image", image)}}


def _video(video: dict[str, Any]) -> Message:
    return {"type": "video_url", "video_url": {"url": _url("video", video)}}


def _document(document: dict[str, Any]) -> Message:
    return {"type": "file", "file": {"filename": document.get("name"), "file_data": _url("application", document)}}


def _audio(audio: dict[str, Any]) -> Message:
    source = audio.get("source")
    data = source.get("bytes") if type(source) is dict else None
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio.get("format")}}


_MEDIA: dict[str, Callable[[dict[str, Any]], Message]] = {
    "image": _image,
    "document": _document,
    "video": _video,
    "audio": _audio,
}


def _url(kind: str, media: dict[str, Any]) -> str | None:
    """Where the data are: in the URL itself, or in a bucket."""
    source = media.get("source")
    if type(source) is not dict:
        return None
    if type(source.get("bytes")) is str:
        return f"data:{kind}/{media.get('format')};base64,{source['bytes']}"
    bucket = source.get("s3Location")
    return bucket.get("uri") if type(bucket) is dict else None
