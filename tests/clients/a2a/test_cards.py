"""Cards, signed and extended, as the official SDK reads and verifies them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver
from a2a.types import AgentCard
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import ExtendedAgentCardNotConfiguredError, UnsupportedOperationError
from a2a.utils.proto_utils import warn_on_missing_required_fields
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt import PyJWK

from aimock.surfaces.a2a.mock import A2AMock

from .conftest import WAYS, client_of

FULL: dict[str, Any] = {
    "name": "Agent ☃ 😀",
    "description": 'quotes " and \\ and \u2028',
    "version": "2.1.0",
    "provider": {"url": "https://example.com", "organization": "Org"},
    "documentationUrl": "https://example.com/docs",
    "iconUrl": "https://example.com/icon",
    "skills": [{"id": "s", "name": "S", "description": "", "tags": ["x", "y"], "examples": [], "inputModes": ["a/b"]}],
    "capabilities": {
        "streaming": False,
        "stateTransitionHistory": True,
        "extensions": [
            {
                "uri": "urn:x",
                "required": False,
                "params": {"z": 1.5, "a": 1e21, "\ue000": 1, "😀": [1, 2.0, {}], "required": False, "empty": ""},
            }
        ],
    },
    "securitySchemes": {
        "key": {"apiKeySecurityScheme": {"location": "header", "name": "X"}},
        "http": {"httpAuthSecurityScheme": {"scheme": "Bearer"}},
        "oauth": {
            "oauth2SecurityScheme": {
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": "https://a",
                        "tokenUrl": "https://t",
                        "scopes": {"read": "r"},
                        "pkceRequired": False,
                    }
                }
            }
        },
        "open": {"openIdConnectSecurityScheme": {"openIdConnectUrl": "https://o"}},
        "mtls": {"mtlsSecurityScheme": {"description": "m"}},
    },
    "securityRequirements": [{"schemes": {"key": {"list": []}, "oauth": {"list": ["read"]}}}],
    "defaultInputModes": ["text/plain", "image/png"],
}


def card_of(url: str, verifier: Callable[[AgentCard], None] | None = None) -> AgentCard:
    async def main() -> AgentCard:
        async with httpx.AsyncClient(verify=False) as http:
            return await A2ACardResolver(http, url).get_agent_card(signature_verifier=verifier)

    return asyncio.run(main())


def verifier_from(http: httpx.Client) -> Callable[[AgentCard], None]:
    """Gets the key where the signature says that it is."""

    def key(kid: str | None, jku: str | None) -> PyJWK:
        assert jku is not None
        (found,) = [each for each in http.get(jku).json()["keys"] if each["kid"] == kid]
        return PyJWK(found)

    return create_signature_verifier(key, ["ES256"])


def test_a_plain_card_has_all_that_is_required() -> None:
    with A2AMock() as mock:
        mock.register_agent("bot")
        card = card_of(mock.url)
    assert warn_on_missing_required_fields(card, "test")
    assert not card.signatures


@pytest.mark.parametrize("definition", [{"name": "bot"}, FULL], ids=["plain", "full"])
def test_a_signed_card_is_verified(definition: dict[str, Any]) -> None:
    with A2AMock(signing=True) as mock, httpx.Client(verify=False) as http:
        mock.register_agent(definition)
        card = card_of(mock.url, verifier_from(http))
        card.description = "forged"
        with pytest.raises(InvalidSignaturesError):
            verifier_from(http)(card)


def test_the_key_follows_from_the_seed_or_is_given(tmp_path: Path) -> None:
    def key_of(seed: int, signing: Any) -> Any:
        with A2AMock(seed=seed, signing=signing) as mock, httpx.Client(verify=False) as http:
            mock.register_agent("bot")
            card_of(mock.url, verifier_from(http))
            assert http.get(mock.url + "/.well-known/jwks.json").json() == {"keys": [mock.public_key]}
            return mock.public_key

    assert key_of(1, True) == key_of(1, True)
    assert key_of(1, True)["kid"] != key_of(2, True)["kid"]
    private = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    given = key_of(1, {"key": str(file), "keyId": "mine"})
    assert given == key_of(2, {"key": str(file), "keyId": "mine"})
    assert given["kid"] == "mine"


@pytest.mark.parametrize("content", [b"nonsense", None])
def test_a_key_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key.pem"
    other = ed25519.Ed25519PrivateKey.generate()
    file.write_bytes(content or other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ValueError, match=r"signing\.key: .*key\.pem: expected a private key on P-256"):
        A2AMock(signing={"key": str(file)})


@pytest.mark.parametrize("way", WAYS)
def test_the_extended_card(way: str) -> None:
    with A2AMock(signing=True) as mock, httpx.Client(verify=False) as http:
        mock.register_agent(FULL, extended_card={"description": "for friends", "skills": [{"id": "secret"}]})

        async def main() -> tuple[AgentCard, AgentCard]:
            async with client_of(mock.url, way) as (client, card):
                public = AgentCard()
                public.CopyFrom(card)
                verifier = verifier_from(http) if way != WAYS[2] else None  # 0.3 writes the card anew, and unsigned
                return public, await client.get_extended_agent_card(
                    pb.GetExtendedAgentCardRequest(), signature_verifier=verifier
                )

        public, extended = asyncio.run(main())
    assert public.description == FULL["description"]
    assert (extended.description, [skill.id for skill in extended.skills]) == ("for friends", ["secret"])


@pytest.mark.parametrize("way", WAYS)
def test_an_extended_card_that_there_is_not(way: str) -> None:
    with A2AMock() as mock:
        mock.register_agent("bot", capabilities={"extendedAgentCard": True})

        async def main() -> None:
            async with client_of(mock.url, way) as (client, card):
                with pytest.raises(ExtendedAgentCardNotConfiguredError):
                    await client.get_extended_agent_card(pb.GetExtendedAgentCardRequest())
            mock.register_agent("bot", capabilities={"extendedAgentCard": False})
            async with client_of(mock.url, way) as (client, card):
                card.capabilities.extended_agent_card = True  # the SDK would not ask
                with pytest.raises(UnsupportedOperationError):
                    await client.get_extended_agent_card(pb.GetExtendedAgentCardRequest())

        asyncio.run(main())
