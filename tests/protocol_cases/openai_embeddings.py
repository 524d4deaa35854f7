"""OpenAI's embeddings."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aimock_protocols.canonical import Vectors
from protocol_cases import VectorCase
from protocol_cases.strategies import counts, names

NO_INPUT: list[Any] = [None, 5, {}, [], [None], ["hello", None], [{}], [1.5], [True], [[5], None], [[5], "hello"]]
NO_DIMENSIONS: list[Any] = [0, -1, 100_001, 2**63, 1.5, 8.0, True, "8", [8], {}]

CASES = {
    "openai_embeddings": VectorCase(
        vectors=st.builds(
            Vectors,
            values=st.tuples(*[st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8).map(tuple)] * 2),
            usage=st.fixed_dictionaries(
                {"prompt_tokens": counts, "total_tokens": counts}, optional={"cost": st.floats(0, 10)}
            ),
            id=st.none() | names,
            model=names,
        ),
        request={"input": ["hello", "you"]},
        path="/v1/embeddings",
        floats=lambda body: [each["embedding"] for each in body["data"]],
        wrong={"input": NO_INPUT, "dimensions": NO_DIMENSIONS, "encoding_format": ["int8", 5, [], {}]},
    )
}
