"""Agent cards: one document that readers of 1.0 and of 0.3 both take for theirs, and what of it a signature covers.

A reader of 1.0 passes over the fields that only 0.3 has, and the other way round; nothing is said twice differently.
Signatures cover the card of 1.0 alone.

Source: A2A 1.0 §8 (cards, and §8.4 signatures), RFC 8785 (canonical JSON), RFC 7515 (JWS); a2a-sdk's
`agent_card_to_dict` for the merged document, and its `utils/signing.py` for what is signed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from aimock_protocols.a2a.versions import Version

CARD_PATH = "/.well-known/agent-card.json"
OLD_CARD_PATH = "/.well-known/agent.json"
"""Where 0.2 looked."""
KEYS_PATH = "/.well-known/jwks.json"

_OLD_VERSION = "0.3.0"
_OLD_CAPABILITY = "stateTransitionHistory"
"""Only 0.3 has it."""
_MODES = ["text/plain"]
_UNSAID = frozenset({"required", "pkceRequired"})
"""Booleans without presence in proto: false is the same as absent."""

_SCHEMES = {
    "apiKeySecurityScheme": "apiKey",
    "httpAuthSecurityScheme": "http",
    "oauth2SecurityScheme": "oauth2",
    "openIdConnectSecurityScheme": "openIdConnect",
    "mtlsSecurityScheme": "mutualTLS",
}


def card(described: Mapping[str, Any], url: str, versions: tuple[Version, ...]) -> dict[str, Any]:
    """The card of 1.0 of an agent that answers at `url`. `described`: what its owner says of it, in 1.0."""
    interfaces = []
    if Version.V1 in versions:
        interfaces += [("JSONRPC", Version.V1), ("HTTP+JSON", Version.V1)]
    if Version.V0_3 in versions:
        interfaces += [("JSONRPC", Version.V0_3)]
    return {
        "name": described["name"],
        "description": described["description"],
        "supportedInterfaces": [
            {"url": url, "protocolBinding": binding, "protocolVersion": version.value}
            for binding, version in interfaces
        ],
        "defaultInputModes": _MODES,
        "defaultOutputModes": _MODES,
        **{key: value for key, value in described.items() if key not in ("name", "description")},
    }


def document(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card with what 0.3 wants to read in it, if the agent speaks that."""
    old = [each for each in card["supportedInterfaces"] if each["protocolVersion"] == Version.V0_3.value]
    if not old:
        return dict(card)
    main = old[0]
    merged = {
        **card,
        "protocolVersion": _OLD_VERSION,
        "url": main["url"],
        "preferredTransport": main["protocolBinding"],
        "additionalInterfaces": [{"url": each["url"], "transport": each["protocolBinding"]} for each in old],
        "supportsAuthenticatedExtendedCard": card["capabilities"].get("extendedAgentCard", False),
        "skills": [_with_old_security(skill) for skill in card["skills"]],
    }
    if "securitySchemes" in card:
        merged["securitySchemes"] = {name: _scheme(scheme) for name, scheme in card["securitySchemes"].items()}
    return _with_old_security(merged)


def _with_old_security(described: Mapping[str, Any]) -> dict[str, Any]:
    if "securityRequirements" not in described:
        return dict(described)
    old = [
        {name: scopes.get("list", []) for name, scopes in requirement.get("schemes", {}).items()}
        for requirement in described["securityRequirements"]
    ]
    return {**described, "security": old}


def _scheme(scheme: Mapping[str, Any]) -> dict[str, Any]:
    """What 1.0 wraps in the name of its kind, beside what 0.3 says of it."""
    for name, kind in _SCHEMES.items():
        if name in scheme:
            inner = scheme[name]
            old = {"in" if key == "location" else key: value for key, value in inner.items()}
            return {**scheme, "type": kind, **old}
    return dict(scheme)


# -- signatures --------------------------------------------------------------------------------------------------------

Sign = Callable[[bytes], bytes]
"""Signs, in the form that JWS has (RFC 7518 §3.4 for ES256)."""


def signature(card: Mapping[str, Any], header: Mapping[str, Any], sign: Sign) -> dict[str, str]:
    """A signature of the card, as it stands among its `signatures`."""
    protected = encoded(orjson.dumps(header))
    signed = sign(f"{protected}.{encoded(canonical(covered(card)).encode())}".encode())
    return {"protected": protected, "signature": encoded(signed)}


def encoded(octets: bytes) -> str:
    """In base64url without padding, as JWS has it."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def covered(card: Mapping[str, Any]) -> Any:
    """What of a card is signed: all of 1.0 but the signatures, and nothing that is empty."""
    kept = {key: value for key, value in card.items() if key != "signatures"}
    kept["capabilities"] = {key: value for key, value in card["capabilities"].items() if key != _OLD_CAPABILITY}
    return _filled(kept)


def _filled(value: Any, is_free: bool = False) -> Any:
    """Without what is empty; None if nothing is left. `is_free`: within a Struct, whose keys are its owner's."""
    if isinstance(value, Mapping):
        kept = {
            key: filled
            for key, each in value.items()
            if (filled := _filled(each, is_free or key == "params")) is not None
            and (is_free or key not in _UNSAID or each is not False)
        }
        return kept or None
    if isinstance(value, list):
        return [filled for each in value if (filled := _filled(each, is_free)) is not None] or None
    return None if value == "" else value


def canonical(value: Any) -> str:
    """JSON by RFC 8785: keys in the order of their UTF-16, numbers as JavaScript writes them."""
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(each)}" for key, each in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return orjson.dumps(value).decode()


def _number(value: float) -> str:
    """ECMA-262 6.1.6.1.20. Python's digits are the same, the shortest that mean this number; only where the point and
    the exponent stand differs."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if point > 21 or point < -5:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        written = f"{digits[0]}{tail}e{point - 1:+d}"
    elif point <= 0:
        written = "0." + "0" * -point + digits
    else:
        digits = digits.ljust(point, "0")
        written = digits[:point] + (f".{digits[point:]}" if digits[point:] else "")
    return f"-{written}" if value < 0 else written
