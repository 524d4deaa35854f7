"""Which headers pass, in either direction."""

from __future__ import annotations

import pytest

from aimock.net.exchange import Headers
from aimock.record.headers import forwarded_headers, relayed_headers

HOP_BY_HOP: Headers = (
    ("connection", "keep-alive, X-Mine"),
    ("keep-alive", "timeout=5"),
    ("transfer-encoding", "chunked"),
    ("te", "trailers"),
    ("trailer", "x"),
    ("upgrade", "h2c"),
    ("proxy-authorization", "Basic x"),
    ("proxy-authenticate", "Basic"),
    ("proxy-connection", "keep-alive"),
    ("x-mine", "named by connection"),
)


def test_a_client_s_headers() -> None:
    dropped: Headers = (
        *HOP_BY_HOP,
        ("host", "127.0.0.1:4010"),
        ("content-length", "3"),
        ("expect", "100-continue"),
        ("cookie", "a=b"),
        ("accept-encoding", "gzip, br"),
        ("x-test-id", "a"),
        ("x-aimock-strict", "false"),
        ("x-aimock-context", "c"),
        ("x-aimock-chaos-drop", "0.5"),
        ("x-aimock-fault", "drop"),
    )
    kept: Headers = (
        ("authorization", "Bearer x"),
        ("user-agent", "OpenAI/Python"),
        ("x-request-id", "the caller's own"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-encoding", "gzip"),
        ("openai-organization", "o"),
        ("anthropic-beta", "a"),
        ("anthropic-beta", "b"),
        ("x-test-id-of-mine", "c"),
        ("accept", "text/event-stream"),
    )
    assert forwarded_headers((*kept[:3], *dropped, *kept[3:])) == kept


def test_a_provider_s_headers() -> None:
    dropped: Headers = (
        *HOP_BY_HOP,
        ("content-length", "3"),
        ("set-cookie", "__cf_bm=x"),
        ("alt-svc", "h3"),
        ("strict-transport-security", "max-age=1"),
        ("date", "Sun, 22 Nov 2026 18:00:00 GMT"),
        ("access-control-allow-origin", "https://example"),
        ("access-control-expose-headers", "x"),
    )
    kept: Headers = (
        ("content-type", "text/event-stream"),
        ("retry-after", "2"),
        ("x-ratelimit-remaining-requests", "1"),
        ("x-amzn-errortype", "ThrottlingException"),
        ("x-amzn-requestid", "r"),
        ("request-id", "req_1"),
        ("openai-processing-ms", "5"),
        ("anthropic-ratelimit-tokens-limit", "5"),
        ("content-encoding", "zstd"),
        ("server", "cloudflare"),
        ("cache-control", "no-cache"),
        ("link", "a"),
        ("link", "b"),
    )
    assert relayed_headers((*dropped, *kept)) == kept


@pytest.mark.parametrize("passing", [forwarded_headers, relayed_headers])
def test_connection_is_a_list_that_may_be_repeated(passing: object) -> None:
    lines: Headers = (("connection", "close ,A"), ("a", "1"), ("connection", "b,,"), ("b", "2"), ("c", "3"))
    assert callable(passing)
    assert passing(lines) == (("c", "3"),)
