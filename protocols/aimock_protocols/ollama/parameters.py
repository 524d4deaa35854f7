"""The parameters of a request in canonical form: what Ollama has under `options`, `format` and `think` (§2, §4)."""

from __future__ import annotations

from typing import Any

_OPTIONS = {
    "temperature": "temperature",
    "num_predict": "max_tokens",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
"""Options that the canonical form has too, and as what."""

_MIMES = {"/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""How images of each type begin in base64; all others are taken for PNG."""


def canonical(sent: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the canonical form has elsewhere, or otherwise."""
    told: dict[str, Any] = {"stream": is_streamed(sent)}
    for name, value in (sent.get("options") or {}).items():
        if name in _OPTIONS:
            told[_OPTIONS[name]] = value
    wanted = sent.get("format")
    if wanted:
        is_schema = type(wanted) is dict
        told["response_format"] = (
            {"type": "json_schema", "json_schema": {"schema": wanted}} if is_schema else {"type": "json_object"}
        )
    think = sent.get("think")
    if think:
        told["reasoning_effort"] = think if type(think) is str else "medium"
    return told


def is_streamed(sent: dict[str, Any]) -> bool:
    """Streams are what is sent unless the request says otherwise."""
    return sent.get("stream") is not False


def content(text: str, images: list[Any] | None) -> str | list[dict[str, Any]]:
    """Text, with the images that came with it."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    return parts + [
        {"type": "image_url", "image_url": {"url": f"data:{_mime(image)};base64,{image}"}}
        for image in images
        if type(image) is str
    ]


def _mime(image: str) -> str:
    return next((mime for start, mime in _MIMES.items() if image.startswith(start)), "image/png")
