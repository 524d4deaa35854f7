"""The official Python client's OAuth, unmodified: the whole way in, and back in when tokens end."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.exceptions import OAuthFlowError, OAuthTokenError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from aimock.surfaces.mcp.mock import MCPMock

REDIRECT = "http://localhost:9/callback"
DOCUMENT = "https://app.example/client.json"
TOOLS = (
    {"name": "look", "result": "seen"},
    {"name": "drop", "result": "dropped"},
)


class Clock:
    """That of the server. The client has the system's, and believes what it was told of seconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Storage:
    """Where the client keeps what it was given."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None
        self.issued: list[OAuthToken] = []

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens
        self.issued.append(tokens.model_copy())

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Browser:
    """Goes where the client sends its user, and comes back."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.told: dict[str, str] = {}

    async def open(self, url: str) -> None:
        self.asked.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)))
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(url)
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"].startswith(REDIRECT)
        self.told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query))

    async def come_back(self) -> AuthorizationCodeResult:
        told = self.told
        if "error" in told:
            raise PermissionError(told["error"])
        return AuthorizationCodeResult(code=told["code"], state=told.get("state"), iss=told.get("iss"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve(clock: Clock) -> Iterator[Callable[[Any], MCPMock]]:
    with contextlib.ExitStack() as stack:

        def start(auth: Any) -> MCPMock:
            mock = MCPMock(auth=auth, seed=1, wall_clock=clock)
            for tool in TOOLS:
                mock.add_tool(tool)
            return stack.enter_context(mock)

        yield start


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def browser() -> Browser:
    return Browser()


def provider(mock: MCPMock, storage: Storage, browser: Browser, **options: Any) -> OAuthClientProvider:
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(REDIRECT)], client_name="Test")
    return OAuthClientProvider(mock.url, metadata, storage, browser.open, browser.come_back, **options)


@contextlib.asynccontextmanager
async def connected(mock: MCPMock, auth: httpx2.Auth, mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(auth=auth, timeout=10) as http,
        Client(streamable_http_client(mock.url, http_client=http), mode=mode) as client,  # type: ignore[arg-type]
    ):
        yield client


async def look(client: Client, tool: str = "look") -> str:
    return str((await client.call_tool(tool, {})).content[0].text)  # type: ignore[union-attr]


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(20):
            await work()

    anyio.run(bounded)


def endpoints(mock: MCPMock) -> list[str]:
    """What was asked of the authorization server, in order."""
    paths = (entry["path"].partition("?")[0] for entry in mock.get_requests())
    return [path.rpartition("/")[2] for path in paths if "/oauth/" in path]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_whole_way(serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser, mode: str) -> None:
    mock = serve({"scopes": ["read"]})

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser), mode) as client:
            assert await look(client) == "seen"

    run(work)
    assert endpoints(mock) == ["register", "authorize", "token"]
    [asked] = browser.asked
    assert asked["resource"] == mock.url
    assert asked["scope"] == "read"
    assert browser.told["iss"] == mock.url
    assert storage.tokens is not None
    assert storage.client is not None
    assert storage.tokens.scope == "read"
    assert storage.client.issuer == mock.url
    shown = str(mock.get_requests())
    assert storage.tokens.access_token not in shown
    assert browser.told["code"] not in shown


def test_without_scopes(serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser) -> None:
    mock = serve(True)

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser)) as client:
            assert await look(client) == "seen"

    run(work)
    assert "scope" not in browser.asked[0]


def test_a_client_metadata_document(serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser) -> None:
    mock = serve(True)

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser, client_metadata_url=DOCUMENT)) as client:
            assert await look(client) == "seen"

    run(work)
    assert endpoints(mock) == ["authorize", "token"]
    assert browser.asked[0]["client_id"] == DOCUMENT


def test_what_the_client_knows_to_have_ended_is_refreshed(
    serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser, clock: Clock
) -> None:
    mock = serve({"accessTokenSeconds": 60})

    async def work() -> None:
        auth = provider(mock, storage, browser)
        async with connected(mock, auth) as client:
            assert await look(client) == "seen"
            clock.now += 60
            auth.context.token_expiry_time = 1.0  # the client has the system's clock, on which no test waits
            assert await look(client) == "seen"

    run(work)
    assert endpoints(mock) == ["register", "authorize", "token", "token"]
    first, second = storage.issued
    assert first.access_token != second.access_token
    assert first.refresh_token != second.refresh_token


@pytest.mark.parametrize("end", ["expire_tokens", "revoke"])
def test_what_ends_on_command_sends_the_client_through_it_again(
    serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser, end: str
) -> None:
    mock = serve(True)

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser)) as client:
            assert await look(client) == "seen"
            assert getattr(mock.oauth, end)() == 1
            assert await look(client) == "seen"

    run(work)
    assert endpoints(mock) == ["register", "authorize", "token", "authorize", "token"]
    assert 401 in [entry["response"]["status"] for entry in mock.get_requests()]


def test_a_token_that_expires_as_a_fault(serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser) -> None:
    mock = serve(True)
    mock.add_tool({"name": "flaky", "fault": "token-expired;times=1", "result": "seen"})

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser)) as client:
            assert await look(client, "flaky") == "seen"

    run(work)
    assert endpoints(mock) == ["register", "authorize", "token", "authorize", "token"]


def test_a_refresh_that_fails_is_no_end(serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser) -> None:
    mock = serve(True)

    async def work() -> None:
        auth = provider(mock, storage, browser)
        async with connected(mock, auth) as client:
            assert await look(client) == "seen"
            mock.oauth.revoke()
            auth.context.token_expiry_time = 1.0
            assert await look(client) == "seen"

    run(work)
    assert endpoints(mock) == ["register", "authorize", "token", "token", "authorize", "token"]
    statuses = [entry["response"]["status"] for entry in mock.get_requests() if entry["path"].endswith("/token")]
    assert statuses == [200, 400, 200]


def test_a_step_up(serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser) -> None:
    mock = serve({"scopes": ["read"], "methodScopes": {"tools/call drop": ["write"]}})

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser)) as client:
            assert await look(client) == "seen"
            assert await look(client, "drop") == "dropped"

    run(work)
    assert [asked["scope"] for asked in browser.asked] == ["read", "read write"]
    assert [entry["response"]["status"] for entry in mock.get_requests()].count(403) == 1


def test_client_credentials(serve: Callable[[Any], MCPMock], storage: Storage) -> None:
    secret = "hush: 100%"
    mock = serve(
        {"scopes": ["read"], "registration": False, "clients": [{"clientId": "robot", "clientSecret": secret}]}
    )

    async def work() -> None:
        auth = ClientCredentialsOAuthProvider(mock.url, storage, "robot", secret, scope="read", issuer=mock.url)
        async with connected(mock, auth) as client:
            assert await look(client) == "seen"
            mock.oauth.expire_tokens()
            assert await look(client) == "seen"

    run(work)
    assert endpoints(mock) == ["token", "token"]
    assert secret not in str(mock.get_requests())


@pytest.mark.parametrize(
    ("failure", "raises", "says"),
    [
        (("authorize",), PermissionError, "access_denied"),
        (("authorize", "wrong_issuer"), OAuthFlowError, "iss mismatch"),
        (("authorize", "wrong_state"), OAuthFlowError, "State parameter mismatch"),
        (("token", "invalid_grant"), OAuthTokenError, "invalid_grant"),
        (("register",), Exception, "Registration failed: 400"),
    ],
)
def test_what_the_client_must_notice(
    serve: Callable[[Any], MCPMock],
    storage: Storage,
    browser: Browser,
    failure: tuple[str, ...],
    raises: type[Exception],
    says: str,
) -> None:
    mock = serve(True)
    mock.oauth.fail_next(*failure)

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser), "legacy"):
            pass

    with pytest.raises(BaseExceptionGroup) as error:
        run(work)
    found = error.value.subgroup(raises)
    assert found is not None
    assert says in _texts(found)
    assert storage.tokens is None


def test_a_wrong_issuer_in_metadata_is_not_believed(
    serve: Callable[[Any], MCPMock], storage: Storage, browser: Browser
) -> None:
    mock = serve(True)
    mock.oauth.fail_next("metadata", "wrong_issuer")

    async def work() -> None:
        async with connected(mock, provider(mock, storage, browser), "legacy"):
            pass

    with pytest.raises(BaseExceptionGroup) as error:
        run(work)
    assert "metadata issuer mismatch" in _texts(error.value)
    assert endpoints(mock) == []


def _texts(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return " ".join(map(_texts, error.exceptions))
    return str(error)
