"""The Model Context Protocol, as a server speaks it: revisions, envelopes, headers, shapes, errors, frames.

Two eras share an endpoint. In the *legacy* one (2024-11-05 to 2025-11-25) a client opens a session by `initialize`; in
the *modern* one (2026-07-28) every request says by itself what it needs to be understood. What is here is pure; the
server is `aimock.surfaces.mcp`.

Source: the specification at modelcontextprotocol.io, by revision; /spec/wire-mcp.md.
"""
