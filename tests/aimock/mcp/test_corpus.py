"""What a real server said, and what ours says of the same: the same shape, but for what is argued here.

- Ours declares more capabilities, since it has more; those that both declare have the same form.
- The recorded server's log messages and pings are its own; ours come from scripts.
- Ours says `isError: false` where the recorded server may leave it out; both are what clients read.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock.surfaces.mcp.mock import MCPMock
from aimock_protocols import sse
from mcp_asking import Client, messages
from recorded import body_of, needs_corpus, rows_of

pytestmark = needs_corpus

LOOSE = ("capabilities", "instructions")


def said(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [orjson.loads(event.data) for event in sse.events([body_of(row)])]


def shape(value: Any) -> Any:
    """Keys and types, all the way down."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted({orjson.dumps(shape(inner)).decode() for inner in value})
    return type(value).__name__


def conversations() -> list[list[dict[str, Any]]]:
    """Exchanges of one client each."""
    found: list[list[dict[str, Any]]] = []
    for row in rows_of("mcp"):
        if row["request"]["method"] == "initialize":
            found.append([])
        found[-1].append(row)
    return found


def mirror(rows: list[dict[str, Any]]) -> MCPMock:
    """A server that has what the recorded one showed."""
    mock = MCPMock(settings={"responseMode": "sse"})
    results = {row["request"]["method"]: (row, said(row)[-1]["result"]) for row in rows if row["response"]}
    listed = next((result for method, (_, result) in results.items() if method == "tools/list"), {"tools": []})
    called = results.get("tools/call")
    for tool in listed["tools"]:
        answer = {}
        if called is not None and called[0]["request"]["params"]["name"] == tool["name"]:
            answer = {"result": called[1]}
        mock.add_tool({key: value for key, value in tool.items() if value is not None} | answer)
    return mock


@pytest.mark.parametrize("place", range(5))
def test_replies_have_the_shape_of_a_real_server_s(place: int) -> None:
    assert len(conversations()) == 5
    rows = conversations()[place]
    with mirror(rows) as mock, Client(mock.url) as client:
        compared = 0
        for row in rows:
            answer = client.post(row["request"])
            assert answer.status_code == row["status"]
            if "mcp-session-id" in answer.headers:
                client.http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
            if not row["response"]:
                assert answer.content == b""
                continue
            assert answer.headers["content-type"] == row["content_type"]
            assert answer.headers["cache-control"] == row["headers"]["cache-control"]
            theirs, ours = said(row)[-1], messages(answer)[-1]
            result = dict(theirs["result"])
            for key in LOOSE:
                mine, other = ours["result"].pop(key, {}), result.pop(key, {})
                if key == "capabilities":
                    assert all(type(mine[name]) is type(other[name]) for name in mine.keys() & other.keys())
            assert shape(ours) == shape(theirs | {"result": result})
            compared += 1
        assert compared >= 2
