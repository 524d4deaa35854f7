"""Signatures, held against those of AWS' own library, and where the credentials come from."""

from __future__ import annotations

import datetime
from pathlib import Path
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from aimock.net.exchange import Headers
from aimock.record.signing import Credentials, local_credentials, region_of, signed

NOW = 1_795_371_753.9
HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def by_boto(method: str, path: str, query: str, lines: Headers, body: bytes, credentials: Credentials) -> str:
    request = AWSRequest(method=method, url=f"https://{HOST}{path}" + (f"?{query}" if query else ""), data=body)
    for name, value in lines:
        request.headers.add_header(name, value)
    theirs = BotoCredentials(credentials.access_key, credentials.secret_key, credentials.token)
    with patch.object(
        botocore.auth, "get_current_datetime", lambda: datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    ):
        botocore.auth.SigV4Auth(theirs, "bedrock", "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


def ours(method: str, path: str, query: str, lines: Headers, body: bytes, credentials: Credentials) -> dict[str, str]:
    given = (("host", HOST), *lines)
    return dict(signed(method, path, query, given, body, credentials=credentials, region="eu-west-1", now=NOW))


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzEJr//////////w=="])
@pytest.mark.parametrize(
    ("method", "path", "query", "lines", "body"),
    [
        ("POST", "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse", "", (), b"{}"),
        (
            "POST",
            "/model/arn%3Aaws%3Abedrock%3Aeu%3Aprofile%2Fx/invoke",
            "",
            (("content-type", "application/json"),),
            b"{}",
        ),
        ("POST", "/model/m:0/invoke", "", (("x-amzn-bedrock-accept", "a"), ("x-amz-target", " a   b ")), b"\x00\xff"),
        ("GET", "/async-invoke", "nextToken=a%2Fb&maxResults=1&A=&b", (), b""),
        ("GET", "/a/../b/./c//d/", "z=1&a=2&a=1", (), b""),
        ("GET", "/", "", (("x-amz-meta", "1"), ("x-amz-meta", "2")), b""),
    ],
)
def test_as_aws_own_library(method: str, path: str, query: str, lines: Headers, body: bytes, token: str | None) -> None:
    credentials = Credentials(ACCESS, SECRET, token)
    covered = tuple(line for line in lines if not line[0].startswith("x-amzn"))  # boto would sign these as well
    sent = ours(method, path, query, lines, body, credentials)
    assert sent["authorization"] == by_boto(method, path, query, covered, body, credentials)
    assert sent.get("x-amz-security-token") == token
    assert sent["x-amz-date"] == "20261122T182233Z"


@given(
    path=st.text("abz/.~-_%2:+", max_size=20).map(lambda text: f"/{text}"),
    body=st.binary(max_size=50),
    token=st.none() | st.text("abc/+=", min_size=1),
    content_type=st.text("abc /;=", min_size=1).filter(str.strip),
)
def test_as_aws_own_library_for_any_request(path: str, body: bytes, token: str | None, content_type: str) -> None:
    credentials = Credentials(ACCESS, SECRET, token)
    lines: Headers = (("content-type", content_type),)
    sent = ours("POST", path, "", lines, body, credentials)
    assert sent["authorization"] == by_boto("POST", path, "", lines, body, credentials)


def test_the_client_s_signature_goes_and_its_other_headers_stay() -> None:
    lines: Headers = (
        ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDTHEIRS/20261122/us-east-1/bedrock/aws4_request, …"),
        ("x-amz-date", "20200101T000000Z"),
        ("x-amz-security-token", "theirs"),
        ("x-amz-content-sha256", "theirs"),
        ("amz-sdk-invocation-id", "i"),
        ("user-agent", "Boto3"),
    )
    sent = ours("POST", "/model/m/converse", "", lines, b"{}", Credentials(ACCESS, SECRET))
    assert list(sent) == ["host", "amz-sdk-invocation-id", "user-agent", "x-amz-date", "authorization"]
    assert "theirs" not in str(sent).lower()
    assert sent["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/20261122/eu-west-1/bedrock/aws4_")


# -- credentials -------------------------------------------------------------------------------------------------------

FILE = """\
[default]
aws_access_key_id = AKIDDEFAULT
aws_secret_access_key = s%3Acret

[work]
aws_access_key_id=AKIDWORK
aws_secret_access_key=worksecret
aws_session_token=worktoken
region = eu-west-1

[sso]
sso_session = x
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "credentials"
    path.write_text(FILE, "utf-8")
    return {"AWS_SHARED_CREDENTIALS_FILE": str(path)}


DEFAULT = Credentials("AKIDDEFAULT", "s%3Acret")
WORK = Credentials("AKIDWORK", "worksecret", "worktoken")
IN_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "envsecret"}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, DEFAULT),
        ({"AWS_PROFILE": ""}, DEFAULT),
        ({"AWS_PROFILE": "work"}, WORK),
        ({"AWS_DEFAULT_PROFILE": "work"}, WORK),
        ({"AWS_PROFILE": "sso"}, None),
        ({"AWS_PROFILE": "nobody"}, None),
        (IN_ENVIRONMENT, Credentials("AKIDENV", "envsecret")),
        ({**IN_ENVIRONMENT, "AWS_PROFILE": "work"}, Credentials("AKIDENV", "envsecret")),
        ({**IN_ENVIRONMENT, "AWS_SESSION_TOKEN": "t"}, Credentials("AKIDENV", "envsecret", "t")),
        ({"AWS_ACCESS_KEY_ID": "AKIDENV"}, DEFAULT),
    ],
)
def test_local_credentials(environment: dict[str, str], more: dict[str, str], found: Credentials | None) -> None:
    assert local_credentials(environment | more) == found


@pytest.mark.parametrize("content", [None, b"", b"no section", b"[a]\n[a]\n", b"\xff\xfe"])
def test_a_file_that_has_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "credentials"
    if content is not None:
        path.write_bytes(content)
    assert local_credentials({"AWS_SHARED_CREDENTIALS_FILE": str(path)}) is None


def test_the_file_is_read_anew_for_each_signature(environment: dict[str, str]) -> None:
    assert local_credentials(environment) == DEFAULT
    Path(environment["AWS_SHARED_CREDENTIALS_FILE"]).write_text(FILE.replace("AKIDDEFAULT", "AKIDNEW"), "utf-8")
    assert local_credentials(environment) == Credentials("AKIDNEW", "s%3Acret")


def test_secrets_are_not_shown() -> None:
    assert repr(WORK) == "Credentials(access_key='AKIDWORK')"


SIGNED = "AWS4-HMAC-SHA256 Credential=AKID/20261122/ap-south-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
OURS = {"AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "ca-west-1"}


@pytest.mark.parametrize(
    ("host", "authorization", "environment", "region"),
    [
        ("bedrock-runtime.us-east-1.amazonaws.com", SIGNED, OURS, "us-east-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "", {}, "us-gov-west-1"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "", {}, "cn-north-1"),
        ("vpce-1-a.bedrock-runtime.eu-central-1.vpce.amazonaws.com", "", {}, "eu-central-1"),
        ("gateway.example", SIGNED, OURS, "ap-south-1"),
        ("gateway.example", "Bearer sk-aimock-1", OURS, "sa-east-1"),
        ("gateway.example", "", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "ca-west-1"}, "ca-west-1"),
        ("gateway.example", "", {}, None),
    ],
)
def test_region(host: str, authorization: str, environment: dict[str, str], region: str | None) -> None:
    assert region_of(host, authorization, environment) == region
