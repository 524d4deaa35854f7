"""Who makes the models that OpenRouter routes to: the first half of a slug, and what answers tell of it (§16.3)."""

from __future__ import annotations

from typing import NamedTuple


class Author(NamedTuple):
    """What OpenRouter knows of an author."""

    provider: str
    """The display name of who serves its models."""
    tokenizer: str = "Other"
    thoughts: str = "unknown"
    """The format of its models' thoughts."""
    summarises: bool = False
    """Whether only summaries of thoughts are told, and the thoughts themselves encrypted."""


_KNOWN = {
    "ai21": Author("AI21"),
    "amazon": Author("Amazon Bedrock", "Nova"),
    "anthropic": Author("Anthropic", "Claude", "anthropic-claude-v1"),
    "cohere": Author("Cohere", "Cohere"),
    "deepseek": Author("DeepSeek", "DeepSeek"),
    "google": Author("Google", "Gemini", "google-gemini-v1"),
    "inception": Author("Inception"),
    "meta-llama": Author("Together", "Llama3"),
    "microsoft": Author("Azure"),
    "minimax": Author("Minimax"),
    "mistralai": Author("Mistral", "Mistral"),
    "moonshotai": Author("Moonshot AI"),
    "nvidia": Author("Nvidia"),
    "openai": Author("OpenAI", "GPT", "openai-responses-v1", summarises=True),
    "perplexity": Author("Perplexity"),
    "qwen": Author("Alibaba", "Qwen"),
    "x-ai": Author("xAI", "Grok", "xai-responses-v1", summarises=True),
    "z-ai": Author("Z.AI"),
}


def author_of(model: str) -> Author:
    """The author of a model by its slug; one that is not known is called what the slug calls it."""
    slug = model.partition("/")[0]
    return _KNOWN.get(slug) or Author(slug)


def slugs() -> dict[str, Author]:
    """All authors that are known."""
    return dict(_KNOWN)
