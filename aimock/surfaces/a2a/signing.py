"""The key by which cards are signed: ES256, either given, or following from the server's seed.

Signatures are deterministic (RFC 6979), so that a card is the same bytes for ever.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from aimock import reading
from aimock.documents import located
from aimock.reading import Keys, keyed, object_schema, reads
from aimock_protocols.a2a.card import encoded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM = "ES256"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (FIPS 186-5)."""
_OCTETS = 32


class Key:
    """A private key, and how it is told of."""

    def __init__(self, private: EllipticCurvePrivateKey, id: str | None = None) -> None:
        """`id`: None takes its thumbprint (RFC 7638)."""
        self._private = private
        numbers = private.public_key().public_numbers()
        x, y = (encoded(number.to_bytes(_OCTETS, "big")) for number in (numbers.x, numbers.y))
        print = hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest()
        self.id = id or encoded(print)
        self.public = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.id, "alg": ALGORITHM, "use": "sig"}
        """As a JSON Web Key."""

    def sign(self, octets: bytes) -> bytes:
        """A signature as JWS has it (RFC 7518 §3.4)."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        signature = self._private.sign(octets, ECDSA(SHA256(), deterministic_signing=True))
        return b"".join(number.to_bytes(_OCTETS, "big") for number in decode_dss_signature(signature))


@attrs.frozen
class Signing:
    """That cards are signed, and with which key."""

    pem: bytes | None = attrs.field(default=None, repr=False)
    """A private key on P-256, not encrypted; None: it follows from the server's seed."""
    key_id: str | None = None

    def key(self, seed: int) -> Key:
        return _key(self.pem, self.key_id, seed)


@functools.lru_cache(maxsize=16)
def _key(pem: bytes | None, id: str | None, seed: int) -> Key:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if pem is None:
        digest = hashlib.sha512(f"aimock agent card {seed}".encode()).digest()
        return Key(ec.derive_private_key(int.from_bytes(digest, "big") % (_ORDER - 1) + 1, ec.SECP256R1()), id)
    private = load_pem_private_key(pem, None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise ValueError("a private key on P-256")
    return Key(private, id)


_KEYS: Keys = {"key": reading.filled, "keyId": reading.filled}


@reads({"anyOf": [{"type": "boolean"}, object_schema(_KEYS)]})
def read_signing(value: Any, place: str) -> dict[str, Any] | None:
    """`true`, or `{"key": FILE, "keyId": …}`; None: cards are not signed."""
    if isinstance(value, bool):
        return {} if value else None
    return keyed(value, place, _KEYS)


def signing_of(given: Mapping[str, Any] | None, place: str, directory: Path | None) -> Signing | None:
    """What the section says, if there is a directory that the file's path may be relative to. Raises ValueError."""
    if given is None:
        return None
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError:
        raise ValueError(f"{place}: signed cards need cryptography: pip install 'aimock[tls]'") from None
    if "key" not in given:
        return Signing(None, given.get("keyId"))
    if directory is None:
        raise ValueError(f"{place}.key: files are named in a config file or in Python alone")
    path = located(given["key"], directory)
    try:
        signing = Signing(path.read_bytes(), given.get("keyId"))
        signing.key(0)
    except OSError as error:
        raise ValueError(f"{place}.key: {path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise ValueError(f"{place}.key: {path}: expected a private key on P-256, as PEM without a password") from None
    return signing
