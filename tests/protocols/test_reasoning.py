from __future__ import annotations

import pytest

from aimock_protocols.reasoning import is_reasoning_model


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("", True),
        ("o3", True),
        ("gpt-5", True),
        ("deepseek-reasoner", True),
        ("something-new", True),
        ("gpt-4o", False),
        ("GPT-4o-2024-08-06", False),
        ("gpt-4.1-mini", False),
        ("gpt-3.5-turbo", False),
        ("claude-3-5-sonnet-20241022", False),
        ("claude-3-7-sonnet-20250219", True),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", False),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", False),
        ("anthropic.claude-opus-4-20250514-v1:0", True),
        ("gemini-1.5-pro", False),
        ("gemini-2.5-pro", True),
    ],
)
def test_the_built_in_list(model: str, expected: bool) -> None:
    assert is_reasoning_model(model) is expected


def test_deny_outranks_allow_outranks_the_list() -> None:
    assert is_reasoning_model("gpt-4o", allow=["gpt-4o"])
    assert is_reasoning_model("gpt-4o-mini", allow=[" GPT-4o-2024-08-06 "])
    assert not is_reasoning_model("o3", deny=["o3"])
    assert not is_reasoning_model("o3", deny=["o3"], allow=["o3"])
    assert is_reasoning_model("o3", deny=["", " "])
    assert not is_reasoning_model("gpt-4o", allow=[""])
