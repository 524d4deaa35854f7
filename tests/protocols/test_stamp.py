"""Ids follow from a stamp and nothing else."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import ENTROPY_BYTES, Stamp


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES), st.sampled_from(["", "trace", "call 0"]))
def test_uuids_are_random_ones_as_the_standard_has_them(entropy: bytes, label: str) -> None:
    minted = Stamp(0.0, entropy).uuid(label)
    read = uuid.UUID(minted)
    assert (str(read), read.version, read.variant) == (minted, 4, uuid.RFC_4122)
    assert minted == Stamp(1.0, entropy).uuid(label)
    assert minted != Stamp(0.0, entropy).uuid(f"{label} other")
