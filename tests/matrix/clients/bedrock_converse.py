"""The official AWS SDK: Bedrock's Converse and ConverseStream."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config

from matrix import Client, Pieces, Question, Seen, client, functions


@client
class Converse(Client):
    """`client.converse(…)`, `client.converse_stream(…)`."""

    name = "boto3 converse"
    speaks = "bedrock_converse"
    model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sdk: Any = boto3.Session(region_name="us-east-1").client(
            "bedrock-runtime",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"modelId": self.model, "messages": []}
        for message in question.messages:
            if message["role"] == "system":
                asked["system"] = [{"text": message["content"]}]
            else:
                asked["messages"].append(_message(message))
        if question.tools:
            asked["toolConfig"] = {"tools": functions(question.tools, _tool)}
        if question.schema is not None:
            schema = {"name": "answer", "schema": json.dumps(question.schema)}
            asked["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
        return asked

    def ask(self, question: Question, stream: bool) -> Seen:
        asked = self.asked(question)
        return _streamed(self.sdk.converse_stream(**asked)) if stream else _whole(self.sdk.converse(**asked))


def _message(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        result = {"toolUseId": message["tool_call_id"], "content": [{"text": message["content"]}]}
        return {"role": "user", "content": [{"toolResult": result}]}
    calls = [
        {
            "toolUse": {
                "toolUseId": call["id"],
                "name": call["function"]["name"],
                "input": json.loads(call["function"]["arguments"]),
            }
        }
        for call in message.get("tool_calls", ())
    ]
    return {"role": message["role"], "content": calls or [{"text": message["content"]}]}


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    schema = {"json": function["parameters"]}
    return {"toolSpec": {"name": function["name"], "description": function["description"], "inputSchema": schema}}


def _tokens(usage: dict[str, int]) -> tuple[int, int]:
    return usage["inputTokens"], usage["outputTokens"]


def _whole(answer: dict[str, Any]) -> Seen:
    seen = Seen(finish=answer["stopReason"], tokens=_tokens(answer["usage"]))
    for block in answer["output"]["message"]["content"]:
        if "reasoningContent" in block:
            seen.think(block["reasoningContent"]["reasoningText"]["text"])
        elif "toolUse" in block:
            seen.call(block["toolUse"]["name"], block["toolUse"]["input"])
        else:
            seen.say(block["text"])
    return seen


def _streamed(answer: dict[str, Any]) -> Seen:
    seen = Seen()
    calls = Pieces(seen)
    for event in answer["stream"]:
        ((kind, told),) = event.items()
        if kind == "contentBlockStart":
            calls.add(told["contentBlockIndex"], told["start"]["toolUse"]["name"], None)
        elif kind == "contentBlockDelta":
            delta = told["delta"]
            seen.say(delta.get("text"))
            seen.think(delta.get("reasoningContent", {}).get("text"))
            if "toolUse" in delta:
                calls.add(told["contentBlockIndex"], None, delta["toolUse"]["input"])
        elif kind == "messageStop":
            seen.finish = told["stopReason"]
        elif kind == "metadata":
            seen.tokens = _tokens(told["usage"])
    calls.end()
    return seen
