"""Moderation: whether texts and images are harmful, as OpenAI tells it, and as Mistral does (wire-services §3)."""
