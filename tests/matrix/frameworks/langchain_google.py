"""LangChain's chat model for Gemini, which pins an older Google SDK."""

from __future__ import annotations

from typing import Any

from langchain_google_genai import ChatGoogleGenerativeAI

from matrix import client
from matrix.frameworks.asking_langchain import LangChain


@client
class Gemini(LangChain):
    name = "langchain-google-genai"
    speaks = "gemini"
    model = "gemini-2.5-flash"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = ChatGoogleGenerativeAI(
            model=self.model, base_url=url, api_key="test", max_retries=0, include_thoughts=True
        )

    def structured(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {"response_mime_type": "application/json", "response_schema": schema}
