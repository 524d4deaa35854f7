"""LangChain's moderation middleware: an agent that neither reads nor says what is harmful."""

from __future__ import annotations

from typing import Any

import pytest

from aimock import AIMock

agents = pytest.importorskip("langchain.agents")
middleware = pytest.importorskip("langchain_openai.middleware")
openai = pytest.importorskip("openai")
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries that are on their way to another version


@pytest.fixture
def asked() -> Any:
    """asked("text"): the agent's last word; `asked.mock` is its server."""
    from langchain_openai import ChatOpenAI

    with AIMock() as mock, openai.OpenAI(base_url=f"{mock.url}/v1", api_key="test") as client:
        model = ChatOpenAI(model="gpt-4o", base_url=f"{mock.url}/v1", api_key="test")
        guard = middleware.OpenAIModerationMiddleware(client=client, exit_behavior="end")
        agent = agents.create_agent(model, middleware=[guard])

        def ask(text: str) -> str:
            state = agent.invoke({"messages": [{"role": "user", "content": text}]})
            return str(state["messages"][-1].content)

        ask.mock = mock  # type: ignore[attr-defined]
        yield ask


def test_what_is_harmful_is_neither_read_nor_said(asked: Any) -> None:
    mock: AIMock = asked.mock
    mock.on_moderate("kill", {"categories": {"violence": True}})
    mock.on_message("hello", {"content": "Hi there"}).on_message("story", {"content": "They kill the dragon."})
    assert asked("hello") == "Hi there"
    assert "violence" in asked("How do I kill?")
    assert "violence" in asked("a story")
    services = [entry.get("service", "chat") for entry in mock.get_requests()]
    assert services == ["moderation", "chat", "moderation", "moderation", "moderation", "chat", "moderation"]
