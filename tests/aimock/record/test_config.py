"""What recording is told: what is taken, and in which words the rest is refused."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from aimock.record.config import RecordConfig, record_config
from aimock.record.providers import SCHEMES


def test_nothing_said_is_the_defaults() -> None:
    config = record_config({})
    assert config == RecordConfig()
    assert config.fixture_path == Path("fixtures/recorded")
    assert (config.upstream_timeout_ms, config.body_timeout_ms) == (30_000, 30_000)
    assert (config.max_proxy_buffer_bytes, config.max_proxy_buffer_frames) == (64 * 1024 * 1024, 5_000_000)
    assert config.mode == "new_episodes"
    assert not any(getattr(config, name) for name in ("proxy_only", "record_errors", "normalize_status", "redact"))


@pytest.mark.parametrize(
    ("key", "value", "attribute", "read"),
    [
        ("providers", {"openai": "https://api.openai.com"}, "providers", {"openai": "https://api.openai.com"}),
        ("providers", {"groq": "http://[::1]:8080/x/"}, "providers", {"groq": "http://[::1]:8080/x/"}),
        ("providers", dict.fromkeys(SCHEMES, "https://p.example"), "providers", None),
        ("providerKeys", {"openai": " sk-1\n"}, "provider_keys", {"openai": "sk-1"}),
        ("fixturePath", "a/b", "fixture_path", Path("a/b")),
        ("fixturePath", Path("a/b"), "fixture_path", Path("a/b")),
        ("proxyOnly", True, "proxy_only", True),
        *(("mode", mode, "mode", mode) for mode in ("none", "once", "new_episodes", "all")),
        ("recordFullModelVersion", True, "record_full_model_version", True),
        ("upstreamTimeoutMs", 1, "upstream_timeout_ms", 1.0),
        ("bodyTimeoutMs", 0.5, "body_timeout_ms", 0.5),
        ("maxProxyBufferBytes", 1, "max_proxy_buffer_bytes", 1),
        ("maxProxyBufferBytes", 10**12, "max_proxy_buffer_bytes", 256 * 1024 * 1024),
        ("maxProxyBufferFrames", 1, "max_proxy_buffer_frames", 1),
        ("normalizeStatus", True, "normalize_status", True),
        ("recordErrors", True, "record_errors", True),
        ("sequence", True, "sequence", True),
        ("coalesce", True, "coalesce", True),
        ("redact", [r"sk-\w+", "(?<a>b)"], "redact", (r"sk-\w+", "(?<a>b)")),
        ("redact", [], "redact", ()),
    ],
)
def test_good_values(key: str, value: Any, attribute: str, read: Any) -> None:
    config = record_config({key: value})
    assert getattr(config, attribute) == (value if read is None else read)
    assert attrs_but(config, attribute) == attrs_but(RecordConfig(), attribute)


def attrs_but(config: RecordConfig, attribute: str) -> dict[str, Any]:
    return {name: value for name, value in attrs.asdict(config).items() if name != attribute}


HTTP = "an http or https URL with a host"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "expected an object, got []"),
        ({"provider": {}}, 'provider: unknown key, did you mean "providers"?'),
        ({"fixturesPath": "x"}, 'fixturesPath: unknown key, did you mean "fixturePath"?'),
        ({"fal": {}}, "fal: this version does not support it"),
        ({"openRouterVideo": {}}, "openRouterVideo: this version does not support it"),
        ({"providers": "openai"}, "providers: expected an object, from provider to base URL"),
        ({"providers": {"opena": "x"}}, 'providers.opena: unknown provider, did you mean "openai"?'),
        ({"providers": {"openai": 5}}, "providers.openai: expected a URL, got 5"),
        ({"providers": {"openai": "api.openai.com"}}, f'providers.openai: expected {HTTP}, got "api.openai.com"'),
        ({"providers": {"openai": "ftp://x"}}, f'providers.openai: expected {HTTP}, got "ftp://x"'),
        ({"providers": {"openai": "https://"}}, f'providers.openai: expected {HTTP}, got "https://"'),
        ({"providers": {"openai": "https://a b/"}}, f'providers.openai: expected {HTTP}, got "https://a b/"'),
        ({"providers": {"openai": "https://x:99999"}}, f'providers.openai: expected {HTTP}, got "https://x:99999"'),
        ({"providers": {"openai": "https://[::1"}}, f'providers.openai: expected {HTTP}, got "https://[::1"'),
        (
            {"providers": {"openai": "https://me:secret@x"}},
            "providers.openai: expected a URL without user and password: keys go under providerKeys, or into the"
            ' environment, got "https://[REDACTED]@x"',
        ),
        (
            {"providers": {"gemini": "https://x/?key=secret"}},
            "providers.gemini: expected a URL without query and fragment: the request has its own,"
            ' got "https://x/?key=[REDACTED]"',
        ),
        ({"providerKeys": ["secret"]}, "providerKeys: expected an object, from provider to key"),
        ({"providerKeys": {"openai": ["secret"]}}, "providerKeys.openai: expected a string"),
        ({"providerKeys": {"openai": "sec\nret"}}, "providerKeys.openai: expected a key of printable ASCII characters"),
        ({"providerKeys": {"openai": " "}}, "providerKeys.openai: expected a key of printable ASCII characters"),
        (
            {"providerKeys": {"bedrock": "secret"}},
            "providerKeys.bedrock: expected no key: this provider takes none that could be configured",
        ),
        ({"fixturePath": ""}, 'fixturePath: expected the path of a directory, got ""'),
        ({"mode": "some"}, 'mode: expected one of none, once, new_episodes, all, got "some"'),
        ({"mode": ["all"]}, 'mode: expected one of none, once, new_episodes, all, got ["all"]'),
        ({"upstreamTimeoutMs": 0}, "upstreamTimeoutMs: expected a number above 0, got 0"),
        ({"upstreamTimeoutMs": math.nan}, "upstreamTimeoutMs: expected a number above 0, got NaN"),
        ({"bodyTimeoutMs": math.inf}, "bodyTimeoutMs: expected a number above 0, got Infinity"),
        ({"bodyTimeoutMs": True}, "bodyTimeoutMs: expected a number above 0, got true"),
        ({"maxProxyBufferBytes": 0}, "maxProxyBufferBytes: expected a whole number of 1 or more, got 0"),
        ({"maxProxyBufferFrames": 1.5}, "maxProxyBufferFrames: expected a whole number of 1 or more, got 1.5"),
        ({"redact": "sk-"}, 'redact: expected a list of regular expressions, got "sk-"'),
        ({"redact": ["ok", ""]}, 'redact: expected a list of regular expressions, got ["ok",""]'),
        ({"redact": ["ok", "(a"]}, "redact[1]: not a regular expression: missing ) at position 2"),
        *(
            ({key: 1}, f"{key}: expected true or false, got 1")
            for key in (
                "proxyOnly",
                "recordFullModelVersion",
                "normalizeStatus",
                "recordErrors",
                "sequence",
                "coalesce",
            )
        ),
    ],
)
def test_bad_values(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        record_config(value)
    assert "secret" not in message


def test_keys_are_not_shown() -> None:
    assert "hush" not in repr(record_config({"providerKeys": {"openai": "hush"}}))


def test_who_does_not_record_imports_no_client() -> None:
    code = "import sys, aimock.startup, aimock.server, aimock.record.config; assert 'httpcore2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
