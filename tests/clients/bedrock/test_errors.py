"""Errors as boto3 raises them, its retries, and what is not served (wire-bedrock §1, §7)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aimock import AIMock

MODEL = "amazon.nova-lite-v1:0"
QUESTION: dict[str, Any] = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "hello"}]}]}

Connect = Callable[..., Any]


def ask(bedrock: Any, stream: bool = False, **more: Any) -> Any:
    return (bedrock.converse_stream if stream else bedrock.converse)(**QUESTION | more)


BY_STATUS = [
    (400, "ValidationException", False),
    (403, "AccessDeniedException", False),
    (404, "ResourceNotFoundException", False),
    (408, "ModelTimeoutException", False),
    (424, "ModelErrorException", False),
    (429, "ThrottlingException", True),
    (500, "InternalServerException", True),
    (503, "ServiceUnavailableException", True),
]
BY_CODE = [
    (400, "ServiceQuotaExceededException"),
    (424, "ModelStreamErrorException"),
    (429, "ModelNotReadyException"),
    (400, "ConflictException"),
]
UNMODELLED = [
    (403, "UnrecognizedClientException"),
    (403, "ExpiredTokenException"),
    (403, "MissingAuthenticationTokenException"),
    (404, "UnknownOperationException"),
]
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@streams
@pytest.mark.parametrize(("status", "name", "retried"), BY_STATUS)
def test_every_status_has_its_exception(
    mock: AIMock, bedrock: Any, status: int, name: str, retried: bool, stream: bool
) -> None:
    """Acceptance 4 of wire-bedrock: before the first token an error is none of the stream's."""
    mock.on_message("hello", {"error": {"message": "No."}, "status": status})
    with pytest.raises(getattr(bedrock.exceptions, name)) as raised:
        ask(bedrock, stream)
    told = raised.value.response
    assert (told["Error"]["Code"], told["Error"]["Message"]) == (name, "No.")
    assert told["ResponseMetadata"]["HTTPStatusCode"] == status
    assert len(told["ResponseMetadata"]["RequestId"]) == 36


@streams
@pytest.mark.parametrize(("status", "name"), BY_CODE)
def test_exceptions_by_their_names(mock: AIMock, bedrock: Any, status: int, name: str, stream: bool) -> None:
    mock.on_message("hello", {"error": {"message": "No.", "code": name}, "status": status})
    with pytest.raises(getattr(bedrock.exceptions, name), match=r"No\."):
        ask(bedrock, stream)


@pytest.mark.parametrize(("status", "name"), UNMODELLED)
def test_exceptions_from_before_the_service(mock: AIMock, bedrock: Any, status: int, name: str) -> None:
    mock.on_message("hello", {"error": {"message": "No.", "code": name}, "status": status})
    with pytest.raises(ClientError) as raised:
        ask(bedrock)
    assert raised.value.response["Error"] == {"Code": name, "Message": "No."}


def test_what_a_model_said_itself(mock: AIMock, bedrock: Any) -> None:
    origin = {"originalStatusCode": 500, "resourceName": "arn:x"}
    mock.on_message("hello", {"error": {"message": "No.", "metadata": origin}, "status": 424})
    with pytest.raises(bedrock.exceptions.ModelErrorException) as raised:
        ask(bedrock)
    assert raised.value.response.items() >= origin.items()


@pytest.mark.parametrize(("status", "name", "retried"), BY_STATUS)
def test_what_is_retried(mock: AIMock, connect_bedrock: Connect, status: int, name: str, retried: bool) -> None:
    """Each attempt is one more in the journal, and of the sequence."""
    mock.on_message("hello", {"error": {"message": "No."}, "status": status}, sequence_index=0)
    mock.on_message("hello", {"content": "Hi"})
    client = connect_bedrock(attempts=2)
    if retried:
        assert ask(client)["output"]["message"]["content"] == [{"text": "Hi"}]
    else:
        with pytest.raises(getattr(client.exceptions, name)):
            ask(client)
    sent = mock.get_requests()
    assert [entry["response"]["status"] for entry in sent] == [status, 200][: 1 + retried]
    assert all(f"attempt={place + 1}" in entry["headers"]["amz-sdk-request"] for place, entry in enumerate(sent))


def test_the_sdk_waits_as_long_as_it_is_told(mock: AIMock, bedrock: Any) -> None:
    mock.on_message("hello", {"error": {"message": "Slow down."}, "status": 429, "retryAfter": 1.5})
    with pytest.raises(bedrock.exceptions.ThrottlingException) as raised:
        ask(bedrock)
    headers = raised.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["retry-after"], headers["x-amz-retry-after"]) == ("2", "1500")


def test_one_shot_errors(mock: AIMock, bedrock: Any) -> None:
    """field 2.15"""
    mock.on_message("hello", {"content": "Hi"})
    mock.next_request_error(503, {"message": "Overloaded"})
    with pytest.raises(bedrock.exceptions.ServiceUnavailableException, match="Overloaded"):
        ask(bedrock)
    assert ask(bedrock)["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("strict", "name"), [(False, "ResourceNotFoundException"), (True, "ServiceUnavailableException")]
)
@streams
def test_a_miss(connect_bedrock: Connect, strict: bool, name: str, stream: bool) -> None:
    """core-lessons C7"""
    with AIMock(strict=strict) as mock:
        mock.on_message("goodbye", {"content": "Bye"})
        client = connect_bedrock(url=mock.url)
        with pytest.raises(getattr(client.exceptions, name), match="fixture matched"):
            ask(client, stream)


@pytest.mark.parametrize("per", ["requests", "tokens"])
def test_a_quota(connect_bedrock: Connect, per: str) -> None:
    with AIMock(quota={f"{per}PerMinute": 1}) as mock:
        mock.on_message("hello", {"content": "Hi there, you"})
        client = connect_bedrock(url=mock.url)
        if per == "requests":
            ask(client)
        with pytest.raises(client.exceptions.ThrottlingException, match=f"Too many {per}"):
            ask(client)


# -- bad input ---------------------------------------------------------------------------------------------------------


@streams
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Malformed JSON"),
        (b"[]", "JSON object"),
        (b"{}", "messages"),
        (b'{"messages": "hello"}', "messages"),
        (b'{"messages": [null]}', "messages.0"),
    ],
)
def test_a_request_that_is_none(
    mock: AIMock, connect_bedrock: Connect, body: bytes, message: str, stream: bool
) -> None:
    """core-lessons A21: the SDK sends nothing of the kind by itself."""
    client = connect_bedrock()
    for operation in ("Converse", "ConverseStream"):
        client.meta.events.register_first(
            f"before-call.bedrock-runtime.{operation}", lambda params, **_: params.update(body=body)
        )
    with pytest.raises(client.exceptions.ValidationException, match=message):
        ask(client, stream)


# -- paths -------------------------------------------------------------------------------------------------------------

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"


@pytest.fixture
def call(mock: AIMock) -> Callable[..., Any]:
    """call(method, path, body, headers): status, headers and JSON."""

    def send(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers or {})
            response = connection.getresponse()
            return response.status, response.headers, json.loads(response.read())
        finally:
            connection.close()

    return send


@pytest.mark.parametrize("path", [ARN, ARN.replace(":", "%3A"), ARN.replace(":", "%3A").replace("/", "%2F")])
def test_an_arn_however_it_is_written(mock: AIMock, call: Any, path: str) -> None:
    """wire-bedrock §1.1: gateways send slashes raw."""
    mock.on({"model": "amazon.nova-lite"}, {"content": "Hi"})
    status, _, told = call("POST", f"/model/{path}/converse", {"messages": []})
    assert (status, told["stopReason"]) == (200, "end_turn")
    assert mock.get_last_request()["body"]["model"] == ARN
    assert mock.get_last_request()["path"] == f"/model/{path}/converse"
    assert call("POST", f"/model/{path}/count-tokens", {"input": {"converse": {}}})[2] == {"inputTokens": 1}


SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/bedrock/aws4_request, Signature=0"}


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("POST", "/async-invoke", 404, "UnknownOperationException"),
        ("GET", "/async-invoke", 404, "UnknownOperationException"),
        (
            "GET",
            "/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fx",
            404,
            "UnknownOperationException",
        ),
        ("POST", "/guardrail-checks/invoke", 404, "UnknownOperationException"),
        ("POST", "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream", 400, "ValidationException"),
        ("GET", "/model/m/converse", 405, "UnknownOperationException"),
        ("POST", "/nowhere", 404, "ResourceNotFoundException"),
    ],
)
def test_what_is_not_served(call: Any, method: str, path: str, status: int, name: str) -> None:
    """wire-bedrock §1, §9: in the words that AWS' clients understand."""
    told_status, headers, told = call(method, path, headers=SIGNED)
    assert (told_status, headers["x-amzn-errortype"].split(":")[0]) == (status, name)
    assert headers["x-amzn-requestid"]
    assert isinstance(told["message"], str)


def test_operations_that_are_not_served(bedrock: Any) -> None:
    with pytest.raises(ClientError) as raised:
        bedrock.list_async_invokes()
    assert raised.value.response["Error"]["Code"] == "UnknownOperationException"
