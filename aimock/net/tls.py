"""TLS between the HTTP loop and a connection: bytes are decrypted on their way in, and encrypted on their way out.

OpenSSL works in memory here, so that what cannot be sent is known to the byte, as on a plain socket, and any transport
will do below. Each connection needs a task: a selector does not tell of what OpenSSL has read already.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
from pathlib import Path

import trio

from aimock.net.transport import RECEIVE_BYTES, PeerGone, PlainText, Transport

logger = logging.getLogger("aimock")

_AT_ONCE = 16 * 1024
"""Bytes encrypted before the connection is asked to take them: a TLS record, which is what a slow reader costs."""

_MOST_UNSENT = 64 * 1024
"""Bytes of ciphertext that may wait. TLS answers some messages of its own accord: who has more coming reads nothing."""

TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Where SDKs are told of a CA, each of them knowing one."""

_DISTRUST = frozenset(
    f"{version}_ALERT_{alert}"
    for version, alert in (
        ("TLSV1", "UNKNOWN_CA"),
        ("SSLV3", "BAD_CERTIFICATE"),
        ("SSLV3", "CERTIFICATE_UNKNOWN"),
        ("TLSV1", "ACCESS_DENIED"),
    )
)
"""What clients say who will not have our certificate, in OpenSSL's words."""


class Security:
    """What all connections of a server share: how hands are shaken, and what was said of those that would not."""

    def __init__(self, context: ssl.SSLContext, ca_file: Path | None = None) -> None:
        self.context = context
        self.ca_file = ca_file
        """Where the CA lies that clients have to trust, if they do not know it."""
        self._told: set[str] = set()

    def tell_failure(self, reason: str) -> None:
        """A warning for the first of a kind: a client that does not trust us tries again and again."""
        level = logging.DEBUG if reason in self._told else logging.WARNING
        self._told.add(reason)
        advice = ""
        if reason in _DISTRUST:
            advice = "; the client does not trust the certificate, or it is not for the name by which it came"
            if self.ca_file is not None:
                advice += f" (for trust: {' or '.join(TRUST_VARIABLES)} = {self.ca_file})"
        logger.log(level, "a TLS handshake failed: %s%s", reason.lower().replace("_", " "), advice)


class TLSTransport:
    """The server's end of a TLS connection over another transport. The first `receive` shakes hands."""

    def __init__(self, below: Transport, security: Security, patience: float) -> None:
        """`patience`: seconds for the handshake."""
        self._below = below
        self._security = security
        self._patience = patience
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = security.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = False
        """Whether hands were shaken."""
        self._unsent = b""
        """Ciphertext that the connection has not taken yet."""
        self._held = 0
        """How many bytes of what is being sent are encrypted there, and count as sent when it is empty."""
        self._is_writing = False
        """Whether a task waits for the connection to take the first of them: what comes meanwhile is added behind."""
        self._finishing = False

    async def receive(self) -> bytes:
        if not self._is_open:
            await self._shake_hands()
        if self._finishing and not self._flush():  # nobody else writes any more
            await self._send_below()
            self._below.finish()
        while True:
            try:
                return self._tls.read(RECEIVE_BYTES)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise PeerGone from error
            if not self._flush() and len(self._unsent) > _MOST_UNSENT:
                raise PeerGone
            await self._receive_below()

    async def _shake_hands(self) -> None:
        """Raises PlainText, PeerGone, trio.TooSlowError."""
        with trio.fail_after(self._patience):
            first = await self._receive_below()
            if first[:1].isalpha():  # a method of HTTP; TLS begins with 0x16
                raise PlainText(self._below, "The client sent HTTP to an HTTPS port")
            while not self._is_open:
                try:
                    self._tls.do_handshake()
                    self._is_open = True
                except ssl.SSLWantReadError:
                    await self._send_below()
                    await self._receive_below()
                except ssl.SSLError as error:
                    self._security.tell_failure(error.reason or str(error))
                    await self._send_below()  # it says why
                    raise PeerGone from error
            await self._send_below()

    async def _receive_below(self) -> bytes:
        """Raises PeerGone at the end too: a peer that means it says so first, in TLS."""
        data = await self._below.receive()
        if not data:
            raise PeerGone
        self._incoming.write(data)
        return data

    async def _send_below(self) -> None:
        while not self._flush():
            self._is_writing = True
            try:
                sent = await self._below.send_some(self._unsent)
            finally:
                self._is_writing = False
            self._unsent = self._unsent[sent:]

    def _flush(self) -> bool:
        """Sends ciphertext without waiting, unless somebody else waits to. Whether none is left. Raises PeerGone."""
        self._unsent += self._outgoing.read()
        while self._unsent and not self._is_writing and (sent := self._below.try_send(self._unsent)):
            self._unsent = self._unsent[sent:]
        return not self._unsent

    def try_send(self, data: bytes | memoryview) -> int:
        """What is encrypted and not taken yet is not counted: whoever sends comes back with the same bytes."""
        sent = 0
        while self._flush():
            sent += self._held
            self._held = 0
            if sent == len(data):
                break
            self._held = self._encrypt(memoryview(data)[sent : sent + _AT_ONCE])
        return sent

    def _encrypt(self, data: memoryview) -> int:
        try:
            return self._tls.write(data)
        except ssl.SSLError as error:
            raise PeerGone from error

    async def send_some(self, data: bytes | memoryview) -> int:
        while not (sent := self.try_send(data)):
            await self._send_below()
        return sent

    def finish(self) -> None:
        """Says that this is the end (close_notify), then FIN; at the next `receive`, if that has to wait."""
        self._finishing = True
        self._say_farewell()
        with contextlib.suppress(PeerGone):
            if self._flush():
                self._below.finish()

    def _say_farewell(self) -> None:
        if self._is_open:
            with contextlib.suppress(ssl.SSLError):  # it would like to hear the peer's, or the peer was first
                self._tls.unwrap()

    def cut(self) -> None:
        self._below.cut()

    def reset(self) -> None:
        self._below.reset()

    def close(self) -> None:
        if not self._finishing:
            self._say_farewell()
            with contextlib.suppress(PeerGone):
                self._flush()
        self._below.close()
