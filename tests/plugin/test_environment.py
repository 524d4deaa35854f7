"""SDKs find the server by the variables that they look at anyway."""

from __future__ import annotations

import pytest

from aimock.pytest_plugin import environment
from aimock.sdks import KEY


def test_every_sdk_is_pointed_at_the_server_with_a_dummy_key() -> None:
    """core-lessons F5: Anthropic's SDK adds /v1 itself."""
    told = environment.of_sdks("http://127.0.0.1:1")
    assert told["OPENAI_BASE_URL"] == "http://127.0.0.1:1/v1"
    assert told["ANTHROPIC_BASE_URL"] == told["OLLAMA_HOST"] == told["CO_API_URL"] == "http://127.0.0.1:1"
    assert all(value == KEY for name, value in told.items() if name.endswith(("_KEY", "_BEDROCK")))
    assert all("{" not in value for value in told.values())


def test_the_sdks_themselves_find_it(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.makepyfile("""
        import os
        import openai

        def test_it(aimock):
            assert "AZURE_OPENAI_AD_TOKEN" not in os.environ
            with openai.OpenAI() as client:
                assert str(client.base_url) == f"{aimock.url}/v1/"
            with openai.AzureOpenAI() as client:
                assert str(client.base_url) == f"{aimock.url}/openai/"
                assert client.api_key.startswith("sk-aimock-")
    """)
    monkeypatch.setenv("OPENAI_API_TYPE", "azure")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a real one")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "a real one")
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_sdk_of_anthropic_finds_it(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """core-lessons F5; a token of the developer's does not come along."""
    pytest.importorskip("anthropic")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "a real one")
    suite.makepyfile("""
        import os
        import anthropic

        def test_it(aimock):
            assert "ANTHROPIC_AUTH_TOKEN" not in os.environ
            with anthropic.Anthropic() as client:
                assert str(client.base_url).rstrip("/") == aimock.url
                assert client.auth_token is None
                assert client.api_key.startswith("sk-aimock-")
            with anthropic.AnthropicBedrock() as client:
                assert str(client.base_url).rstrip("/") == aimock.url
    """)
    suite.runpytest_subprocess().assert_outcomes(passed=1)


AROUND = """
    import os
    import pytest

    before = dict(os.environ)

    def changed():
        names = before.keys() | os.environ.keys()
        return {name for name in names if before.get(name) != os.environ.get(name)} - {"PYTEST_CURRENT_TEST"}

    def test_before():
        assert changed() == set()

    def test_during(monkeypatch, aimock):
        assert "OPENAI_BASE_URL" in changed()
        monkeypatch.setenv("OPENAI_API_KEY", "the test's own")
        monkeypatch.delenv("ANTHROPIC_BASE_URL")

    def test_fails(aimock):
        assert False

    @pytest.mark.aimock(strict=True)
    def test_strict(aimock):
        aimock.on_message("unasked", {"content": "x"})

    def test_after():
        assert changed() == set()
"""


@pytest.mark.parametrize("preset", [{}, {"OPENAI_BASE_URL": "https://real", "OPENAI_API_KEY": "real", "NO_PROXY": "a"}])
def test_what_was_set_before_is_set_after(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, preset: dict[str, str]
) -> None:
    """core-lessons F5: also if the test had set the same variables itself."""
    for name, value in preset.items():
        monkeypatch.setenv(name, value)
    suite.makepyfile(AROUND)
    suite.runpytest_inprocess().assert_outcomes(passed=4, failed=1, errors=1)


@pytest.mark.parametrize("how", ["option", "ini", "config", "marker"])
def test_the_environment_can_be_left_alone(suite: pytest.Pytester, how: str) -> None:
    suite.makeini(f"[pytest]\naimock_env = {how != 'ini'}")
    suite.makepyfile(f"""
        import os
        import pytest

        if {how == "marker"}:
            pytestmark = pytest.mark.aimock(env=False)

        @pytest.fixture
        def aimock_config():
            return {{"env": False}} if {how == "config"} else {{}}

        def test_it(aimock):
            assert "OPENAI_API_KEY" not in os.environ
            assert aimock.environment["OPENAI_BASE_URL"] == aimock.url + "/v1"

        @pytest.mark.aimock(env=True)
        def test_nearer(aimock, aimock_session):
            assert os.environ["OPENAI_BASE_URL"] == aimock_session.environment["OPENAI_BASE_URL"]
    """)
    suite.runpytest_inprocess(*(["--aimock-no-env"] if how == "option" else [])).assert_outcomes(passed=2)


def test_a_proxy_is_bypassed(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was excepted from it before, in either spelling."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "internal.example, 127.0.0.1")
    monkeypatch.setenv("no_proxy", "other.example")
    suite.makepyfile("""
        import json, os, urllib.request
        import openai

        def test_it(aimock):
            aimock.on({}, {"content": "Hi"})
            assert os.environ["NO_PROXY"] == "internal.example,127.0.0.1,other.example,localhost"
            assert os.environ["no_proxy"] == os.environ["NO_PROXY"]
            with openai.OpenAI() as client:
                answer = client.chat.completions.create(model="m", messages=[])
            assert answer.choices[0].message.content == "Hi"
            with urllib.request.build_opener().open(aimock.url + "/health") as answer:
                assert json.load(answer) == {"status": "ok"}

        def test_after():
            assert os.environ["no_proxy"] == "other.example"
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_what_a_shell_says_to_aimock_does_not_reach_the_tests(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """core-lessons F8"""
    monkeypatch.setenv("AIMOCK_API_KEYS", "secret")
    monkeypatch.setenv("AIMOCK_STRICT_TURN_INDEX", "1")
    suite.makepyfile("""
        import os
        from asking import ask

        def test_it(aimock):
            aimock.on_turn(5, "hello", {"content": "Hi"})
            assert ask(aimock) == "Hi"
            assert not [name for name in os.environ if name.startswith("AIMOCK_")]

        def test_after():
            assert os.environ["AIMOCK_API_KEYS"] == "secret"
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_https(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import os

        import httpx
        import pytest

        @pytest.fixture(scope="session")
        def aimock_tls():
            return True

        def test_one(aimock, aimock_session):
            assert aimock.url.startswith("https://127.0.0.1:")
            assert "127.0.0.1" in os.environ["NO_PROXY"].split(",")
            assert os.environ["SSL_CERT_FILE"] == str(aimock.ca_file)
            assert aimock_session.environment["NODE_EXTRA_CA_CERTS"] == str(aimock.ca_file)
            assert httpx.get(aimock.url + "/health").status_code == 200

        @pytest.mark.aimock(tls=True)
        def test_two():
            pass
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.aimock: tls: unknown key*"])
