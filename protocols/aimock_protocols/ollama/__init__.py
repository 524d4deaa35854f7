"""Ollama's own API: `chat`, `generate`, `embed` and the legacy `embeddings` are a protocol each, and share the rest."""
