"""What a modern server gives its client to bring back: signed, so that nobody changes it on the way.

A call that asks its client for something ends, and begins anew with the answers. What was known by then travels in
`requestState`. It holds for one method and name, and for a time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson

from aimock_protocols.mcp.errors import invalid_params

_SIGNATURE_BYTES = 24


def seal(key: bytes, method: str, name: str, inputs: dict[str, Any], expires: float) -> str:
    """`inputs`: what the client has answered so far. `expires`: Unix time in seconds."""
    content = orjson.dumps([expires, inputs])
    return base64.urlsafe_b64encode(_signature(key, method, name, content) + content).decode()


def unseal(key: bytes, method: str, name: str, text: Any, now: float) -> dict[str, Any]:
    """The inputs that were sealed. Raises RpcError (-32602) if it was not made here, or not for this, or long ago."""
    try:
        sealed = base64.b64decode(text, b"-_", validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise invalid_params("requestState is not one of this server's") from None
    signature, content = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(key, method, name, content)):
        raise invalid_params("requestState was changed, or is not for this request")
    expires, inputs = orjson.loads(content)
    if now > expires:
        raise invalid_params("requestState is too old")
    assert isinstance(inputs, dict)
    return inputs


def _signature(key: bytes, method: str, name: str, content: bytes) -> bytes:
    meant = orjson.dumps([method, name])
    return hmac.digest(key, b"%d:%b%b" % (len(meant), meant, content), hashlib.sha256)[:_SIGNATURE_BYTES]
