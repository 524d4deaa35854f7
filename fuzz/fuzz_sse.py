"""Invariant: a byte stream gives the same events however it is split, and only EventTooLarge is ever raised.

python fuzz/fuzz_sse.py -max_total_time=60
"""

from __future__ import annotations

import sys
from itertools import pairwise

import atheris

with atheris.instrument_imports():
    from aimock_protocols import framing, sse

LIMIT = 64


def outcome(pieces: list[bytes], limit: int) -> list[sse.Event] | None:
    """The events, or None if one was too large."""
    try:
        return list(sse.events(pieces, limit))
    except framing.EventTooLarge:
        return None


def test_one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    cuts = sorted(provider.ConsumeIntListInRange(provider.ConsumeIntInRange(0, 8), 0, 200))
    stream = provider.ConsumeBytes(provider.remaining_bytes())
    edges = [0, *(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    bytewise = [stream[at : at + 1] for at in range(len(stream))]

    expected = outcome([stream], framing.EVENT_LIMIT)
    assert expected is not None
    assert outcome(pieces, framing.EVENT_LIMIT) == expected
    assert outcome(bytewise, framing.EVENT_LIMIT) == expected
    for event in expected:
        assert "\r" not in event.data
        encoded = b"".join(sse.encode(line.encode()) for line in event.data.split("\n"))
        assert [again.data for again in sse.events([encoded])] == event.data.split("\n")
    for split in (pieces, bytewise):
        outcome(split, LIMIT)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
