"""Both ways to watch many sockets say the same."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator

import pytest

from aimock.net import readiness
from aimock.net.readiness import Readiness

KINDS = [readiness._Selector]
if sys.platform == "linux":
    KINDS.append(readiness._Epoll)


@pytest.fixture(params=KINDS)
def watched(request: pytest.FixtureRequest) -> Iterator[Readiness]:
    if not readiness.can_be_waited_for():
        pytest.skip("the selector of this platform has no descriptor of its own")
    made: Readiness = request.param()
    yield made
    made.close()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


def descriptors(watched: Readiness) -> set[int]:
    return {descriptor for descriptor, _ in watched.ready()}


def can_be_read(watched: Readiness) -> bool:
    return bool(select.select([watched.fileno()], [], [], 0)[0])


def test_what_has_bytes_or_no_peer_is_ready_until_it_is_dealt_with(
    watched: Readiness, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (one, to_one), (two, to_two), (three, _) = pairs
    for sock in (one, two, three):
        watched.add(sock.fileno())
    assert (descriptors(watched), can_be_read(watched)) == (set(), False)
    to_one.send(b"x")
    to_two.close()
    for _ in range(2):  # level-triggered: asking changes nothing
        assert (descriptors(watched), can_be_read(watched)) == ({one.fileno(), two.fileno()}, True)
    one.recv(1)
    watched.remove(two.fileno())
    assert (descriptors(watched), can_be_read(watched)) == (set(), False)


def test_the_platform_has_its_cheapest() -> None:
    made = readiness.new()
    assert isinstance(made, KINDS[-1])
    made.close()
