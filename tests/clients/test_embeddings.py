"""Embeddings by the official OpenAI SDK and by LangChain's OpenAIEmbeddings, which decode base64 themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import openai
import pytest
from langchain_openai import AzureOpenAIEmbeddings, OpenAIEmbeddings
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, DefaultAsyncHttpxClient, OpenAI
from openai.types import CreateEmbeddingResponse
from pydantic import SecretStr

from aimock import AIMock
from aimock_protocols.embedding import vector_of

from .conftest import plain_http

Connect = Callable[..., Any]
Embed = Callable[..., CreateEmbeddingResponse]

SMALL = "text-embedding-3-small"


def nearly(*values: float) -> Any:
    """As near as single floats come."""
    return pytest.approx(list(values), abs=1e-6)


@pytest.fixture
def embed(flavour: str, client: OpenAI, run_async: Callable[..., Any]) -> Embed:
    """`embeddings.create()`, as sync code and under asyncio and Trio."""

    def ask(value: Any, **more: Any) -> CreateEmbeddingResponse:
        asked: Any = {"model": SMALL, "input": value} | more
        if flavour == "sync":
            return client.embeddings.create(**asked)

        async def work(client: AsyncOpenAI) -> Any:
            return await client.embeddings.create(**asked)

        return run_async(flavour, work)

    return ask


def test_every_text_has_its_vector(mock: AIMock, embed: Embed) -> None:
    answer = embed(["hello", "b"])
    assert [each.index for each in answer.data] == [0, 1]
    assert [each.embedding for each in answer.data] == [nearly(*vector_of(text, 1536)) for text in ("hello", "b")]
    assert (answer.model, answer.object, answer.data[0].object) == (SMALL, "list", "embedding")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (3, 3)
    assert mock.get_last_request()["body"]["encoding_format"] == "base64", "the SDK asks for it by itself"


def test_floats_come_bit_for_bit(embed: Embed) -> None:
    answer = embed("hello", encoding_format="float", dimensions=4)
    assert answer.data[0].embedding == [
        -0.6549019607843137,
        0.8980392156862744,
        -0.39607843137254906,
        0.45882352941176463,
    ]


def test_fixtures(mock: AIMock, embed: Embed) -> None:
    mock.on_embedding("cat", {"embedding": [0.1, -0.2, 3]}).on_embedding("dog", {"embedding": [1, 0]})
    assert embed("a cat").data[0].embedding == nearly(0.1, -0.2, 3)
    assert [each.embedding for each in embed(["dog", "cat"]).data] == [nearly(1, 0), nearly(0.1, -0.2, 3)]
    assert embed("a cat", encoding_format="float").data[0].embedding == [0.1, -0.2, 3.0]


def test_tokens(mock: AIMock, embed: Embed) -> None:
    mock.on_embedding("7 8", {"embedding": [1]})
    answer = embed([[7, 8], [9]], dimensions=2, encoding_format="float")
    assert [each.embedding for each in answer.data] == [[1.0], [1.0]]
    assert answer.usage.prompt_tokens == 3
    assert embed([1, 2, 3], dimensions=2, encoding_format="float").data[0].embedding == [*vector_of("1 2 3", 2)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_errors(mock: AIMock, client: OpenAI, status: int, kind: type[openai.APIStatusError]) -> None:
    mock.on_embedding("hello", {"error": {"message": "No.", "code": "c"}, "status": status})
    with pytest.raises(kind, match=r"No\.") as raised:
        client.embeddings.create(model=SMALL, input="hello")
    assert (raised.value.status_code, raised.value.code) == (status, "c")


def test_a_retry_is_served(mock: AIMock, connect: Connect) -> None:
    limited = {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 0.001}
    mock.on_embedding("hello", limited, sequence_index=0).on_embedding("hello", {"embedding": [1]}, sequence_index=1)
    assert connect(max_retries=1).embeddings.create(model=SMALL, input="hello").data[0].embedding == [1.0]
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [429, 200]


@pytest.mark.parametrize(
    "more", [{"input": []}, {"input": 5}, {"input": "a", "dimensions": 0}, {"input": "a", "encoding_format": "int8"}]
)
def test_bad_input(client: OpenAI, more: Any) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=SMALL, **more)


def test_a_strict_miss(mock: AIMock, embed: Embed) -> None:
    mock.strict = True
    with pytest.raises(openai.InternalServerError, match="no fixture matched"):
        embed("hello")


def test_azure(mock: AIMock, connect: Connect) -> None:
    mock.on_embedding("hello", {"embedding": [1, 2]}, model="my-deployment")
    azure = connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2024-10-21")
    answer = azure.embeddings.create(model="my-deployment", input="hello")
    assert (answer.data[0].embedding, answer.model) == ([1.0, 2.0], "my-deployment")
    entry = mock.get_last_request()
    assert entry["path"] == "/openai/deployments/my-deployment/embeddings?api-version=2024-10-21"


async def test_azure_asynchronously(mock: AIMock) -> None:
    async with AsyncAzureOpenAI(
        azure_endpoint=mock.url,
        api_version="2024-10-21",
        api_key="test",
        http_client=DefaultAsyncHttpxClient(verify=False),
    ) as azure:
        answer = await azure.embeddings.create(model="d", input="hello", dimensions=3)
    assert answer.data[0].embedding == nearly(*vector_of("hello", 3))


# -- LangChain ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def langchain(mock: AIMock) -> Iterator[Callable[..., OpenAIEmbeddings]]:
    """Without tiktoken, whose tables it would fetch."""
    with plain_http() as http:

        def make(kind: type[OpenAIEmbeddings] = OpenAIEmbeddings, **options: Any) -> OpenAIEmbeddings:
            if kind is OpenAIEmbeddings:
                options["base_url"] = f"{mock.url}/v1"
            settings: dict[str, Any] = {
                "model": SMALL,
                "api_key": SecretStr("test"),
                "check_embedding_ctx_length": False,
                "max_retries": 0,
                "http_client": http,
                "http_async_client": DefaultAsyncHttpxClient(verify=False),
            }
            return kind(**settings | options)

        yield make


def test_langchain(mock: AIMock, langchain: Callable[..., OpenAIEmbeddings]) -> None:
    mock.on_embedding("cat", {"embedding": [1, 0]}).on_embedding(re.compile("^dog$"), {"embedding": [0, 1]})
    embeddings = langchain(dimensions=2)
    assert embeddings.embed_documents(["cat", "dog", "fish"]) == [[1, 0], [0, 1], nearly(*vector_of("fish", 2))]
    assert embeddings.embed_query("dog") == [0, 1]


def test_langchain_asynchronously(mock: AIMock, langchain: Callable[..., OpenAIEmbeddings]) -> None:
    mock.on_embedding("cat", {"embedding": [1, 0]})

    async def work() -> list[list[float]]:
        async with DefaultAsyncHttpxClient(verify=False) as http:
            return await langchain(http_async_client=http).aembed_documents(["a cat", "cat"])

    assert anyio.run(work) == [[1, 0], [1, 0]]


def test_langchain_on_azure(mock: AIMock, langchain: Callable[..., Any]) -> None:
    mock.on({"model": "my-deployment"}, {"embedding": [1, 0]})
    options = {"azure_endpoint": mock.url, "azure_deployment": "my-deployment", "api_version": "2024-10-21"}
    assert langchain(AzureOpenAIEmbeddings, model="my-deployment", **options).embed_query("hello") == [1, 0]
    with pytest.raises(openai.BadRequestError):
        langchain(AzureOpenAIEmbeddings, model="my-deployment", dimensions=-1, **options).embed_query("hello")
