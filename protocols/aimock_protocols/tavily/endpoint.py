"""One of Tavily's endpoints that answer whole: the object is the protocol (see `canonical.WireProtocol`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock_protocols import endpoint
from aimock_protocols.canonical import ChatRequest, Head, Headers, Results, Stamp, WireResponse
from aimock_protocols.tavily import platform as tavily


@attrs.frozen(eq=False, kw_only=True)
class Endpoint(endpoint.Endpoint):
    """What it has of its own are functions."""

    read: Callable[[bytes], ChatRequest]
    """A request's body. Raises WireError."""
    shape: Callable[[ChatRequest], Any]
    encode: Callable[[Results, Any, Stamp], bytes]
    """The body of a response. What is told only on request is left out of what the fixture says, unless it was."""
    echoed: tuple[str, ...] = ()
    """What an answer repeats of its request."""
    platform: endpoint.Platform = tavily
    whole_headers: Headers = tavily.WHOLE_HEADERS

    def decode(self, head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
        return self.read(body)

    def parse(self, body: bytes) -> Results:
        """The answer as a fixture has it. Raises WireError on an error, ValueError on what is none of this service."""
        return tavily.parse_without(body, *self.echoed)

    def framed_error(self, response: WireResponse, head: Head) -> WireResponse:
        return tavily.framed_error(response, head)
