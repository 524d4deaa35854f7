"""Remote fixtures: URLs, the cache, and what a server does without them (core-fixtures §7.2, B14, B15, field 2.53)."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aimock import AIMock, remote, startup
from aimock.cli import main
from aimock.config import Config, Failure
from aimock.fixtures import FixtureSourceError, Severity
from aimock.fixtures.load import SourceUnavailable
from aimock.net.fetch import AddressRefused, FetchError, Target
from aimock.remote import cache_file, load_remote, parse_url

URL = "https://fixtures.example/f.json?token=secret"
SHOWN = "https://fixtures.example/f.json?…"


def content(*texts: str) -> bytes:
    entries = [{"match": {"userMessage": text}, "response": {"content": f"{text}!"}} for text in texts]
    return json.dumps({"fixtures": entries}).encode()


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Web:
    """What is at the URLs: bytes, or an error."""

    def __init__(self, there: bytes | Exception) -> None:
        self.there = there
        self.asked: list[Target] = []

    def __call__(self, target: Target) -> bytes:
        self.asked.append(target)
        if isinstance(self.there, Exception):
            raise self.there
        return self.there


def said(fixtures: Any) -> list[Any]:
    return [fixture.match.user_message for fixture in fixtures]


# -- URLs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.com", Target(False, "example.com", 80, "/")),
        ("HTTPS://EXAMPLE.com/A?b=C#d", Target(True, "example.com", 443, "/A?b=C")),
        ("http://example.com:8080/a", Target(False, "example.com", 8080, "/a")),
        ("http://example.com?x", Target(False, "example.com", 80, "/?x")),
        ("http://[::1]/a", Target(False, "::1", 80, "/a")),
        ("http://[2001:DB8:0:0::1]:81/a", Target(False, "2001:db8::1", 81, "/a")),
        ("http://127.0.0.1/ä?ö=%20", Target(False, "127.0.0.1", 80, "/%C3%A4?%C3%B6=%20")),
        ("https://cdn.example/@scope/a@1.0/f.json", Target(True, "cdn.example", 443, "/@scope/a@1.0/f.json")),
    ],
)
def test_a_url_in_parts(url: str, target: Target) -> None:
    assert parse_url(url) == target


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        (Target(True, "x", 443, "/"), "x"),
        (Target(True, "x", 80, "/"), "x:80"),
        (Target(False, "x", 80, "/"), "x"),
        (Target(False, "::1", 81, "/"), "[::1]:81"),
    ],
)
def test_the_host_header(target: Target, authority: str) -> None:
    assert target.authority == authority


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/f.json", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("git+https://example.com/f", "only http and https"),
        ("https://user:secret@example.com/f", "a user or a password"),
        ("https://secret@example.com/f", "a user or a password"),
        ("https://user:secret@127.0.0.1\\@example.com/f", "no spaces, control characters or backslashes"),
        ("http:///f.json", "http://…: expected a host"),
        ("http://:80/f.json", "expected a host"),
        ("http://[]/f.json", "expected a host"),
        ("http://[127.0.0.1]/f.json", "expected a host"),
        ("http://[::1/f.json", "expected a host, or"),
        ("http://::1/f.json", "expected a host, or"),
        ("http://[::1]x/f.json", "expected a host, or"),
        ("http://[fe80::1%25eth0]/f.json", "a zone"),
        ("http://example.com:x/", "expected a host, or"),
        ("http://example.com:/", "expected a host, or"),
        ("http://example.com:0/", "expected a port from 1 to 65535"),
        ("http://example.com:65536/", "expected a port from 1 to 65535"),
        ("http://example.com:999999/", "expected a host, or"),
        ("http://0x7f.1/", "four decimal numbers"),
        ("http://2130706433/", "four decimal numbers"),
        ("http://017700000001/", "four decimal numbers"),
        ("http://127.0.0.1./", "four decimal numbers"),
        ("http://１２７.0.0.1/", "four decimal numbers"),
        ("http://%31%32%37.0.0.1/", "four decimal numbers"),
        ("http://127。0。0。1/", "Punycode"),
        ("http://exa mple.com/", "no spaces"),
        ("http://example.com/\r\nX: y", "no spaces"),
        ("http://example.com/\x00", "no spaces"),
    ],
)
def test_field_53_a_url_that_is_no_good_stops_the_start(url: str, said: str) -> None:
    """field 2.53: the scheme gate, and spellings that programs read differently."""
    with pytest.raises(FixtureSourceError) as raised:
        load_remote(url, print, Web(content("a")))
    assert not isinstance(raised.value, SourceUnavailable)
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.text(st.characters(exclude_characters="/?#", codec="utf-8")), st.sampled_from(["http", "https", "ftp"]))
def test_field_53_no_password_is_ever_shown(password: str, scheme: str) -> None:
    """field 2.53"""
    with pytest.raises(FixtureSourceError) as raised:
        parse_url(f"{scheme}://user:SECRET{password}SECRET@example.com/f.json?SECRET")
    assert "SECRET" not in str(raised.value)


@given(st.text())
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    try:
        target = parse_url(f"http://{text}")
    except FixtureSourceError:
        return
    assert (target.authority + target.path).isascii()
    assert (target.authority + target.path).isprintable()
    assert 1 <= target.port <= 65535


# -- fetching and the cache ------------------------------------------------------------------------------------------


def test_fixtures_from_a_url() -> None:
    web = Web(content("a", "b"))
    problems: list[Any] = []
    fixtures = load_remote(URL, problems.append, web)
    assert said(fixtures) == ["a", "b"]
    assert str(fixtures[1].origin) == f"{SHOWN} entry 1"
    assert web.asked == [Target(True, "fixtures.example", 443, "/f.json?token=secret")]
    assert problems == []


def test_what_is_wrong_with_an_entry_is_said_without_the_query() -> None:
    problems: list[Any] = []
    load_remote(URL, problems.append, Web(b'{"fixtures": [5]}'))
    assert [str(problem).partition(": ")[0] for problem in problems] == [f"{SHOWN} entry 0"]


def test_each_fetch_is_kept_where_the_reference_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "cache/aimock/fixtures" / hashlib.sha256(URL.encode()).hexdigest() / "fixtures.json"
    for text in ("a", "b"):
        load_remote(URL, print, Web(content(text)))
        assert file.read_bytes() == content(text)
        assert [each.name for each in file.parent.iterdir()] == ["fixtures.json"], "nothing half-written is left"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


BAD: list[bytes | Exception] = [FetchError("the answer has status 500"), b"<html>", b"[]", b'{"fixtures": 5}', b""]


@pytest.mark.parametrize("there", BAD, ids=str)
def test_B14_the_cached_copy_stands_in_with_a_warning(there: bytes | Exception) -> None:
    """core-lessons B14"""
    load_remote(URL, print, Web(content("a")))
    problems: list[Any] = []
    assert said(load_remote(URL, problems.append, Web(there))) == ["a"]
    (problem,) = problems
    assert problem.severity is Severity.WARNING
    assert str(problem).startswith(f"{SHOWN}: ")
    assert str(problem).endswith("; the copy of an earlier fetch is used")
    assert cache_file(URL).read_bytes() == content("a"), "what is no fixture file does not replace one"


@pytest.mark.parametrize("there", BAD, ids=str)
def test_without_a_copy_there_is_nothing(there: bytes | Exception) -> None:
    with pytest.raises(SourceUnavailable, match=r"^https://fixtures\.example/f\.json\?…: "):
        load_remote(URL, print, Web(there))


def test_a_copy_that_was_spoilt_is_none() -> None:
    load_remote(URL, print, Web(content("a")))
    cache_file(URL).write_bytes(b"{")
    with pytest.raises(SourceUnavailable, match="status 500"):
        load_remote(URL, print, Web(FetchError("the answer has status 500")))


def test_the_copy_of_another_url_is_not_used() -> None:
    load_remote(URL, print, Web(content("a")))
    with pytest.raises(SourceUnavailable):
        load_remote(URL + "x", print, Web(FetchError("no")))


def test_B15_after_a_refusal_no_copy_is_used() -> None:
    """core-lessons B15: what is refused now is not served from a time when it was not."""
    load_remote(URL, print, Web(content("a")))
    with pytest.raises(SourceUnavailable, match=r"refused: .*AIMOCK_ALLOW_PRIVATE_URLS=1 allows it"):
        load_remote(URL, print, Web(AddressRefused("fixtures.example leads to 10.0.0.1")))


def test_a_cache_that_cannot_be_written_is_said_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert said(load_remote(URL, print, Web(content("a")))) == ["a"]
    assert caplog.messages == [f"{SHOWN}: no copy is kept: Not a directory"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load_remote(URL, print, Web(content("a")))
    assert list((tmp_path / "other").rglob("*.*")) == [], "even then nothing is left behind"


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_without_a_cache_directory_it_is_in_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_file(URL).is_relative_to(tmp_path / ".cache" / "aimock" / "fixtures")


# -- at the start of a server ----------------------------------------------------------------------------------------


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """Stands for the internet, behind everything else."""
    web = Web(content("remote"))
    monkeypatch.setattr(remote, "get", web)
    monkeypatch.setattr(remote, "load_remote", functools.partial(load_remote, get=web))
    monkeypatch.setattr(startup, "_tune_collector", lambda: None)
    return web


def start(*fixtures: str, **options: Any) -> list[Any]:
    return said(startup.build(Config(fixtures=fixtures, **options)).state.book)


def test_sources_of_both_kinds_in_order(web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.json").write_bytes(content("local"))
    with caplog.at_level(logging.INFO, "aimock"):
        assert start(URL, str(tmp_path / "a.json"), URL) == ["remote", "local"]
    assert len(web.asked) == 1
    assert f"loaded 2 fixture(s) from {SHOWN}, {tmp_path / 'a.json'}" in caplog.messages
    assert "secret" not in caplog.text


def test_two_urls_that_differ_in_their_query_are_two_sources(web: Web) -> None:
    assert start(URL, URL + "2") == ["remote", "remote"]


@pytest.mark.parametrize("failure", [FetchError("no"), AddressRefused("no")])
def test_B14_what_cannot_be_fetched_is_skipped_with_an_error(
    web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: FetchError
) -> None:
    """core-lessons B14"""
    (tmp_path / "a.json").write_bytes(content("local"))
    web.there = failure
    assert start(URL, str(tmp_path / "a.json")) == ["local"]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith(f"{SHOWN}: ")
    assert record.getMessage().endswith("; the source is skipped")
    with pytest.raises(Failure, match=r"^1 error\(s\) in the fixtures$"):
        start(URL, str(tmp_path / "a.json"), validate_on_load=True)


def test_B14_with_a_copy_even_validation_is_content(web: Web) -> None:
    """core-lessons B14"""
    start(URL)
    web.there = FetchError("no")
    assert start(URL, validate_on_load=True) == ["remote"]


def test_a_url_cannot_be_validated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "https://u:secret@x/?secret"]) == 1
    out, err = capsys.readouterr()
    assert (out.splitlines()[0], err) == ("https://x/?…: [error] is a URL, and not a path", "")
    assert "secret" not in out


# -- in Python, over a real server -----------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Serves a directory over HTTP, as many do in their tests."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "f.json").write_bytes(content("hello"))
    handler = functools.partial(Handler, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_server_in_python_has_remote_fixtures_too(
    site: str, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.setenv("AIMOCK_ALLOW_PRIVATE_URLS", "1")
    with AIMock(fixtures=f"{site}/f.json") as mock:
        body = {"messages": [{"role": "user", "content": "hello"}]}
        assert call("POST", "/v1/chat/completions", body, port=mock.port).content == "hello!"
        mock.load_fixtures(f"{site}/f.json?again")
        assert said(mock.fixtures) == ["hello", "hello"]


async def test_it_can_be_made_inside_trio(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMOCK_ALLOW_PRIVATE_URLS", "true")
    async with AIMock(fixtures=f"{site}/f.json") as mock:
        await trio.lowlevel.checkpoint()
        assert said(mock.fixtures) == ["hello"]


@pytest.mark.parametrize("value", [None, "", "0", "yes", "True"])
def test_B15_in_python_what_cannot_be_had_is_an_exception(
    site: str, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """core-lessons B15"""
    if value is not None:
        monkeypatch.setenv("AIMOCK_ALLOW_PRIVATE_URLS", value)
    with pytest.raises(FixtureSourceError, match=r"refused: 127\.0\.0\.1, which is not a public"):
        AIMock(fixtures=f"{site}/f.json")


def test_what_is_not_there_is_an_exception(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMOCK_ALLOW_PRIVATE_URLS", "1")
    with pytest.raises(FixtureSourceError, match="the answer has status 404"):
        AIMock(fixtures=[f"{site}/g.json"])
