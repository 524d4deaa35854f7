"""Amazon Bedrock's InvokeModel, by its best known family: Claude. `test_bedrock_invoke_*.py` has the others."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from protocol_cases import one_of
from protocol_cases.anthropic import MESSAGES, told_tokens
from protocol_cases.bedrock_converse import messages


def documents(body: bytes) -> list[Any]:
    """The documents of a stream, without their wrapper, and the exception in which it ends."""
    return [orjson.loads(base64.b64decode(told["bytes"])) if "bytes" in told else told for told in messages(body)]


def in_the_open(body: bytes) -> str:
    if body.startswith(b"{"):
        return body.decode()
    return "\n".join(orjson.dumps(document).decode() for document in documents(body))


CASES = {
    "bedrock_invoke": MESSAGES._replace(
        request={
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "hello"}],
        },
        path="/model/{model}/invoke",
        streams_at="/model/{model}/invoke-with-response-stream",
        params={"model": "m"},
        tokens=told_tokens,
        finish=one_of(r'"stop_reason":"(\w+)"'),
        ids=r'"id":"(msg_bdrk_\w+)"',
        call_ids=r'"id":"(toolu_bdrk_\w+)"',
        events=documents,
        readable=in_the_open,
        error=lambda error: str(error["message"]),
        error_keeps=(),
        stream_type="application/vnd.amazon.eventstream",
    )
}
