"""Who may what: clients, codes and tokens, in memory only, and never more than so many of each.

What a client was granted is one value, with which its codes and tokens stand and fall.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Hashable, Iterator
from typing import TypeVar

import attrs

from aimock_protocols.oauth.authorization import Asked
from aimock_protocols.oauth.clients import Client
from aimock_protocols.oauth.errors import OAuthError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Latest(collections.OrderedDict[K, V]):
    """At most `most` entries: the oldest makes room for a new one."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> None:
        self.pop(key, None)
        while len(self) >= self._most:
            self.popitem(last=False)
        self[key] = value


@attrs.define(eq=False)
class Grant:
    """What a client was granted, once."""

    client_id: str
    scopes: tuple[str, ...]
    is_revoked: bool = False


class Kind(enum.Enum):
    """What a client holds in its hands. The values name them in words."""

    CODE = "authorization code"
    ACCESS = "access token"
    REFRESH = "refresh token"


@attrs.define(eq=False)
class Ticket:
    """A code or a token, but for its text."""

    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float | None
    """Unix time; None: never."""
    asked: Asked | None = None
    """Of a code: what it was asked for."""
    is_spent: bool = False
    """Whether it was used, and may be used once only."""


class Grants:
    """What one authorization server remembers."""

    def __init__(self, clients: tuple[Client, ...], max_clients: int, max_tickets: int) -> None:
        """`max_clients`: of those that register themselves. `max_tickets`: of each kind."""
        self._given = {client.client_id: client for client in clients}
        self._registered: Latest[str, Client] = Latest(max_clients)
        self._tickets: dict[Kind, Latest[str, Ticket]] = {kind: Latest(max_tickets) for kind in Kind}

    def client(self, client_id: str) -> Client | None:
        return self._given.get(client_id) or self._registered.get(client_id)

    def register(self, client: Client) -> None:
        self._registered.keep(client.client_id, client)

    def issue(self, kind: Kind, text: str, ticket: Ticket) -> str:
        """Remembers a ticket, and gives its text."""
        self._tickets[kind].keep(text, ticket)
        return text

    def valid(self, kind: Kind, text: str, now: float) -> Ticket:
        """The ticket with this text. Raises OAuthError `invalid_grant` that says why it is worth nothing."""
        ticket = self._tickets[kind].get(text)
        if ticket is None:
            raise OAuthError("invalid_grant", f"the {kind.value} is unknown")
        if ticket.grant.is_revoked:
            raise OAuthError("invalid_grant", f"the {kind.value} was revoked")
        if ticket.expires_at is not None and ticket.expires_at <= now:
            raise OAuthError("invalid_grant", f"the {kind.value} has expired")
        return ticket

    def spend(self, ticket: Ticket, kind: Kind) -> None:
        """It is used now, and not again: whoever tries has stolen it, or was robbed, so that all that came of it is
        worth nothing any more (OAuth 2.1 4.1.3, 4.3.1). Raises OAuthError then."""
        if ticket.is_spent:
            ticket.grant.is_revoked = True
            raise OAuthError("invalid_grant", f"the {kind.value} was used before")
        ticket.is_spent = True

    def revoke(self, client_id: str, text: str) -> None:
        """A token of this client, if it is one: a refresh token with all that came of its grant, an access token alone
        (RFC 7009 2.1)."""
        refresh = self._tickets[Kind.REFRESH].get(text)
        if refresh is not None and refresh.grant.client_id == client_id:
            refresh.grant.is_revoked = True
        access = self._tickets[Kind.ACCESS].get(text)
        if access is not None and access.grant.client_id == client_id:
            del self._tickets[Kind.ACCESS][text]

    def expire(self, kinds: tuple[Kind, ...], client_id: str | None, now: float) -> int:
        """Ends the time of those in force, of one client or all. Returns how many there were."""
        ended = [ticket for kind in kinds for ticket in self._in_force(kind, client_id, now)]
        for ticket in ended:
            ticket.expires_at = now
        return len(ended)

    def expire_one(self, text: str, now: float) -> None:
        """The same of one access token."""
        ticket = self._tickets[Kind.ACCESS].get(text)
        if ticket is not None:
            ticket.expires_at = now

    def revoke_all(self, client_id: str | None, now: float) -> int:
        """Revokes what was granted to one client or all. Returns how many grants were in force."""
        grants = {ticket.grant for kind in Kind for ticket in self._in_force(kind, client_id, now)}
        for grant in grants:
            grant.is_revoked = True
        return len(grants)

    def counts(self, now: float) -> dict[str, int]:
        """How many clients there are, and tokens in force."""
        return {
            "clients": len(self._given) + len(self._registered),
            "accessTokens": sum(1 for _ in self._in_force(Kind.ACCESS, None, now)),
            "refreshTokens": sum(1 for _ in self._in_force(Kind.REFRESH, None, now)),
        }

    def clear(self) -> None:
        """Forgets all but the clients that it was given."""
        self._registered.clear()
        for tickets in self._tickets.values():
            tickets.clear()

    def _in_force(self, kind: Kind, client_id: str | None, now: float) -> Iterator[Ticket]:
        for ticket in self._tickets[kind].values():
            is_over = ticket.is_spent or ticket.grant.is_revoked
            is_over = is_over or (ticket.expires_at is not None and ticket.expires_at <= now)
            if not is_over and client_id in (None, ticket.grant.client_id):
                yield ticket
