"""The errors of OAuth by their codes."""

from __future__ import annotations

from collections.abc import Mapping

STATUSES: Mapping[str, int] = {
    "invalid_client": 401,
    "invalid_token": 401,
    "insufficient_scope": 403,
    "server_error": 500,
    "temporarily_unavailable": 503,
}
"""HTTP status by code, where it is not 400. The last two are codes for redirects (RFC 6749 4.1.2.1) that servers send
as bodies too."""


class OAuthError(Exception):
    """A request that is refused: a code of RFC 6749 (4.1.2.1, 5.2), RFC 6750, RFC 7009, RFC 7591 or RFC 8707."""

    def __init__(self, code: str, description: str) -> None:
        """`description` goes to the client, and repeats nothing that may be secret."""
        super().__init__(code, description)
        self.code = code
        self.description = description

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, 400)

    @property
    def parameters(self) -> dict[str, str]:
        """As a body or a redirect tells it."""
        return {"error": self.code, "error_description": self.description}
