"""The models that there are, and what is told of each (wire-ollama §1, §7).

There are those that fixtures name, and those that were pulled, created or copied under the same test id. All that is
told of a model follows from its name.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

from aimock_protocols import rfc3339
from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.ollama.fields import STRING, check
from aimock_protocols.ollama.names import other_names, tagged
from aimock_protocols.ollama.platform import WHOLE_HEADERS, read_object, refusal, unknown_model
from aimock_protocols.reasoning import is_reasoning_model

VERSION = "0.12.0"
CONTEXT_LENGTH = 40_960
MODEL_KEY = "model "
"""What comes before a model's name where it is remembered."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bm])\b", re.ASCII)
"""How many parameters a name tells of: `qwen3:0.6b`, `smollm-135m`."""
_UNIT = {"b": 1_000_000_000, "m": 1_000_000}
_USUAL_SIZE = ("8", "b")
_FAMILY = re.compile(r"[a-z]+(?:\d+(?:\.\d+)?)?", re.ASCII)
_EMBEDDING = ("embed", "minilm", "bge-")
"""Parts of the names of models that give vectors and nothing else."""
_MODIFIED = "1970-01-01T00:00:00Z"
_KEPT_FOR = 300
"""Seconds for which a model stays in memory."""


def root(request: SideRequest) -> WireResponse:
    """What Ollama's clients look for, to see whether anybody is there."""
    return WireResponse(200, (("content-type", "text/plain; charset=utf-8"),), b"Ollama is running")


def version(request: SideRequest) -> WireResponse:
    return _told({"version": VERSION})


def tags(request: SideRequest) -> WireResponse:
    """All models."""
    models = [
        {
            "name": name,
            "model": name,
            "modified_at": _MODIFIED,
            "size": size_of(name),
            "digest": digest_of(name),
            "details": _details(name),
            "capabilities": _capabilities(name),
        }
        for name in _names(request)
    ]
    return _told({"models": models})


def ps(request: SideRequest) -> WireResponse:
    """The models in memory: all, from now on for some minutes."""
    models = [
        {
            "name": name,
            "model": name,
            "size": size_of(name),
            "digest": digest_of(name),
            "details": _details(name),
            "expires_at": rfc3339.in_microseconds(request.stamp.created + _KEPT_FOR),
            "size_vram": size_of(name),
            "context_length": CONTEXT_LENGTH,
        }
        for name in _names(request)
    ]
    return _told({"models": models})


def show(request: SideRequest) -> WireResponse:
    """One model. Raises WireError, a 404, if there is none of that name."""
    name = known(request, named(read_object(request.body)))
    family = _details(name)["family"]
    return _told(
        {
            "license": "",
            "modelfile": f"FROM {name}\n",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": _details(name),
            "model_info": {
                "general.architecture": family,
                "general.parameter_count": _parameters(name),
                f"{family}.context_length": CONTEXT_LENGTH,
                f"{family}.embedding_length": 1536,
            },
            "capabilities": _capabilities(name),
            "modified_at": _MODIFIED,
        }
    )


def _told(body: dict[str, Any]) -> WireResponse:
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))


# -- names -------------------------------------------------------------------------------------------------------------


def named(sent: dict[str, Any]) -> str:
    """The model that a request is about; older clients call it `name`. Raises WireError, a 400."""
    check(sent, {"model": STRING, "name": STRING}, "ShowRequest")
    name = sent.get("model") or sent.get("name")
    if not name:
        raise refusal("model is required")
    return tagged(str(name))


def known(request: SideRequest, name: str) -> str:
    """The model of that name, tag included. Raises WireError, a 404, if there is none."""
    if name not in _names(request):
        raise unknown_model(*other_names(name) or (name,))
    return name


def _names(request: SideRequest) -> list[str]:
    keys = request.memory.keys()
    remembered = [key.removeprefix(MODEL_KEY) for key in keys if key.startswith(MODEL_KEY)]
    return list(dict.fromkeys([*map(tagged, request.models), *remembered]))


# -- what follows from a name ------------------------------------------------------------------------------------------


def digest_of(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def size_of(name: str) -> int:
    """Bytes, at some four and a half bits for each parameter."""
    return _parameters(name) * 9 // 16


def _parameters(name: str) -> int:
    number, unit = _told_size(name)
    return int(float(number) * _UNIT[unit])


def _told_size(name: str) -> tuple[str, str]:
    found = _SIZE.search(name.lower()[:200])
    return (found[1], found[2]) if found and len(found[1]) <= 6 else _USUAL_SIZE


def _details(name: str) -> dict[str, Any]:
    found = _FAMILY.match(name.rpartition("/")[2].lower())
    family = found[0] if found else "llama"
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": "".join(_told_size(name)).upper(),
        "quantization_level": "Q4_K_M",
    }


def _capabilities(name: str) -> list[str]:
    """What clients look at before they send tools, images or the wish that the model think."""
    if any(part in name.lower() for part in _EMBEDDING):
        return ["embedding"]
    thinking = ["thinking"] if is_reasoning_model(name) else []
    return ["completion", "tools", "insert", "vision", *thinking]
