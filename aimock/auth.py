"""Who may ask: API keys, of which a request must present one (spec: core-server §8).

A head decides alone, so the decision is made once for each head and kept with it. How fast it is found again tells
nobody anything: who sends the very bytes of a kept head knows the key in it. The heads that net and the journal keep
have keys in them; they are in memory only, and never in a log, a journal as it is shown, or a repr.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Callable, Iterator, Sequence

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Head, Headers, Whole
from aimock.net.handshake import asks_for_websocket
from aimock.redaction import CREDENTIAL_HEADERS, CREDENTIAL_QUERY_KEYS, CREDENTIAL_SUBPROTOCOL, SIGNED

PUBLIC_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""What GET may read without a key, at exactly these paths: orchestrators have none."""

_HEADERS: Headers = (("content-type", "application/json"), ("www-authenticate", 'Bearer realm="aimock"'), *CORS)
_BODY = b'{"error":{"message":"Invalid API key","type":"authentication_error","code":"invalid_api_key"}}'

_AUTHORIZATION = re.compile(r"(?:Bearer|Key|Token)[ \t]+(.+)", re.IGNORECASE)
_MINTED = ("ek_", "auth_tokens/")
"""How secrets begin that a server hands out to be presented in place of a key (OpenAI's, Google's)."""


class Guard:
    """Knows the keys, by their digests."""

    def __init__(self, keys: Sequence[str], has_minted: Callable[[str], bool] = lambda secret: False) -> None:
        """`has_minted`: whether this server handed out a secret, and still knows it; such a one opens WebSockets."""
        self._digests = [_digest(key.encode()) for key in keys]
        self._has_minted = has_minted

    def admits(self, head: Head) -> bool:
        """Whether the head has a key, in as many places as it likes: each must hold a key, and all the same one."""
        if self.lets_ask(head) or (head.method == "GET" and head.path in PUBLIC_PATHS):
            return True
        presented = list(_credentials(head))
        minted = [credential.decode("latin-1") for credential in presented]
        if len(set(minted)) == 1 and minted[0].startswith(_MINTED) and asks_for_websocket(head):
            return self._has_minted(minted[0])
        known = {self._number(credential) for credential in presented}
        return len(known) == 1 and None not in known

    def lets_ask(self, head: Head) -> bool:
        """Whether this is a true preflight: a browser asks on behalf of a page, which it does without credentials."""
        return head.method == "OPTIONS" and {"origin", "access-control-request-method"} <= head.headers.keys()

    def reject(self, exchange: Exchange, *_: object) -> Whole:
        """The same answer on every surface, whatever was wrong with the key, or else with the request."""
        return Whole(401, _HEADERS, _BODY, exchange.fresh_headers)

    def _number(self, credential: bytes) -> int | None:
        """Which key it is. Every key is compared, and digests in constant time: how long it takes tells nothing."""
        digest = _digest(credential)
        found = [number for number, key in enumerate(self._digests) if hmac.compare_digest(key, digest)]
        return found[0] if found else None


def _credentials(head: Head) -> Iterator[bytes]:
    """Every credential that a head presents; one that cannot be a key is empty, as no key is."""
    for name, value in head.header_lines:
        if name == "authorization":
            scheme = _AUTHORIZATION.fullmatch(value) or SIGNED.fullmatch(value)
            yield scheme[1].encode("latin-1") if scheme is not None else b""
        elif name in CREDENTIAL_HEADERS:
            yield value.encode("latin-1")
        elif name == "sec-websocket-protocol":
            for offered in value.split(","):
                start, key, rest = offered.strip().partition(CREDENTIAL_SUBPROTOCOL)
                if key and not start:
                    yield rest.encode("latin-1")
    for name, value in urllib.parse.parse_qsl(head.query, keep_blank_values=True):
        if name in CREDENTIAL_QUERY_KEYS or (name == "access_token" and value.startswith(_MINTED)):
            yield value.encode()


def _digest(credential: bytes) -> bytes:
    return hashlib.blake2b(credential).digest()
