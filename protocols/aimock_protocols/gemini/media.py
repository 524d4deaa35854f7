"""What is not text in a turn, as OpenAI's content parts have it."""

from __future__ import annotations

from typing import Any

from aimock_protocols.gemini.fields import field


def media_part(part: dict[str, Any]) -> dict[str, Any] | None:
    """The content part for `inlineData` and `fileData`; None for any other part."""
    inline = field(part, "inlineData")
    if type(inline) is dict:
        mime, data = _text(field(inline, "mimeType")), _text(inline.get("data"))
        if mime.startswith("audio/"):
            return {"type": "input_audio", "input_audio": {"data": data, "format": mime[len("audio/") :]}}
        url = f"data:{mime};base64,{data}"
        return _image(url) if mime.startswith("image/") else {"type": "file", "file": {"file_data": url}}
    stored = field(part, "fileData")
    if type(stored) is dict:
        uri = _text(field(stored, "fileUri"))
        is_image = _text(field(stored, "mimeType")).startswith("image/")
        return _image(uri) if is_image else {"type": "file", "file": {"file_id": uri}}
    return None


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _text(value: Any) -> str:
    return value if type(value) is str else ""
