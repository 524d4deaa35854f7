"""The MCP server: tools, resources and prompts for agents, over HTTP or whatever else carries messages.

Its parts, from the inside out:

- `registry.py` has what is served; `reading.py` makes entries of JSON, `entries.py` says what they are, `script.py`
  what happens when one is called.
- `server.py` answers requests, with `calling.py` and `tasking.py`. An answer is `Steps`, a generator that does no I/O:
  it yields moves (`moves.py`: send this notification, ask the client this, wait so long, await this handler), and
  returns an `Outcome`, which holds the JSON-RPC response. One that yields nothing is answered at once.
- `performing.py` performs moves for a `Line`, the way of one request to its client.
- `service.py` is Streamable HTTP: `legacy.py` with sessions (`held.py`, `streams.py`), `modern.py` without. `peer.py`
  is for the rest of transports.

**The seam for other transports** (stdio, HTTP+SSE) is `peer.Peer`: one client, for as long as its transport lasts.

    peer = Peer(server, send, spawn, stamp, test_id)
    peer.receive(body)      # one message (or batch) as bytes; never raises, never blocks
    peer.close()            # the client is gone: whatever runs for it ends

`send(message)` is called, from the server's loop, with each message to the client as a JSON value, in order; it must
not block (put it into a queue that something writes out). `spawn(work)` begins an async function beside the caller and
returns its `trio.CancelScope` (`MCPService.spawn`, or three lines around a nursery). `stamp(body)` gives time and
entropy for a message (`Exchange.stamp`; or `Stamp(wall_clock(), Randomness.fork(…))`). Both eras are answered, as over
HTTP: a client may begin with `initialize` or with `server/discover`. `MCPService.server` is the `Server` of HTTP.

**The seam for guards and faults** is `MCPService.before`: functions `(exchange, path) -> Answer | None` that are asked
in turn before a request is looked at; the first answer is sent. Sessions can be ended with
`MCPService.sessions.end(id)`, the registry changed with `MCPService.server.registry`, which tells the clients that
listen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from aimock.surfaces.mcp.service import MCPService


def from_config(value: Any, directory: Path) -> MCPService:
    """The server that a config file's section describes. Raises ValueError."""
    from aimock.surfaces.mcp.service import MCPService

    return MCPService.from_config(value, directory)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of that section."""
    from aimock.surfaces.mcp.service import section_schema

    return section_schema()
