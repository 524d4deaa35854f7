"""`POST /v1/check-api-key` (wire-cohere §1)."""

from __future__ import annotations

import orjson

from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.cohere.platform import WHOLE_HEADERS

ORGANIZATION = "a10c0000-0000-4000-8000-000000000000"
OWNER = "a10c0000-0000-4000-8000-000000000001"


def check_api_key(request: SideRequest) -> WireResponse:
    """Whether there is a key; any will do. Where the server knows its keys, a wrong one does not come so far."""
    scheme, _, key = request.head.headers.get("authorization", "").partition(" ")
    told = {"valid": scheme.lower() == "bearer" and bool(key.strip())}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps({**told, "organization_id": ORGANIZATION, "owner_id": OWNER}))
