"""Related texts are near for the official clients of every provider of embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import cohere
import ollama
import pytest
from google import genai
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings
from openai import AzureOpenAI, OpenAI
from pydantic import SecretStr

from aimock import AIMock

QUESTION = "How do I reset my password?"
DOCUMENTS = ("Resetting a forgotten password", "Orders are shipped within three days", "How do I pay with a card?")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("left_to_the_collector"),
]

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with AIMock(embeddings="semantic") as mock:
        yield mock.url


def openai(url: str) -> Embed:
    client = OpenAI(base_url=f"{url}/v1", api_key="any")
    return lambda texts: [
        each.embedding for each in client.embeddings.create(model="text-embedding-3-small", input=[*texts]).data
    ]


def azure(url: str) -> Embed:
    client = AzureOpenAI(azure_endpoint=url, api_key="any", api_version="2024-10-21")
    return lambda texts: [
        each.embedding for each in client.embeddings.create(model="large", input=[*texts], encoding_format="float").data
    ]


def gemini(url: str) -> Embed:
    client = genai.Client(api_key="any", http_options=genai.types.HttpOptions(base_url=url))
    return lambda texts: [
        each.values or []
        for each in client.models.embed_content(model="gemini-embedding-001", contents=[*texts]).embeddings or []
    ]


def cohere_second(url: str) -> Embed:
    client = cohere.ClientV2("any", base_url=url)

    def embed(texts: Sequence[str]) -> Any:
        asked: Any = {"texts": [*texts], "input_type": "search_document", "embedding_types": ["float"]}
        return client.embed(model="embed-v4.0", **asked).embeddings.float_

    return embed


def ollamas(url: str) -> Embed:
    client = ollama.Client(url)
    return lambda texts: client.embed("all-minilm", [*texts]).embeddings


def titan(url: str) -> Embed:
    client = boto3.client(
        "bedrock-runtime", "us-east-1", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any"
    )

    def embed(text: str) -> list[float]:
        body = json.dumps({"inputText": text})
        answer = client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=body)
        values: list[float] = json.loads(answer["body"].read())["embedding"]
        return values

    return lambda texts: [*map(embed, texts)]


@pytest.mark.parametrize("connect", [openai, azure, gemini, cohere_second, ollamas, titan])
def test_the_document_about_it_is_nearest(url: str, connect: Callable[[str], Embed]) -> None:
    question, *documents = connect(url)([QUESTION, *DOCUMENTS])
    scores = [sum(map(float.__mul__, map(float, question), map(float, each))) for each in documents]
    assert scores[0] > max(scores[1:]) + 0.2


def test_a_vector_store_finds_it(url: str) -> None:
    embeddings = OpenAIEmbeddings(base_url=f"{url}/v1", api_key=SecretStr("any"), check_embedding_ctx_length=False)
    store = InMemoryVectorStore.from_texts([*DOCUMENTS], embeddings)
    (found,) = store.similarity_search(QUESTION, k=1)
    assert found.page_content == DOCUMENTS[0]
