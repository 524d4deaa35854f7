"""Where providers are, by the variables that their SDKs know, and what a command gets that is recorded."""

from __future__ import annotations

import pytest

from aimock import sdks
from aimock.record.config import record_config
from aimock.record.providers import SCHEMES


def test_every_provider_is_one_that_can_be_recorded() -> None:
    places = sdks.places({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com", "AWS_REGION": "eu-west-1"})
    assert places.keys() <= SCHEMES.keys()
    urls = {provider: place.url for provider, place in places.items()}
    assert record_config({"providers": urls}).providers == urls
    assert all(url.startswith("https://") for provider, url in urls.items() if provider != "ollama")


@pytest.mark.parametrize(
    ("environment", "provider", "place"),
    [
        ({}, "openai", sdks.Place("https://api.openai.com")),
        ({"OPENAI_BASE_URL": "http://me/v1"}, "openai", sdks.Place("http://me/v1", "OPENAI_BASE_URL")),
        ({"OPENAI_BASE_URL": ""}, "openai", sdks.Place("https://api.openai.com")),
        ({"OPENAI_API_BASE": "http://me/v1"}, "openai", sdks.Place("http://me/v1", "OPENAI_API_BASE")),
        ({}, "azure", None),
        ({}, "bedrock", None),
        ({"AWS_REGION": "eu-west-1"}, "bedrock", sdks.Place("https://bedrock-runtime.eu-west-1.amazonaws.com")),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "bedrock", sdks.Place("https://bedrock-runtime.us-east-1.amazonaws.com")),
        ({}, "vertexai", sdks.Place("https://aiplatform.googleapis.com")),
        ({"GOOGLE_CLOUD_LOCATION": "global"}, "vertexai", sdks.Place("https://aiplatform.googleapis.com")),
        (
            {"GOOGLE_CLOUD_LOCATION": "europe-west4"},
            "vertexai",
            sdks.Place("https://europe-west4-aiplatform.googleapis.com"),
        ),
        ({}, "ollama", sdks.Place("http://127.0.0.1:11434")),
        ({"OLLAMA_HOST": "0.0.0.0"}, "ollama", sdks.Place("http://127.0.0.1:11434", "OLLAMA_HOST")),
        ({"OLLAMA_HOST": "box:1234"}, "ollama", sdks.Place("http://box:1234", "OLLAMA_HOST")),
        ({"OLLAMA_HOST": ":1234"}, "ollama", sdks.Place("http://127.0.0.1:1234", "OLLAMA_HOST")),
        ({"OLLAMA_HOST": "https://ollama.com/x"}, "ollama", sdks.Place("https://ollama.com/x", "OLLAMA_HOST")),
    ],
)
def test_where_a_provider_is(environment: dict[str, str], provider: str, place: sdks.Place | None) -> None:
    assert sdks.places(environment).get(provider) == place


def test_a_dummy_joins_no_credential() -> None:
    every = {"openai", "anthropic", "gemini", "cohere", "vertexai"}
    assert sdks.lacking({}, every).keys() == {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "CO_API_KEY"}
    given = {"GEMINI_API_KEY": "x", "ANTHROPIC_AUTH_TOKEN": "x", "COHERE_API_KEY": "x", "OPENAI_API_KEY": ""}
    assert sdks.lacking(given, every) == {"OPENAI_API_KEY": sdks.KEY}
