"""From a base URL and a target to where the request goes."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aimock.record.urls import Base, read_base, split_target, without


@pytest.mark.parametrize(
    ("base", "target", "sent"),
    [
        ("https://api.openai.com", "/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/", "/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/v1/", "/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/v1", "/chat/completions", "/v1/chat/completions"),
        ("https://openrouter.ai/api", "/v1/chat/completions", "/api/v1/chat/completions"),
        ("https://openrouter.ai/api/v1", "/api/v1/chat/completions", "/api/v1/chat/completions"),
        ("https://openrouter.ai/api", "/api/v1/chat/completions", "/api/v1/chat/completions"),
        ("https://openrouter.ai", "/api/v1/chat/completions", "/api/v1/chat/completions"),
        ("https://gateway/a/b", "/v1/models", "/a/b/v1/models"),
        ("https://gateway/v1/account/openai", "/v1/models", "/v1/account/openai/v1/models"),
        ("https://gateway/v10", "/v1/models", "/v10/v1/models"),
        (
            "https://x/v1beta",
            "/v1beta/models/g:streamGenerateContent?alt=sse",
            "/v1beta/models/g:streamGenerateContent?alt=sse",
        ),
        ("https://x", "/model/arn%3Aaws%3Ab%2Fc/invoke", "/model/arn%3Aaws%3Ab%2Fc/invoke"),
        ("https://x", "//evil.example/v1", "/evil.example/v1"),
        ("https://x", "http://evil.example/v1/models?a=b", "/v1/models?a=b"),
        ("https://x", "HTTPS://me:pw@evil.example", "/"),
        ("https://x", "/v1?testId=a", "/v1"),
        ("https://x", "/v1?testId=a&b=%2f+%20", "/v1?b=%2f+%20"),
        ("https://x", "/v1?a=1&testId=a&testid=b&testId", "/v1?a=1&testid=b"),
        ("https://x", "/v1?test%49d=a&a", "/v1?a"),
        ("https://x", "/groq/openai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("https://x", "/groqs/openai/v1/chat/completions", "/groqs/openai/v1/chat/completions"),
        ("https://x", "/deepseek/chat/completions", "/chat/completions"),
        ("https://x", "/mistral/v1/chat/completions?testId=a&b", "/v1/chat/completions?b"),
        ("https://x", "/a b/ü", "/a%20b/%C3%BC"),
        ("https://x/a%20b", "/c", "/a%20b/c"),
    ],
)
def test_where_it_goes(base: str, target: str, sent: str) -> None:
    path, query = split_target(target)
    assert read_base(base).joined(path) + (f"?{query}" if query else "") == sent


@pytest.mark.parametrize(
    ("url", "base", "authority"),
    [
        ("https://API.OpenAI.com", Base("https", "api.openai.com", 443, ""), "api.openai.com"),
        ("http://localhost:11434/", Base("http", "localhost", 11434, ""), "localhost:11434"),
        ("https://x:443/a//", Base("https", "x", 443, "/a"), "x"),
        ("http://[2001:DB8::1]:80/a", Base("http", "2001:db8::1", 80, "/a"), "[2001:db8::1]"),
        ("http://[::1]:8080", Base("http", "::1", 8080, ""), "[::1]:8080"),
        ("https://bücher.example/ü", Base("https", "xn--bcher-kva.example", 443, "/%C3%BC"), "xn--bcher-kva.example"),
    ],
)
def test_bases(url: str, base: Base, authority: str) -> None:
    assert read_base(url) == base
    assert base.authority == authority


TARGETS = st.one_of(
    st.text(),
    st.text("/:@?#%.\\\r\n []evil.example", max_size=40),
    st.builds("{}{}".format, st.sampled_from(["//", "/\\", "http://", "https:", "@", "/../", "\\\\"]), st.text()),
)


@given(TARGETS)
@example("//evil.example/@x")
@example("http://evil.example\\@x/")
@example("@evil.example/")
@example(".evil.example")
@example(":80@evil.example")
def test_the_host_never_changes(target: str) -> None:
    base = read_base("https://api.example:8443/v1")
    path, query = split_target(target)
    joined = base.joined(path) + (f"?{query}" if query else "")
    assert joined.startswith("/v1")
    assert joined[3:4] in ("", "/", "?")
    assert joined.isascii()
    assert joined.isprintable()
    assert " " not in joined
    read = urllib.parse.urlsplit(f"https://{base.authority}{joined}")  # however anybody may read it
    assert (read.hostname, read.port, read.username) == ("api.example", 8443, None)


@given(st.lists(st.tuples(st.sampled_from(["a", "testId", "b%20", "key", "test%49d"]), st.text("x%2=+", max_size=4))))
def test_other_parameters_stay_as_they_are(parameters: list[tuple[str, str]]) -> None:
    query = "&".join("=".join(each) for each in parameters)
    kept = without(query, lambda name, value: name == "testId")
    assert kept == "&".join("=".join(each) for each in parameters if each[0] not in ("testId", "test%49d"))


@given(st.text(), st.text())
def test_whatever_is_read_as_a_base_is_a_sound_one(host: str, path: str) -> None:
    try:
        base = read_base(f"http://{host}/{path}")
    except ValueError:
        return
    assert base.host.isascii()
    assert not set(base.host) & set(" /?#@\\[]")
    assert base.path == "" or (base.path.startswith("/") and not base.path.endswith("/"))
    assert read_base(f"http://{base.authority}{base.path}") == base
