"""A real MCP server, the official SDK's, as a process: `python real_mcp_server.py [--legacy]` prints its port.

With `--legacy` it knows no revision of the modern era, whose requests it answers as servers of 2025 do.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel
from starlette.responses import JSONResponse

TOKEN = "Bearer sk-very-secret-token"


class Sure(BaseModel):
    """What `confirm` asks for."""

    sure: bool


def serve(*, legacy: bool) -> None:
    server = MCPServer("real", version="2.1.0", instructions="Ask it about the weather.", log_level="CRITICAL")
    calls: list[str] = []

    @server.tool(title="Weather", description="Says how the weather is.")
    def weather(city: str, days: int = 1) -> dict[str, Any]:
        calls.append(city)
        return {"city": city, "days": days, "sky": "clear", "calls": len(calls)}

    @server.tool()
    def shout(text: str) -> str:
        if not text:
            raise ValueError("nothing to shout")
        return text.upper()

    @server.tool()
    def echo_secret() -> str:
        return f"your header was {TOKEN}, {{{{args.text}}}}"

    @server.tool()
    async def confirm(ctx: Context) -> str:  # type: ignore[type-arg]
        answer = await ctx.elicit("Really?", schema=Sure)
        return str(answer.action)

    @server.resource("docs://readme", mime_type="text/markdown")
    def readme() -> str:
        return "# Read me"

    @server.resource("docs://template")
    def template() -> str:
        return "Dear {{name}}"

    @server.resource("docs://logo", mime_type="image/png")
    def logo() -> bytes:
        return b"\x89PNG"

    @server.resource("docs://broken")
    def broken() -> str:
        raise ValueError("it is broken")

    @server.resource("users://{name}/profile")
    def profile(name: str) -> str:
        return f"profile of {name}"

    @server.prompt(description="Greets somebody.")
    def greet(name: str) -> str:
        return f"Please greet {name} warmly."

    app: Any = server.streamable_http_app(json_response=legacy)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and headers.get(b"x-key") == b"wrong":
            await JSONResponse({"error": "unauthorized"}, 401)(scope, receive, send)
        elif legacy and scope["type"] == "http" and headers.get(b"mcp-protocol-version") == b"2026-07-28":
            await JSONResponse({"error": "Bad Request: Unsupported protocol version"}, 400)(scope, receive, send)
        else:
            await app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(guarded, log_level="error", lifespan="on")).run(sockets=[listener])


@contextlib.contextmanager
def running(*, legacy: bool = False) -> Iterator[str]:
    """The URL of one, while it runs."""
    words = [sys.executable, __file__, *(["--legacy"] if legacy else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        finally:
            process.kill()


if __name__ == "__main__":
    serve(legacy="--legacy" in sys.argv)
