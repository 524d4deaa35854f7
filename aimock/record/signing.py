"""Signing for AWS (Signature Version 4), with the credentials of this machine.

A client's signature covers the address it signed for, which was ours: AWS refuses it. So a request to Bedrock is signed
anew, if there is something to sign with.
"""

from __future__ import annotations

import configparser
import hashlib
import hmac
import re
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import attrs

from aimock.net.exchange import Headers

SERVICE = "bedrock"
_ALGORITHM = "AWS4-HMAC-SHA256"
_MADE_ANEW = frozenset({"authorization", "date", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})
_AWS_HOST = re.compile(r"bedrock[a-z-]*\.([a-z]{2}(?:-[a-z]+)+-\d+)\.")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([^/,\s]+)/")


@attrs.frozen
class Credentials:
    access_key: str
    secret_key: str = attrs.field(repr=False)
    token: str | None = attrs.field(default=None, repr=False)
    """Of a session; without one the keys are somebody's own."""


def local_credentials(environment: Mapping[str, str]) -> Credentials | None:
    """Those of the environment, else those of the profile in the shared credentials file, which is read each time:
    sessions are renewed there. None: there are none."""
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN") or None)
    path = environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    profiles = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        profiles.read_string(Path(path).expanduser().read_text("utf-8"))
    except (OSError, RuntimeError, UnicodeDecodeError, configparser.Error):
        return None
    name = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    profile = profiles[name] if profiles.has_section(name) else {}
    access_key, secret_key = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if not access_key or not secret_key:
        return None
    return Credentials(access_key, secret_key, profile.get("aws_session_token") or None)


def region_of(host: str, authorization: str, environment: Mapping[str, str]) -> str | None:
    """Where the request goes: by the host if it is AWS' own, else by what the client signed for, else by ours."""
    found = _AWS_HOST.search(host) or _SCOPE.search(authorization)
    return found[1] if found else environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None


def signed(
    method: str,
    path: str,
    query: str,
    lines: Headers,
    body: bytes,
    *,
    credentials: Credentials,
    region: str,
    now: float,
) -> Headers:
    """The header lines (names in lower case, `host` among them) with a signature of `now`, Unix seconds, in the place
    of the one they had. Path and query are as they are sent."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    lines = (*(line for line in lines if line[0] not in _MADE_ANEW), ("x-amz-date", stamp))
    if credentials.token is not None:
        lines = (*lines, ("x-amz-security-token", credentials.token))
    covered: dict[str, list[str]] = {}
    for name, value in lines:
        if name in ("host", "content-type") or name.startswith("x-amz-"):
            covered.setdefault(name, []).append(" ".join(value.split()))
    names = sorted(covered)
    canonical = "\n".join(
        (
            method,
            urllib.parse.quote(_normal(path), safe="/~"),  # once more: for all services but S3 the path as sent
            "&".join("=".join(pair) for pair in sorted(each.partition("=")[::2] for each in query.split("&") if each)),
            *(f"{name}:{','.join(covered[name])}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = _digest(key, part).digest()
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    proof = f"SignedHeaders={';'.join(names)}, Signature={_digest(key, to_sign).hexdigest()}"
    return (*lines, ("authorization", f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, {proof}"))


def _digest(key: bytes, text: str) -> hmac.HMAC:
    return hmac.new(key, text.encode(), hashlib.sha256)


def _normal(path: str) -> str:
    """Without dot segments and empty ones, as AWS reads it."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments) + ("/" if segments and path.endswith("/") else "")
