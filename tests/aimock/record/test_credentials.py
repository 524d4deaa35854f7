"""With which key a request goes to a provider: the whole matrix."""

from __future__ import annotations

import itertools

import pytest

from aimock.net.exchange import Headers
from aimock.record.credentials import Keyring, NoCredential, variable_of
from aimock.record.providers import SCHEMES, Scheme
from aimock.redaction import CREDENTIAL_HEADERS

OURS = "our-true-key"
KEYED = [(name, scheme) for name, scheme in SCHEMES.items() if scheme is not None]
OTHER: Headers = (("content-type", "application/json"), ("user-agent", "x"))

BEARER_OF_THE_REFERENCE = {"openai", "openrouter", "cohere", "grok", "ollama"}


def test_the_schemes_are_the_reference_s() -> None:
    written = {name: (scheme.header, scheme.prefix) for name, scheme in KEYED}
    assert {written[name] for name in BEARER_OF_THE_REFERENCE} == {("authorization", "Bearer ")}
    assert written["fal"] == ("authorization", "Key ")
    assert written["anthropic"] == ("x-api-key", "")
    assert {written[name] for name in ("gemini", "gemini-interactions", "veo")} == {("x-goog-api-key", "")}
    assert written["azure"] == ("api-key", "")
    assert written["elevenlabs"] == ("xi-api-key", "")
    assert {name for name, scheme in SCHEMES.items() if scheme is None} == {"bedrock", "vertexai"}


CALLERS = {
    "absent": None,
    "empty": "",
    "dummy": "sk-aimock-anything",
    "just the marker": "sk-aimock-",
    "real": "sk-real",
    "marker within": "real-sk-aimock-",
}
IS_REAL = {"real", "marker within"}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("provider", "scheme"), KEYED, ids=[name for name, _ in KEYED])
@pytest.mark.parametrize("is_configured", [True, False])
def test_matrix(provider: str, scheme: Scheme, caller: str, is_configured: bool) -> None:
    keyring = Keyring({provider: OURS} if is_configured else {}, {})
    value = CALLERS[caller]
    theirs: Headers = () if value is None else ((scheme.header, (scheme.prefix + value).strip()),)
    sent, query = keyring.equipped(provider, (*OTHER, *theirs), "alt=sse", is_guarded=False)
    ours = ((scheme.header, scheme.prefix + OURS),)
    assert sent == (*OTHER, *(ours if is_configured and caller not in IS_REAL else theirs))
    assert query == "alt=sse"


@pytest.mark.parametrize("word", ["bearer", "BEARER", "Token", "Key", "Basic"])
def test_however_a_dummy_is_presented(word: str) -> None:
    sent, _ = Keyring({"openai": OURS}, {}).equipped(
        "openai", (("authorization", f"{word}   sk-aimock-1"),), "", is_guarded=False
    )
    assert sent == (("authorization", f"Bearer {OURS}"),)


@pytest.mark.parametrize("value", ["Bearer", "bearer ", "Bearer\t", " "])
def test_a_word_alone_is_no_credential(value: str) -> None:
    sent, _ = Keyring({"openai": OURS}, {}).equipped("openai", (("authorization", value),), "", is_guarded=False)
    assert sent == (("authorization", f"Bearer {OURS}"),)


def test_every_dummy_is_replaced_where_a_header_is_repeated() -> None:
    dummies: Headers = (("x-api-key", "sk-aimock-1"), ("x-api-key", ""), ("authorization", "Bearer sk-aimock-2"))
    sent, _ = Keyring({"anthropic": OURS}, {}).equipped("anthropic", dummies, "", is_guarded=False)
    assert sent == (("x-api-key", OURS),)


@pytest.mark.parametrize("provider", ["anthropic", "azure", "gemini"])
def test_a_token_is_a_real_credential_and_the_dummy_beside_it_does_not_leave(provider: str) -> None:
    scheme = SCHEMES[provider]
    assert scheme is not None
    lines: Headers = ((scheme.header, "sk-aimock-1"), ("authorization", "Bearer ya29.real"))
    for given in ({}, {provider: OURS}):
        sent, _ = Keyring(given, {}).equipped(provider, lines, "", is_guarded=False)
        assert sent == (("authorization", "Bearer ya29.real"),)


def test_what_another_provider_takes_is_left_alone() -> None:
    sent, query = Keyring({"openai": OURS}, {}).equipped("openai", (("x-api-key", "mine"),), "key=k", is_guarded=False)
    assert sent == (("x-api-key", "mine"), ("authorization", f"Bearer {OURS}"))
    assert query == "key=k"


@pytest.mark.parametrize(
    ("query", "header", "sent_query", "sent_header"),
    [
        ("key=sk-aimock-1&alt=sse", None, "alt=sse", OURS),
        ("alt=sse&key=", None, "alt=sse", OURS),
        ("%6Bey=sk-aimock-1", None, "", OURS),
        ("key=sk%2Daimock-1", None, "", OURS),
        ("key=real&alt=sse", None, "key=real&alt=sse", None),
        ("key=real", "sk-aimock-1", "key=real", None),
        ("key=sk-aimock-1&alt=sse", "real", "alt=sse", "real"),
        ("alt=sse", "sk-aimock-1", "alt=sse", OURS),
    ],
)
@pytest.mark.parametrize("provider", ["gemini", "gemini-interactions", "veo"])
def test_google_s_key_in_the_query(
    provider: str, query: str, header: str | None, sent_query: str, sent_header: str | None
) -> None:
    keyring = Keyring({"gemini": OURS, "veo": OURS}, {})
    lines: Headers = () if header is None else (("x-goog-api-key", header),)
    sent = keyring.equipped(provider, lines, query, is_guarded=False)
    assert sent == (() if sent_header is None else (("x-goog-api-key", sent_header),), sent_query)


def test_without_a_key_of_ours_a_dummy_goes_out_for_the_provider_to_refuse() -> None:
    sent = Keyring({}, {}).equipped("gemini", (), "key=sk-aimock-1", is_guarded=False)
    assert sent == ((), "key=sk-aimock-1")


@pytest.mark.parametrize(("provider", "scheme"), KEYED, ids=[name for name, _ in KEYED])
def test_the_key_of_this_server_goes_no_further(provider: str, scheme: Scheme) -> None:
    lines: Headers = (*OTHER, *((name, "our-api-key") for name in sorted(CREDENTIAL_HEADERS)))
    sent, query = Keyring({provider: OURS}, {}).equipped(provider, lines, "key=our-api-key&a=b", is_guarded=True)
    assert sent == (*OTHER, (scheme.header, scheme.prefix + OURS))
    assert query == "a=b"


@pytest.mark.parametrize("provider", SCHEMES)
def test_and_then_there_must_be_another(provider: str) -> None:
    lines: Headers = (("authorization", "Bearer our-api-key"),)
    with pytest.raises(NoCredential) as refused:
        Keyring({}, {}).equipped(provider, lines, "", is_guarded=True)
    assert "our-api-key" not in str(refused.value)


def test_keys_of_the_environment() -> None:
    names = ["OPENAI", "OPENROUTER", "COHERE", "GROK", "OLLAMA", "ANTHROPIC", "GEMINI", "VEO", "AZURE"]
    names += ["ELEVENLABS", "FAL"]
    assert {f"AIMOCK_PROVIDER_{name}_KEY" for name in names} <= set(map(variable_of, SCHEMES))
    keyring = Keyring({}, {f"AIMOCK_PROVIDER_{name}_KEY": f"key of {name}" for name in names})
    for name in names:
        scheme = SCHEMES[name.lower()]
        assert scheme is not None
        sent, _ = keyring.equipped(name.lower(), (), "", is_guarded=False)
        assert sent == ((scheme.header, f"{scheme.prefix}key of {name}"),)


def test_keys_given_come_before_those_of_the_environment_where_an_empty_one_is_none() -> None:
    given, variable = {"openai": OURS}, "AIMOCK_PROVIDER_OPENAI_KEY"
    for value, expected in itertools.product(["", "theirs"], [OURS]):
        sent, _ = Keyring(given, {variable: value}).equipped("openai", (), "", is_guarded=False)
        assert sent == (("authorization", f"Bearer {expected}"),)
    assert Keyring({}, {variable: ""}).equipped("openai", (), "", is_guarded=False) == ((), "")


def test_a_key_that_no_header_can_have_is_named_and_not_shown() -> None:
    with pytest.raises(ValueError, match=r"^AIMOCK_PROVIDER_FAL_KEY: expected a key of printable ASCII") as refused:
        Keyring({}, {"AIMOCK_PROVIDER_FAL_KEY": "hu\nsh"})
    assert "hu" not in str(refused.value)


@pytest.mark.parametrize(("marker", "is_replaced"), [("test-", True), ("", False), ("sk-aimock-", False)])
def test_the_marker_can_be_chosen(marker: str, is_replaced: bool) -> None:
    keyring = Keyring({"openai": OURS}, {"AIMOCK_DUMMY_KEY_MARKER": marker})
    sent, _ = keyring.equipped("openai", (("authorization", "Bearer test-1"),), "", is_guarded=False)
    assert sent == (("authorization", f"Bearer {OURS if is_replaced else 'test-1'}"),)
