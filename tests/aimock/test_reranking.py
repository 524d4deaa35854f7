"""Rerankers on the pipeline: paths that several share, what is left out, how the rest is ranked, recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aimock import AIMock
from aimock.config import Config, ConfigError, load_config
from aimock.fixtures import FixtureError
from aimock.net.exchange import Request
from aimock.net.fast_lane import make_head
from aimock.schema import config_schema
from aimock.startup import build

Call = Callable[..., Any]

ASKED = {"query": "green apples", "documents": ["pears", "an apple, green", "plums"]}


# -- who is meant ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "model", "members", "error"),
    [
        ("/v2/rerank", "rerank-v3.5", {"id", "results", "meta"}, "message"),
        ("/v1/rerank", "rerank-v3.5", {"id", "results", "meta"}, "message"),
        ("/v1/rerank", "jina-reranker-v2-base-multilingual", {"object", "results", "model", "usage"}, "detail"),
        ("/v1/rerank", "rerank-2.5", {"object", "data", "model", "usage"}, "detail"),
        ("/jina/v1/rerank", "m", {"object", "results", "model", "usage"}, "detail"),
        ("/voyage/v1/rerank", "m", {"object", "data", "model", "usage"}, "detail"),
        ("/rerank", "BAAI/bge-reranker-v2-m3", {"object", "results", "model", "usage"}, "detail"),
        ("/my/gateway/v1/rerank", "rerank-lite-1", {"object", "data", "model", "usage"}, "detail"),
        ("/providers/cohere/v2/rerank", "cohere-rerank-v4.0-fast", {"id", "results", "meta"}, "message"),
    ],
)
def test_the_body_tells_whose_a_request_is(
    mock: AIMock, call: Call, path: str, model: str, members: set[str], error: str
) -> None:
    told = call("POST", path, {**ASKED, "model": model})
    assert (told.status, told.json.keys()) == (200, members)
    assert (told.json.get("results") or told.json["data"])[0]["index"] == 1
    entry = mock.get_last_request()
    assert (entry["service"], entry["path"], entry["body"]["_endpointType"]) == ("rerank", path, "rerank")
    mock.on_rerank("apples", {"error": {"message": "No."}, "status": 418})
    refused = call("POST", path, {**ASKED, "model": model})
    assert (refused.status, refused.json[error]) == (418, "No.")


def test_a_body_that_is_too_large_is_refused_in_somebody_s_words(mock: AIMock, call: Call) -> None:
    response = call("POST", "/v1/rerank", b"", {"Content-Length": str(10**10)})
    assert (response.status, "message" in response.json) == (413, True)


# -- what a fixture says ---------------------------------------------------------------------------------------------


def test_what_is_left_out_is_logged(mock: AIMock, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    mock.on_rerank("apples", [{"index": 5}, {"document": "figs"}, {"index": 0}])
    for path, model in (("/v2/rerank", "m"), ("/model/amazon.rerank-v1:0/invoke", "m")):
        caplog.clear()
        assert len(call("POST", path, {**ASKED, "model": model}).json["results"]) == 1
        warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert ["index 5 is not that of one of the 3 documents" in warnings[0], "'figs'" in warnings[1]] == [True, True]


def test_a_function_may_answer(mock: AIMock, call: Call) -> None:
    def newest(body: dict[str, Any]) -> dict[str, Any]:
        return {"results": [{"index": len(body["documents"]) - 1}]}

    mock.on_rerank("apples", newest)
    assert call("POST", "/rerank", {**ASKED, "model": "m"}).json["results"][0]["index"] == 2


def test_a_manner_of_ranking_is_one_that_there_is(mock: AIMock) -> None:
    with pytest.raises(FixtureError, match="ranking: must be one of lexical, identity, empty"):
        mock.on_rerank("apples", {"ranking": "semantic"})


# -- how the rest is ranked ------------------------------------------------------------------------------------------


def configured(tmp_path: Path, section: Any) -> Config:
    text = {"services": {"rerank": section}}
    (tmp_path / "c.json").write_text(json.dumps(text))
    config = load_config(tmp_path / "c.json")
    Draft202012Validator(config_schema()).validate(text)
    return config


def indices(tmp_path: Path, section: Any, query: str = "green apples") -> list[int]:
    app = build(Config(service_fixtures=configured(tmp_path, section).service_fixtures, fixtures=()))
    head = make_head("POST", "/v2/rerank", [("host", "x")])
    assert head is not None
    answer: Any = app.answer(Request(head, json.dumps({**ASKED, "query": query, "model": "m"}).encode()))
    return [result["index"] for result in json.loads(answer.body)["results"]]


SCRIPTED = [{"match": {"query": "plums"}, "results": [{"index": 2}]}]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (False, [1, 0, 2]),
        (SCRIPTED, [1, 0, 2]),
        ({"default": "lexical"}, [1, 0, 2]),
        ({"default": "identity"}, [0, 1, 2]),
        ({"default": "empty"}, []),
        (True, []),
        ({"fixtures": SCRIPTED, "default": "identity"}, [0, 1, 2]),
    ],
    ids=str,
)
def test_a_config_says_how_the_rest_is_ranked(tmp_path: Path, section: Any, expected: list[int]) -> None:
    assert indices(tmp_path, section) == expected


def test_what_is_scripted_comes_before_the_default(tmp_path: Path) -> None:
    assert indices(tmp_path, {"default": "identity", "fixtures": SCRIPTED}, "Plums") == [2]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"default": "semantic"}, "services.rerank.default: must be one of lexical, identity, empty"),
        ({}, "expected true, false, a path"),
        ({"fixtures": [], "defaults": "empty"}, "got an object with fixtures, defaults"),
    ],
)
def test_a_default_is_one_that_there_is(tmp_path: Path, section: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, section)
    assert message in str(raised.value)
    assert list(Draft202012Validator(config_schema()).iter_errors({"services": {"rerank": section}}))


def test_no_other_service_has_one(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"services": {"search": {"default": "empty"}}}))
    with pytest.raises(ConfigError, match="got an object with default"):
        load_config(tmp_path / "c.json")


# -- recording -------------------------------------------------------------------------------------------------------

RECORDED: list[tuple[str, str, dict[str, Any]]] = [
    ("cohere", "/v2/rerank", {"model": "rerank-v3.5", **ASKED, "top_n": 2}),
    ("cohere", "/v1/rerank", {"model": "rerank-v3.5", **ASKED, "return_documents": True}),
    ("jina", "/jina/v1/rerank", {"model": "jina-reranker-m0", **ASKED}),
    ("voyage", "/voyage/v1/rerank", {"model": "rerank-2", **ASKED, "top_k": 1}),
    ("bedrock", "/model/amazon.rerank-v1:0/invoke", dict(ASKED)),
    ("openai", "/v1/moderations", {"input": ["hello", "kill"]}),
    ("mistral", "/mistral/v1/moderations", {"model": "mistral-moderation-latest", "input": "kill"}),
]


@pytest.mark.parametrize(("provider", "path", "body"), RECORDED, ids=[path for _, path, _ in RECORDED])
def test_what_was_recorded_is_said_again(
    call: Call, tmp_path: Path, provider: str, path: str, body: dict[str, Any]
) -> None:
    with AIMock(log_level="silent") as real:
        real.on_rerank("apples", [{"index": 2, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.5}])
        real.on_moderate("kill", {"flagged": True})
        config = {"providers": {provider: real.url}, "fixturePath": str(tmp_path)}
        with AIMock(record=config, log_level="silent") as recording:
            first = call("POST", path, body, port=recording.port)
    assert first.status == 200
    (file,) = tmp_path.rglob("*.json")
    (entry,) = json.loads(file.read_text())["fixtures"]
    assert entry["response"]["results"]
    with AIMock(log_level="silent", strict=True) as replaying:
        replaying.load_fixtures(tmp_path)
        assert call("POST", path, body, port=replaying.port).body == first.body
        del entry["recording"]
        replaying.reset()
        replaying.add_fixture(entry)
        assert call("POST", path, body, port=replaying.port).json == first.json
