"""Models that are fetched, made and taken away, and the blobs that they are made of (wire-ollama §7).

Nothing is fetched, and nothing is made: what is remembered is that there is such a model, or such a blob.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import unquote

import orjson

from aimock_protocols import ndjson
from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.ollama.fields import STRING, check
from aimock_protocols.ollama.models import MODEL_KEY, digest_of, known, named, size_of
from aimock_protocols.ollama.names import tagged
from aimock_protocols.ollama.parameters import is_streamed
from aimock_protocols.ollama.platform import STREAM_HEADERS, WHOLE_HEADERS, read_object, refusal

_BLOB_KEY = "blob "
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})", re.ASCII)

_WRITTEN = ({"status": "writing manifest"}, {"status": "success"})


def pull(request: SideRequest) -> WireResponse:
    """Any model can be pulled, and is there from then on. Raises WireError, a 400."""
    sent = read_object(request.body)
    name = named(sent)
    request.memory.put(MODEL_KEY + name, True)
    digest, total = digest_of(name), size_of(name)
    layer: dict[str, Any] = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": total}
    verified = {"status": "verifying sha256 digest"}
    lines = [{"status": "pulling manifest"}, layer, {**layer, "completed": total}, verified, *_WRITTEN]
    return _progress(sent, lines)


def push(request: SideRequest) -> WireResponse:
    """Raises WireError, a 404 if there is no such model."""
    sent = read_object(request.body)
    name = known(request, named(sent))
    layer: dict[str, Any] = {"status": "starting upload", "digest": f"sha256:{digest_of(name)}", "total": size_of(name)}
    lines = [{"status": "retrieving manifest"}, layer, {"status": "pushing manifest"}, {"status": "success"}]
    return _progress(sent, lines)


def create(request: SideRequest) -> WireResponse:
    """A model of another, or of files. Raises WireError: a 400 if it is of nothing, a 404 if there is no such model."""
    sent = read_object(request.body)
    name = named(sent)
    check(sent, {"from": STRING}, "CreateRequest")
    if sent.get("from"):
        known(request, tagged(sent["from"]))
    elif not sent.get("files") and not sent.get("modelfile"):
        raise refusal("neither 'from' or 'files' was specified")
    request.memory.put(MODEL_KEY + name, True)
    layer = {"status": f"creating new layer sha256:{digest_of(name)}"}
    return _progress(sent, [{"status": "reading model metadata"}, layer, *_WRITTEN])


def copy(request: SideRequest) -> WireResponse:
    """Raises WireError, a 404 if there is no such model."""
    sent = read_object(request.body)
    check(sent, {"source": STRING, "destination": STRING}, "CopyRequest")
    source, destination = sent.get("source"), sent.get("destination")
    if not source or not destination:
        raise refusal("source and destination are required")
    known(request, tagged(source))
    request.memory.put(MODEL_KEY + tagged(destination), True)
    return WireResponse(200, WHOLE_HEADERS, b"")


def delete(request: SideRequest) -> WireResponse:
    """Forgets a model; but one that fixtures name remains. Raises WireError, a 404 if there is no such model."""
    name = known(request, named(read_object(request.body)))
    request.memory.remove(MODEL_KEY + name)
    return WireResponse(200, WHOLE_HEADERS, b"")


def _progress(sent: dict[str, Any], lines: list[dict[str, Any]]) -> WireResponse:
    """All steps, a line each; or only the last, for a client that wants no stream."""
    if not is_streamed(sent):
        return WireResponse(200, WHOLE_HEADERS, orjson.dumps(lines[-1]))
    return WireResponse(200, STREAM_HEADERS, b"".join(ndjson.encode(orjson.dumps(line)) for line in lines))


# -- blobs -------------------------------------------------------------------------------------------------------------


def find_blob(request: SideRequest) -> WireResponse:
    """Whether a blob is there. Raises WireError, a 404 if it is not."""
    digest = _digest(request)
    if request.memory.get(_BLOB_KEY + digest) is None:
        raise refusal(f"blob sha256:{digest} not found", 404)
    return WireResponse(200, WHOLE_HEADERS, b"")


def keep_blob(request: SideRequest) -> WireResponse:
    """Raises WireError, a 400 if the blob is another than its digest says."""
    digest = _digest(request)
    actual = hashlib.sha256(request.body).hexdigest()
    if actual != digest:
        raise refusal(f'digest mismatch, expected "sha256:{digest}", got "sha256:{actual}"')
    was_there = request.memory.get(_BLOB_KEY + digest) is not None
    request.memory.put(_BLOB_KEY + digest, True)
    return WireResponse(200 if was_there else 201, WHOLE_HEADERS, b"")


def _digest(request: SideRequest) -> str:
    found = _DIGEST.fullmatch(unquote(request.params["digest"]))
    if found is None:
        raise refusal("invalid digest format")
    return found[1]
