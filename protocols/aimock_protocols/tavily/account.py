"""Beside Tavily's endpoints: what an account has used, and what clients say of answers. No fixture answers here."""

from __future__ import annotations

import orjson

from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.tavily.platform import RESPONSE_TIME, WHOLE_HEADERS, read_object, refusal

_COUNTED = ("search", "extract", "crawl", "map", "research")


def usage(request: SideRequest) -> WireResponse:
    """`GET /usage`: nothing, for nothing is charged here, and nothing is limited."""
    counts = {"usage": 0, **{f"{each}_usage": 0 for each in _COUNTED}}
    account = {"current_plan": "aimock", "plan_usage": 0, "plan_limit": None, "paygo_usage": 0, "paygo_limit": None}
    told = {"key": {**counts, "limit": None}, "account": {**account, **{f"{each}_usage": 0 for each in _COUNTED}}}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))


def feedback(request: SideRequest) -> WireResponse:
    """`POST /feedback`: taken note of, if it says what it is about. Raises WireError."""
    sent = read_object(request.body)
    if not any(isinstance(sent.get(about), str) for about in ("session_id", "request_id")):
        raise refusal("session_id or request_id is required.")
    told = {"success": True, "feedback_id": request.stamp.uuid("feedback"), "response_time": RESPONSE_TIME}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))
