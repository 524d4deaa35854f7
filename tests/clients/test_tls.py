"""Official SDKs over HTTPS, told of the server and its CA by the environment alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import boto3
import pytest
from anthropic import Anthropic
from google import genai
from openai import APIConnectionError, OpenAI

from aimock import AIMock
from aimock.net.tls import TRUST_VARIABLES
from aimock.pytest_plugin.environment import of_sdks

SAID = "Hi over TLS"


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch) -> Iterator[AIMock]:
    """A server with a certificate of its own, and an environment as the command line's `export` lines make it."""
    with AIMock(tls=True) as mock:
        mock.on_message("hello", {"content": SAID})
        for name in os.environ:
            if name.startswith(("AWS_", "ANTHROPIC_", "GOOGLE_", "GEMINI_")):
                monkeypatch.delenv(name)
        for name, value in of_sdks(mock.url).items():
            monkeypatch.setenv(name, value)
        for name in TRUST_VARIABLES:
            monkeypatch.setenv(name, str(mock.ca_file))
        yield mock


@pytest.mark.usefixtures("secure")
def test_openai() -> None:
    with OpenAI() as client:
        stream = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == SAID


@pytest.mark.usefixtures("secure")
def test_anthropic() -> None:
    with Anthropic() as client:
        message = client.messages.create(
            model="claude-haiku-4-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        )
    assert message.content[0].text == SAID


@pytest.mark.usefixtures("secure")
def test_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    answer = client.converse(
        modelId="anthropic.claude-3-haiku-20240307-v1:0",
        messages=[{"role": "user", "content": [{"text": "hello"}]}],
    )
    assert answer["output"]["message"]["content"] == [{"text": SAID}]
    client.close()


@pytest.mark.usefixtures("secure")
def test_google_genai() -> None:
    with genai.Client() as client:
        assert client.models.generate_content(model="gemini-2.5-flash", contents="hello").text == SAID


def test_without_the_ca_nothing_is_said(secure: AIMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with OpenAI(max_retries=0) as client, pytest.raises(APIConnectionError):
        client.models.list()
    assert secure.get_requests() == []


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_node(secure: AIMock) -> None:
    program = f"fetch('{secure.url}/health').then(r => r.text()).then(console.log)"
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ('{"status":"ok"}\n', "")
