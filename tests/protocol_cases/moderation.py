"""Moderation, OpenAI's and Mistral's."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aimock_protocols.moderation import mistral, openai
from protocol_cases import ServiceCase
from protocol_cases.strategies import names

NO_INPUT: list[Any] = [None, 5, {}, [5], [None], ["a", 5], [[]]]


def said(categories: tuple[str, ...], **more: Any) -> st.SearchStrategy[Any]:
    """An answer that says all that there is to say of one input."""
    verdict = st.fixed_dictionaries(
        {
            "categories": st.fixed_dictionaries(dict.fromkeys(categories, st.booleans())),
            "category_scores": st.fixed_dictionaries(dict.fromkeys(categories, st.floats(0, 1))),
        }
        | more
    )
    return st.tuples(st.fixed_dictionaries({"id": names, "model": names, "results": st.tuples(verdict).map(list)}))


def message(error: Any) -> str:
    return str(error["message"])


CASES = {
    "moderation.openai": ServiceCase(
        "moderation",
        said(
            openai.CATEGORIES,
            flagged=st.booleans(),
            category_applied_input_types=st.just({key: ["text"] for key in openai.CATEGORIES}),
        ),
        {"input": "hello"},
        "/v1/moderations",
        wrong={
            "input": [*NO_INPUT, [], [{"type": "text"}], [{"type": "image_url", "image_url": "x"}], [{"type": "odd"}]],
            "model": [5],
        },
    ),
    "moderation.mistral:texts": ServiceCase(
        "moderation",
        said(mistral.CATEGORIES),
        {"model": "mistral-moderation-latest", "input": "hello"},
        "/mistral/v1/moderations",
        wrong={"input": [*NO_INPUT, "", []], "model": [5, None]},
        error=message,
    ),
    "moderation.mistral:conversations": ServiceCase(
        "moderation",
        said(mistral.CATEGORIES),
        {"model": "mistral-moderation-latest", "input": [{"role": "user", "content": "hello"}]},
        "/v1/chat/moderations",
        wrong={"input": [*NO_INPUT, "", [], "hello", [[]], [[5]]], "model": [5, None]},
        error=message,
    ),
}
