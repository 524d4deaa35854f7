"""Which provider answers in earnest what a protocol answers here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aimock.net.exchange import Head
from aimock.net.fast_lane import make_head
from aimock.record.credentials import variable_of
from aimock.record.providers import SCHEMES, provider_of
from aimock_protocols.registry import PROTOCOLS

EVERYONE = frozenset(SCHEMES)


def head(target: str = "/", *lines: tuple[str, str]) -> Head:
    made = make_head("POST", target, list(lines))
    assert made is not None
    return made


@pytest.mark.parametrize("protocol", [each.name for each in PROTOCOLS])
def test_every_protocol_has_one(protocol: str) -> None:
    assert provider_of(protocol, head(), EVERYONE) in SCHEMES


@pytest.mark.parametrize(
    ("protocol", "target", "lines", "providers", "expected"),
    [
        ("openai_chat", "/v1/chat/completions", (), EVERYONE, "openai"),
        ("openai_chat", "/v1/chat/completions", (), {"anthropic"}, None),
        ("openai_chat", "/v1/chat/completions", (), (), None),
        ("openai_chat", "/v1/chat/completions", (("api-key", "k"),), EVERYONE, "openai"),
        ("azure_openai:chat", "/openai/deployments/d/chat/completions", (), EVERYONE, "azure"),
        ("openai_embeddings", "/openai/deployments/d/embeddings?api-version=1", (), EVERYONE, "azure"),
        ("openai_completions", "/openai/deployments/d/completions", (), EVERYONE, "azure"),
        ("openai_responses", "/openai/v1/responses", (("api-key", "k"),), EVERYONE, "azure"),
        ("openai_responses", "/openai/v1/responses", (), EVERYONE, "openai"),
        ("openai_compatible:groq", "/openai/v1/chat/completions", (), EVERYONE, "groq"),
        ("openai_compatible:groq", "/openai/v1/chat/completions", (), {"openai"}, "openai"),
        ("openai_compatible:xai", "/xai/v1/chat/completions", (), EVERYONE, "grok"),
        ("openai_compatible:ollama", "/ollama/v1/chat/completions", (), EVERYONE, "ollama"),
        ("gemini", "/v1beta/models/g:generateContent", (), EVERYONE, "gemini"),
        ("gemini_interactions", "/v1beta/interactions", (), {"gemini"}, "gemini-interactions"),
        ("gemini_interactions", "/v1beta/interactions", (), {"gemini-interactions"}, "gemini-interactions"),
        ("gemini_interactions", "/v1/projects/p/locations/l/interactions", (), EVERYONE, "vertexai"),
        ("gemini.embeddings:embed_content", "/v1/publishers/google/models/m:embedContent", (), EVERYONE, "vertexai"),
        ("gemini_live", "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent", (), EVERYONE, "vertexai"),
        ("gemini.vertex", "/v1/publishers/google/models/g:generateContent", (), {"gemini"}, None),
        ("anthropic_messages.vertex", "/v1/projects/p", (), EVERYONE, "vertexai"),
        ("bedrock_converse", "/model/m/converse", (), EVERYONE, "bedrock"),
        ("openrouter", "/api/v1/chat/completions", (), EVERYONE, "openrouter"),
    ],
)
def test_whose_it_is(
    protocol: str,
    target: str,
    lines: tuple[tuple[str, str], ...],
    providers: frozenset[str],
    expected: str | None,
) -> None:
    assert provider_of(protocol, head(target, *lines), providers) == expected


def test_the_table_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "upstreams.md").read_text("utf-8")
    rows = [line.split("|")[1:4] for line in page.partition("|---|")[2].partition("## ")[0].splitlines() if "`" in line]
    told = {
        name: [cell.strip().strip("`") for cell in row[1:]] for row in rows for name in re.findall("`(.+?)`", row[0])
    }
    assert told.keys() == SCHEMES.keys()
    for name, (variable, header) in told.items():
        scheme = SCHEMES[name]
        if scheme is None:
            assert variable.startswith("none: ")
        else:
            assert header == (f"{scheme.header}: {scheme.prefix.strip()}" if scheme.prefix else scheme.header)
            assert variable in (variable_of(name), "likewise", "that of `gemini`, as its URL is")
