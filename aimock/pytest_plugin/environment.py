"""The variables by which the SDKs find their server and their key. Which ones, the SDKs' own code says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

KEY = "aimock-dummy-key"

_TOLD = {
    # openai; LiteLLM and LangChain also know the older …_API_BASE
    "OPENAI_BASE_URL": "{url}/v1",
    "OPENAI_API_BASE": "{url}/v1",
    "OPENAI_API_KEY": KEY,
    "AZURE_OPENAI_ENDPOINT": "{url}",
    "AZURE_OPENAI_API_KEY": KEY,
    # anthropic, whose SDK adds /v1 itself
    "ANTHROPIC_BASE_URL": "{url}",
    "ANTHROPIC_API_BASE": "{url}",
    "ANTHROPIC_API_KEY": KEY,
    # google-genai
    "GOOGLE_GEMINI_BASE_URL": "{url}",
    "GOOGLE_VERTEX_BASE_URL": "{url}",
    "GOOGLE_API_KEY": KEY,
    "GEMINI_API_KEY": KEY,
    # cohere
    "CO_API_URL": "{url}",
    "CO_API_KEY": KEY,
    "COHERE_API_KEY": KEY,
    # ollama
    "OLLAMA_HOST": "{url}",
    "OLLAMA_API_KEY": KEY,
    # mistralai has a key only; LiteLLM has a URL
    "MISTRAL_API_BASE": "{url}/v1",
    "MISTRAL_API_KEY": KEY,
    # groq, whose SDK adds /openai/v1 itself; LiteLLM does not
    "GROQ_BASE_URL": "{url}",
    "GROQ_API_BASE": "{url}/openai/v1",
    "GROQ_API_KEY": KEY,
    "TOGETHER_BASE_URL": "{url}/v1",
    "TOGETHER_API_KEY": KEY,
    # boto3, for this one service
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{url}",
    # anthropic on Bedrock
    "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
}

_TOLD_IF_ABSENT = {
    "OPENAI_API_VERSION": "2024-10-21",  # Azure's client insists on one
    # AWS has other services than Bedrock, whose keys a test may need; signatures do not give them away.
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_DEFAULT_REGION": "us-east-1",
}

_TAKEN_AWAY = (
    "OPENAI_API_TYPE",
    "AZURE_OPENAI_AD_TOKEN",
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",  # and boto3 sends it over HTTPS only
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_USE_ENTERPRISE",
)
"""They would send an SDK elsewhere, or a secret along."""


def of_sdks(url: str, ca_file: Path | None = None) -> dict[str, str]:
    """The variables that point every SDK at the server, each with its value; `url` without a path. With `ca_file`
    also those by which they trust it."""
    told = {name: value.format(url=url) for name, value in _TOLD.items()}
    if ca_file is None:
        return told
    from aimock.net.tls import TRUST_VARIABLES

    return told | dict.fromkeys(TRUST_VARIABLES, str(ca_file))


def patch(monkeypatch: pytest.MonkeyPatch, url: str, ca_file: Path | None = None, *, sdks: bool) -> None:
    """Sets the variables until the test ends: those of the SDKs only if so wanted."""
    forget_ambient(monkeypatch)
    _bypass_proxies(monkeypatch, url)
    if not sdks:
        return
    for name in _TAKEN_AWAY:
        monkeypatch.delenv(name, raising=False)
    for name, value in of_sdks(url, ca_file).items():
        monkeypatch.setenv(name, value)
    for name, value in _TOLD_IF_ABSENT.items():
        if name not in os.environ:
            monkeypatch.setenv(name, value)


def forget_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's shell says to aimock is not meant for the tests."""
    for name in [name for name in os.environ if name.startswith("AIMOCK_")]:
        monkeypatch.delenv(name)


def _bypass_proxies(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Adds the server to the hosts that are reached directly. Both spellings are in use, and need not agree."""
    host = url.partition("://")[2].rpartition(":")[0].strip("[]")
    excepted = [os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy")]
    hosts = dict.fromkeys(each.strip() for each in ",".join([*excepted, host, "localhost"]).split(",") if each.strip())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, ",".join(hosts))
