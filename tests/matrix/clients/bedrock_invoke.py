"""Claude on Bedrock by the official Anthropic SDK, which asks InvokeModel."""

from __future__ import annotations

from anthropic import AnthropicBedrock

from matrix import client
from matrix.clients.anthropic import Messages


@client
class Bedrock(Messages):
    name = "anthropic AnthropicBedrock"
    speaks = "bedrock_invoke"
    model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk = AnthropicBedrock(
            base_url=url, aws_region="us-east-1", aws_access_key="test", aws_secret_key="test", max_retries=0
        )
