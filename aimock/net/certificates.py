"""What a server shows of itself over TLS: a pair of PEM files, or a certificate of its own making."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs

HTTP_1 = ("http/1.1",)

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1", "*.localhost")
"""By which clients on the same machine may know any server."""


class CertificateError(ValueError):
    """There is no certificate to show; the text says in one line why, and which file is to blame."""


@attrs.frozen
class Certificate:
    """A certificate and its key."""

    load: Callable[[ssl.SSLContext], None]
    """Puts them into a context. Raises CertificateError."""
    authority: bytes | None = None
    """The certificate (PEM) of the CA that signed it, if it is one that nobody knows yet."""


def server_context(certificate: Certificate, alpn: Sequence[str] = HTTP_1) -> ssl.SSLContext:
    """How a server shakes hands. `alpn`: what it speaks, the best first. Raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could have it done at every byte
    context.set_alpn_protocols(list(alpn))
    certificate.load(context)
    return context


def from_files(cert: str, key: str) -> Certificate:
    """A certificate with what chain it has, and its key; they may be in one file."""
    return Certificate(functools.partial(_load_files, cert, key))


def _load_files(cert: str, key: str, context: ssl.SSLContext) -> None:
    def encrypted() -> str:
        raise CertificateError(f"{key}: the key is encrypted; `openssl pkey -in FILE` writes it in the clear")

    _expect(cert, "CERTIFICATE", "certificate")
    _expect(key, "PRIVATE KEY", "private key")
    try:
        context.load_cert_chain(cert, key, password=encrypted)
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            raise CertificateError(f"{key}: not the key of the certificate in {cert}") from error
        culprit = key if _is_certificate(cert) else cert
        raise CertificateError(f"{culprit}: cannot be used: {error.reason or 'damaged PEM'}") from error


def _expect(path: str, label: str, what: str) -> None:
    """OpenSSL's own words name neither the file nor what is missing in it."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error
    if f"{label}-----".encode() not in content:
        raise CertificateError(f"{path}: no {what} in PEM format")


def _is_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return False
    return True


def self_signed(hosts: Iterable[str]) -> Certificate:
    """A new certificate for this machine's local names and `hosts`, by a new CA whose key is kept nowhere.

    Raises CertificateError.
    """
    try:
        import trustme  # an extra, and a tenth of a second
    except ImportError as error:
        raise CertificateError("a self-signed certificate needs trustme: pip install aimock[tls]") from error
    names = dict.fromkeys([*LOCAL_NAMES, *(host.partition("%")[0] for host in hosts)])  # a zone is no part of a name
    authority = trustme.CA(organization_name="aimock")
    try:
        leaf = authority.issue_cert(*names, organization_name="aimock")
    except ValueError as error:
        raise CertificateError(f"no certificate can be made for {', '.join(names)}: {error}") from error
    return Certificate(leaf.configure_cert, authority.cert_pem.bytes())
