"""Which version of the protocol a request is in.

Source: A2A 1.0 §3.6: a header (or query key) `A2A-Version` of `Major.Minor`, whose absence means 0.3.
"""

from __future__ import annotations

import enum
import re

HEADER = "a2a-version"

_WRITTEN = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")


class Version(enum.Enum):
    """A version that is spoken here."""

    V1 = "1.0"
    V0_3 = "0.3"


def version_of(text: str) -> Version | None:
    """The version that a client names; None if it is not spoken here. What is a patch does not matter."""
    if not text.strip():
        return Version.V0_3
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    return next((version for version in Version if version.value == f"{found[1]}.{found[2]}"), None)
