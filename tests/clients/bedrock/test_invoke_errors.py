"""Errors of InvokeModel as boto3 raises them (wire-bedrock §7, §12)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from aimock import AIMock

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
MESSAGES = [{"role": "user", "content": "hello"}]
BODY = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": MESSAGES})

EXCEPTIONS = [
    (400, "ValidationException"),
    (403, "AccessDeniedException"),
    (404, "ResourceNotFoundException"),
    (408, "ModelTimeoutException"),
    (424, "ModelErrorException"),
    (429, "ThrottlingException"),
    (500, "InternalServerException"),
    (503, "ServiceUnavailableException"),
]
operations = pytest.mark.parametrize("operation", ["invoke_model", "invoke_model_with_response_stream"])


@operations
@pytest.mark.parametrize(("status", "name"), EXCEPTIONS)
def test_every_status_has_its_exception(mock: AIMock, bedrock: Any, operation: str, status: int, name: str) -> None:
    """wire-bedrock §12.4: also of a stream, before which it comes."""
    mock.on({}, {"error": {"message": "No."}, "status": status})
    with pytest.raises(getattr(bedrock.exceptions, name)) as raised:
        getattr(bedrock, operation)(modelId=CLAUDE, body=BODY)
    told = raised.value.response
    assert told["Error"] == {"Code": name, "Message": "No."}
    assert told["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_exception_by_name(mock: AIMock, bedrock: Any) -> None:
    mock.on({}, {"error": {"message": "Full.", "code": "ServiceQuotaExceededException"}, "status": 400})
    with pytest.raises(bedrock.exceptions.ServiceQuotaExceededException, match="Full"):
        bedrock.invoke_model(modelId=CLAUDE, body=BODY)


def test_a_retry_after_throttling_succeeds(mock: AIMock, connect_bedrock: Callable[..., Any]) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on({}, limited, sequence_index=0).on({}, {"content": "Hi"})
    answer = json.loads(connect_bedrock(attempts=2).invoke_model(modelId=CLAUDE, body=BODY)["body"].read())
    assert answer["content"][0]["text"] == "Hi"
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        (CLAUDE, "{", "Malformed JSON"),
        (CLAUDE, "[]", "must be a JSON object"),
        (CLAUDE, '{"anthropic_version": "bedrock-2023-05-31"}', "messages: Field required"),
        ("amazon.titan-text-lite-v1", '{"inputText": 5}', "#/inputText: expected type: String, found: Integer"),
        ("amazon.titan-text-lite-v1", "{}", r"required key \[inputText\] not found"),
        ("amazon.nova-lite-v1:0", '{"messages": 3}', "#/messages: expected type: JSONArray, found: Integer"),
        ("openai.gpt-oss-20b-1:0", '{"messages": [null]}', "#/messages/0: expected type: JSONObject, found: Null"),
        ("cohere.command-r-v1:0", '{"message": []}', "#/message: expected type: String, found: JSONArray"),
        ("cohere.embed-v4:0", '{"texts": "a"}', "#/texts: expected type: JSONArray, found: String"),
        ("amazon.titan-embed-text-v2:0", '{"inputText": "a", "dimensions": 7}', "7 is not a valid enum value"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", "{}", r"required key \[taskType\] not found"),
        ("my-model", '{"hello": "you"}', "matches no model"),
    ],
)
def test_bodies_that_are_none(bedrock: Any, model: str, body: str, message: str) -> None:
    with pytest.raises(bedrock.exceptions.ValidationException, match=message):
        bedrock.invoke_model(modelId=model, body=body)


def test_vectors_are_not_streamed(bedrock: Any) -> None:
    with pytest.raises(bedrock.exceptions.ValidationException, match="unsupported for streaming"):
        bedrock.invoke_model_with_response_stream(modelId="amazon.titan-embed-text-v2:0", body='{"inputText": "a"}')


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, "internalServerException"),
        ("ThrottlingException", "throttlingException"),
        ("ValidationException", "validationException"),
        ("ServiceUnavailableException", "serviceUnavailableException"),
        ("ModelStreamErrorException", "modelStreamErrorException"),
        ("ModelTimeoutException", "modelTimeoutException"),
    ],
)
def test_an_exception_within_a_stream(mock: AIMock, bedrock: Any, code: str | None, expected: str) -> None:
    error = {"message": "Enough.", "afterChunks": 4} | ({} if code is None else {"code": code})
    mock.on({}, {"content": "0123456789", "midStreamError": error}, chunk_size=2)
    events = bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=BODY)["body"]
    seen: list[Any] = []
    with contextlib.closing(events), pytest.raises(EventStreamError) as raised:
        seen.extend(events)
    assert raised.value.response["Error"] == {"Code": expected, "Message": "Enough."}
    assert len(seen) == 4


def test_no_fixture(bedrock: Any) -> None:
    with pytest.raises(ClientError, match="No fixture matched") as raised:
        bedrock.invoke_model(modelId=CLAUDE, body=BODY)
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"
