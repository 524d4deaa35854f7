"""Memory of an MCP server when clients open sessions and never come back: `python -m bench.mcp_sessions`.

Prints what the process holds when it has a thousand sessions, which is as many as it keeps, and after ten thousand.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from pathlib import Path

from aimock.surfaces.mcp.mock import MCPMock

COUNTS = (0, 1_000, 2_500, 5_000, 7_500, 10_000)

_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    if not sys.platform.startswith("linux"):
        print("needs Linux: memory is read from /proc", file=sys.stderr)
        return 2
    body = json.dumps(_INITIALIZE)
    with MCPMock().add_tool({"name": "t", "result": "x"}) as mock:
        connection = http.client.HTTPConnection("127.0.0.1", mock.port)
        opened = 0
        print("opened  kept  resident MiB")
        for count in COUNTS:
            for _ in range(count - opened):
                connection.request("POST", "/mcp", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                assert answer.getheader("mcp-session-id")
            opened = count
            print(f"{opened:6} {len(mock.get_sessions()):5} {resident_mib():13.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
