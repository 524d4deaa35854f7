"""The dialects of those who speak OpenAI's language: what one is made of, and one value for each provider."""
