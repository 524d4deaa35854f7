"""Cross-origin rules: pages in a browser may call the server, whatever they send."""

from __future__ import annotations

from aimock.net.exchange import Headers

CORS: Headers = (
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    ("access-control-allow-headers", "*"),
    ("access-control-expose-headers", "*, X-Total-Count, X-Request-Id"),
)
"""Sent with every response."""
