"""A client that speaks TLS over a connection in memory, so that it runs on Trio's mock clock."""

from __future__ import annotations

import functools
import ssl

from aimock.net.certificates import Certificate, self_signed, server_context
from aimock.net.memory import Arrival, MemoryClient
from aimock.net.tls import Security


@functools.cache
def certificate() -> Certificate:
    """One for all tests: making it takes a while."""
    return self_signed([])


def security() -> Security:
    return Security(server_context(certificate()))


def trusting() -> ssl.SSLContext:
    """A client's context that trusts the certificate, and no other."""
    authority = certificate().authority
    assert authority is not None
    return ssl.create_default_context(cadata=authority.decode())


class Ragged(Exception):
    """FIN without close_notify: nobody knows whether there was more to come."""


class SecureClient:
    """The client's end: `client` has the bytes as the network has them."""

    def __init__(self, client: MemoryClient, context: ssl.SSLContext | None = None, name: str = "localhost") -> None:
        self.client = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting()).wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def flush(self) -> None:
        self.client.send(self._outgoing.read())

    async def shake_hands(self) -> None:
        """Raises ssl.SSLError if there is no trust, and tells the server."""
        while True:
            try:
                self.tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self.flush()
                await self._feed()
            finally:
                self.flush()

    async def _feed(self) -> float:
        arrival = await self.client.receive()
        if arrival is None:
            raise Ragged
        self._incoming.write(arrival.data)
        return arrival.time

    async def catch_up(self) -> None:
        """Reads what has come of its own accord, such as session tickets."""
        while self.client._incoming.arrivals:
            await self._feed()

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.flush()

    def say_farewell(self) -> None:
        """close_notify, and no FIN."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            self.flush()

    async def receive(self) -> Arrival | None:
        """What the next record has; None after close_notify. Raises Ragged, and PeerGone after a RST."""
        time = 0.0
        while True:
            try:
                data = self.tls.read(1 << 20)
                return Arrival(time, data) if data else None
            except ssl.SSLWantReadError:
                time = await self._feed()
            except ssl.SSLZeroReturnError:
                return None
