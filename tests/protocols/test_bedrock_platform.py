"""What all of Bedrock's operations have in common: model ids, request ids, exceptions, padding."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

import botocore.session
import orjson
import pytest
from botocore.model import ServiceModel

from aimock_protocols import bedrock_platform, eventstream
from aimock_protocols.bedrock_platform import aliases, exception_of, model_id, padding, read_exception
from aimock_protocols.canonical import ErrorReply, Excess, Stamp, WireError


@pytest.fixture(scope="module")
def service() -> ServiceModel:
    """botocore's own description of the service."""
    return botocore.session.get_session().get_service_model("bedrock-runtime")


# -- models ------------------------------------------------------------------------------------------------------------

ARN = "arn:aws:bedrock:us-east-1:123456789012:"
CLAUDE = "anthropic.claude-sonnet-4-20250514-v1:0"


@pytest.mark.parametrize(
    ("raw", "model", "others"),
    [
        (
            "anthropic.claude-sonnet-4-20250514-v1%3A0",
            CLAUDE,
            {
                "claude-sonnet-4-20250514-v1:0",
                "anthropic.claude-sonnet-4",
                "claude-sonnet-4",
                "claude-sonnet-4-20250514",
                "anthropic.claude-sonnet-4-20250514-v1",
            },
        ),
        (
            "us." + CLAUDE,
            "us." + CLAUDE,
            {CLAUDE, "claude-sonnet-4-20250514-v1:0", "us.anthropic.claude-sonnet-4", "claude-sonnet-4"},
        ),
        (
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-x-v1%3A0",
            ARN + "inference-profile/us.anthropic.claude-x-v1:0",
            {"us.anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0", "claude-x-v1:0", "claude-x"},
        ),
        (ARN + "foundation-model/amazon.nova-lite-v1:0", ARN + "foundation-model/amazon.nova-lite-v1:0", {"nova-lite"}),
        (
            ARN + "application-inference-profile/mi1dadi0g15f",
            ARN + "application-inference-profile/mi1dadi0g15f",
            {"mi1dadi0g15f"},
        ),
        ("us-gov.amazon.nova-pro-v1:0", "us-gov.amazon.nova-pro-v1:0", {"amazon.nova-pro-v1:0", "nova-pro"}),
        ("global.amazon.nova-2-lite-v1:0", "global.amazon.nova-2-lite-v1:0", {"amazon.nova-2-lite"}),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1:0", {"gpt-oss-120b-1"}),
        ("amazon.titan-text-express-v1:0:8k", "amazon.titan-text-express-v1:0:8k", {"titan-text-express"}),
        ("anthropic.claude-v2:1", "anthropic.claude-v2:1", {"claude-v2:1", "claude-v2", "claude"}),
        ("anthropic.claude-x-20250514-v1", "anthropic.claude-x-20250514-v1", {"claude-x-20250514", "claude-x"}),
        ("moonshotai.kimi-k2.5", "moonshotai.kimi-k2.5", {"kimi-k2.5"}),
        ("a%253A0", "a%3A0", {"a%253A0"}),
        ("%FF", "\N{REPLACEMENT CHARACTER}", {"%EF%BF%BD"}),
    ],
)
def test_models_by_all_their_names(raw: str, model: str, others: set[str]) -> None:
    """Acceptance 5 of wire-bedrock; decoded just once."""
    assert model_id(raw) == model
    assert others <= set(aliases(raw))
    assert model not in aliases(raw)
    assert (quote(model, safe="") in aliases(raw)) == (quote(model, safe="") != model)
    assert len(set(aliases(raw))) == len(aliases(raw))


@pytest.mark.parametrize("model", ["gpt-4.1", "claude-v2", "nova"])
def test_what_has_one_name_only(model: str) -> None:
    assert aliases(model) == ()


def test_an_id_that_is_too_long() -> None:
    assert model_id("x" * 2048)
    with pytest.raises(WireError) as refused:
        model_id("x" * 2049)
    assert refused.value.reply.status == 400


# -- headers -----------------------------------------------------------------------------------------------------------


def test_every_response_has_an_id_of_its_own(stamp: Stamp) -> None:
    """Acceptance 6 of wire-bedrock."""
    ((name, value),) = bedrock_platform.fresh_headers(stamp)
    ((_, other),) = bedrock_platform.fresh_headers(Stamp(0.0, bytes(64)))
    assert name == "x-amzn-RequestId"
    assert (uuid.UUID(value).version, uuid.UUID(value).variant) == (4, uuid.RFC_4122)
    assert str(uuid.UUID(value)) == value != other


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ErrorReply("m", status=400), "ValidationException"),
        (ErrorReply("m", status=401), "AccessDeniedException"),
        (ErrorReply("m", status=403), "AccessDeniedException"),
        (ErrorReply("m", status=404, code="no_fixture_match"), "ResourceNotFoundException"),
        (ErrorReply("m", status=408), "ModelTimeoutException"),
        (ErrorReply("m", status=409), "ValidationException"),
        (ErrorReply("m", status=413), "ValidationException"),
        (ErrorReply("m", status=422), "ValidationException"),
        (ErrorReply("m", status=424), "ModelErrorException"),
        (ErrorReply("m", status=429, type="rate_limit_error", code=7), "ThrottlingException"),
        (ErrorReply("m", status=500), "InternalServerException"),
        (ErrorReply("m", status=502), "InternalServerException"),
        (ErrorReply("m", status=503), "ServiceUnavailableException"),
        (ErrorReply("m", status=529), "ServiceUnavailableException"),
        (ErrorReply("m", status=429, code="ModelNotReadyException"), "ModelNotReadyException"),
        (ErrorReply("m", status=400, code="serviceQuotaExceededException"), "ServiceQuotaExceededException"),
        (ErrorReply("m", status=403, type="ExpiredTokenException"), "ExpiredTokenException"),
    ],
)
def test_an_error_is_an_exception_by_its_header(error: ErrorReply, name: str, stamp: Stamp) -> None:
    response = bedrock_platform.error(error, stamp)
    headers = dict(response.headers)
    assert exception_of(error) == name
    assert headers["x-amzn-ErrorType"] == f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    assert headers["content-type"] == "application/json"
    assert (response.status, orjson.loads(response.body)) == (error.status, {"message": "m"})


def test_the_statuses_are_those_of_the_service(service: ServiceModel) -> None:
    """Every exception of the service's model has here the status that it has there."""
    for shape in service.error_shapes:
        status = shape.metadata.get("error", {}).get("httpStatusCode")
        assert status in (bedrock_platform.named_error(shape.name, "m", {}).status, None), shape.name


def test_a_model_s_own_error_is_told_if_it_is_known(stamp: Stamp) -> None:
    origin = {"originalStatusCode": 500, "resourceName": "r"}
    error = ErrorReply("m", status=424, metadata={**origin, "provider_name": "x"})
    assert orjson.loads(bedrock_platform.error(error, stamp).body) == {"message": "m", **origin}


def test_a_429_says_when_to_come_back(stamp: Stamp) -> None:
    excess = Excess("tokens", 1000, 900, 200, 3.5, "m")
    error = bedrock_platform.rate_limited(excess)
    assert (error.status, error.message) == (429, "Too many tokens, please wait before trying again.")
    assert ("retry-after", "4") in bedrock_platform.error(error, stamp).headers


def test_a_miss_says_what_came_nearest(stamp: Stamp) -> None:
    body = bedrock_platform.error(ErrorReply("m", status=404, hint="h"), stamp).body
    assert orjson.loads(body) == {"message": "m", "hint": "h"}


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ErrorReply("m", status=429), "throttlingException"),
        (ErrorReply("m", status=400), "validationException"),
        (ErrorReply("m", status=404), "validationException"),
        (ErrorReply("m", status=424), "modelStreamErrorException"),
        (ErrorReply("m", status=500), "internalServerException"),
        (ErrorReply("m", status=504), "internalServerException"),
        (ErrorReply("m", status=529), "serviceUnavailableException"),
        (ErrorReply("m", status=500, code="ModelStreamErrorException"), "modelStreamErrorException"),
        (ErrorReply("m", status=403, code="AccessDeniedException"), "validationException"),
        (ErrorReply("m", "rate_limit_error"), "throttlingException"),
        (ErrorReply("m", "overloaded_error"), "serviceUnavailableException"),
        (ErrorReply("m", "invalid_request_error"), "validationException"),
        (ErrorReply("m", "timeout_error"), "modelStreamErrorException"),
        (ErrorReply("m", "server_error"), "internalServerException"),
        (ErrorReply("m", "rate_limit_error", code="modelStreamErrorException"), "modelStreamErrorException"),
        (ErrorReply("m", status=408, code="ModelTimeoutException"), "modelStreamErrorException"),
    ],
)
def test_a_stream_ends_in_an_exception_that_it_can_have(error: ErrorReply, name: str, service: ServiceModel) -> None:
    (message,) = eventstream.messages([bedrock_platform.stream_exception(error).data])
    assert message.text(":exception-type") == name
    assert orjson.loads(message.payload) == {"message": "m"}
    assert name in service.shape_for("ConverseStreamOutput").members


def test_streams_of_some_operations_can_have_others() -> None:
    frame = bedrock_platform.stream_exception(ErrorReply("m", status=408), frozenset({"modelTimeoutException"}))
    (message,) = eventstream.messages([frame.data])
    assert message.text(":exception-type") == "modelTimeoutException"


def test_every_exception_of_a_stream_is_read_back() -> None:
    for status in bedrock_platform.STREAM_EXCEPTIONS:
        error = ErrorReply("m", status=status, metadata={"originalStatusCode": 500})
        (message,) = eventstream.messages([bedrock_platform.stream_exception(error).data])
        read = read_exception(message)
        assert read is not None
        assert (read.message, read.metadata) == ("m", {"originalStatusCode": 500})
        again = bedrock_platform.stream_exception(read)
        assert again == bedrock_platform.stream_exception(error)


@pytest.mark.parametrize(
    ("stream", "read"),
    [
        (eventstream.event("messageStart", b"{}"), None),
        (
            eventstream.error("InternalError", "An internal server error occurred"),
            ErrorReply("An internal server error occurred", code="InternalError"),
        ),
        (
            eventstream.exception("throttlingException", b'{"Message":"slow"}'),
            ErrorReply("slow", code="ThrottlingException", status=429),
        ),
        (
            eventstream.exception("validationException", b"[]"),
            ErrorReply("", code="ValidationException", status=400),
        ),
        (
            eventstream.exception("validationException", b"no json"),
            ErrorReply("", code="ValidationException", status=400),
        ),
    ],
)
def test_exceptions_from_upstream(stream: bytes, read: ErrorReply | None) -> None:
    (message,) = eventstream.messages([stream])
    assert read_exception(message) == read


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"message": "m"}, ErrorReply("m")),
        (
            {"Message": "m", "__type": "a.b#ThrottlingException"},
            ErrorReply("m", code="ThrottlingException", status=429),
        ),
        ({"message": 5}, None),
        ({"output": {}}, None),
    ],
)
def test_error_bodies_from_upstream(body: dict[str, Any], read: ErrorReply | None) -> None:
    assert bedrock_platform.read_error(body) == read


# -- padding -----------------------------------------------------------------------------------------------------------


def test_padding_has_every_length_that_was_seen() -> None:
    """A start of the alphabet, of 2 to 61 characters, and always the same at the same place."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    members = [orjson.loads(padding(place)) for place in range(60)]
    assert all(alphabet.startswith(member) for member in members)
    assert sorted(map(len, members)) == list(range(2, 62))
    assert padding(61) == padding(1)


# -- bodies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"\xff"', b'{"a":"\\ud800"}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(WireError) as refused:
        bedrock_platform.read_object(body)
    assert exception_of(refused.value.reply) == "ValidationException"
