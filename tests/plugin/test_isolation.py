"""Each test has a mock server of its own, though they share one."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_nothing_of_a_test_is_left_for_the_next(suite: pytest.Pytester) -> None:
    """field 2.55"""
    suite.makepyfile("""
        import pytest
        from asking import ask

        @pytest.mark.parametrize("again", [1, 2])
        def test_it(aimock, again):
            assert aimock.fixtures == ()
            assert aimock.get_requests() == []
            assert ask(aimock, "first") == 404  # neither a fixture nor a queued error
            aimock.on_message("hello", {"content": "one"}, sequence_index=0)
            aimock.on_message("hello", {"content": "two"}, sequence_index=1)
            assert [ask(aimock), ask(aimock)] == ["one", "two"]
            assert len(aimock.get_journal()) == 3
            assert aimock.strict is False
            aimock.next_error(500)
            aimock.strict = False if again == 2 else True
            aimock.on({}, {"content": "all"})
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2, errors=1)  # strict from within: the queued error was not met


def test_what_comes_by_the_control_api_is_the_tests_too(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from asking import ask, post

        def test_one(aimock):
            post(aimock, "/__aimock/fixtures", {"fixtures": [{"match": {}, "response": {"content": "Hi"}}]})
            assert ask(aimock) == "Hi"

        def test_two(aimock):
            assert ask(aimock) == 404

        def test_three(aimock, aimock_session):
            aimock_session.on({}, {"content": "for all"})
            post(aimock, "/__aimock/reset", {})
            assert ask(aimock) == 404

        def test_four(aimock):
            assert ask(aimock) == "for all"
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=4)


def test_the_server_and_its_address_stay(suite: pytest.Pytester) -> None:
    """Clients that are kept (a module's, a cached one) reach the test that runs."""
    suite.makepyfile("""
        import functools
        import openai

        @functools.cache
        def client():
            return openai.OpenAI()

        def say():
            question = [{"role": "user", "content": "hello"}]
            return client().chat.completions.create(model="m", messages=question).choices[0].message.content

        def test_one(aimock):
            aimock.on_message("hello", {"content": "one"})
            assert say() == "one"
            assert len(aimock.get_requests()) == 1

        def test_two(aimock, aimock_session):
            aimock.on_message("hello", {"content": "two"})
            assert say() == "two"
            assert len(aimock.get_requests()) == 1
            assert aimock.url == aimock_session.url == aimock.base_url
            client().close()
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_stream_that_outlives_its_test_stays_with_it(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import openai

        QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
        kept = []

        def test_one(aimock):
            aimock.on_message("hello", {"content": "a" * 40}, latency=50, chunk_size=1)
            client = openai.OpenAI()
            stream = client.chat.completions.create(**QUESTION)
            next(iter(stream))
            kept.extend([client, stream])

        def test_two(aimock):
            aimock.on_message("hello", {"content": "b"})
            client, stream = kept
            assert "b" not in "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            assert aimock.get_requests() == []
            aimock.clear_fixtures()
            client.close()
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_request_of_a_leaked_thread_is_told_by_its_test_id(suite: pytest.Pytester) -> None:
    """What arrives between tests is nobody's; what arrives in another test carries the name that it was given."""
    suite.makepyfile("""
        import pytest
        from asking import ask

        leaked = []

        @pytest.fixture
        def between(aimock_session):
            yield
            ask(aimock_session, "between")

        def test_one(between, aimock):
            leaked.append(aimock.test_id)

        def test_two(aimock):
            assert ask(aimock, "late", **{"X-Test-Id": leaked[0]}) == 404
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            '  *::test_two: POST /v1/chat/completions "late" (test id "*test_one-*"): there are no fixtures',
            '  outside of any test: POST /v1/chat/completions "between": there are no fixtures',
        ]
    )


def test_the_nearest_fixtures_come_first(suite: pytest.Pytester, fixture_file: Path) -> None:
    """The test's own before those of its markers, before aimock_config's, before the run's."""
    suite.makeini("[pytest]\naimock_fixtures = common.json")
    suite.makepyfile("""
        import pytest
        from asking import ask

        def entries(source, *texts):
            return [{"match": {"userMessage": text}, "response": {"content": source}} for text in texts]

        pytestmark = pytest.mark.aimock(fixtures=entries("module", "a", "b", "c"))

        @pytest.fixture
        def aimock_config():
            return {"fixtures": entries("config", "a", "b", "c", "d")}

        @pytest.mark.aimock(fixtures=entries("function", "a", "b"))
        def test_it(aimock):
            aimock.on_message("a", {"content": "test"})
            answers = [ask(aimock, text) for text in ("a", "b", "c", "d", "hello", "e")]
            assert answers == ["test", "function", "module", "config", "Hi from the file", 404]
            aimock.prepend_fixture({"match": {"userMessage": "a"}, "response": {"content": "prepended"}})
            assert ask(aimock, "a") == "prepended"
            assert len(aimock.fixtures) == 2 + 2 + 3 + 4 + 2
            aimock.clear_fixtures()
            assert ask(aimock) == 404

        def test_other(aimock):
            assert ask(aimock, "b") == "module"
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_what_is_given_to_the_server_of_the_run_is_seen_at_once(suite: pytest.Pytester) -> None:
    """A predicate as well, though the same bytes were asked before."""
    suite.makepyfile("""
        from asking import ask

        def test_one(aimock, aimock_session):
            assert ask(aimock) == 404
            calls = []
            aimock_session.on({"predicate": lambda body: calls.append(1)}, {"content": "never"})
            aimock_session.on_turn(0, "hello", {"content": "Hi"})
            assert [ask(aimock), ask(aimock)] == ["Hi", "Hi"]
            assert len(calls) == 2

        def test_two(aimock):
            assert ask(aimock) == "Hi"
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_the_ids_of_a_test_follow_from_the_seed_and_its_name_alone(suite: pytest.Pytester) -> None:
    """field 2.54"""
    suite.makepyfile("""
        import pytest
        from asking import post

        @pytest.mark.parametrize("name", ["a", "b"])
        def test_it(aimock, name, pytestconfig):
            aimock.on({}, {"content": "Hi"})
            status, answer = post(aimock, "/v1/chat/completions", {"model": "m", "messages": []})
            with open("ids.txt", "a") as file:
                print(answer["id"], file=file)
    """)
    ids = suite.path / "ids.txt"

    def run(*args: str) -> list[str]:
        ids.unlink(missing_ok=True)
        suite.runpytest_subprocess(*args)
        return ids.read_text().split()

    first, second = run("--aimock-seed=7")
    assert first != second
    assert run("--aimock-seed=7", "-k", "b") == [second]
    assert sorted(run("--aimock-seed=7", "-n2")) == sorted([first, second])
    assert run("--aimock-seed=8")[0] != first


@pytest.mark.parametrize("address", ["asyncio", "trio"])
def test_it_serves_async_tests(suite: pytest.Pytester, address: str) -> None:
    suite.makepyfile(f"""
        import pytest
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        @pytest.mark.anyio
        async def test_it(aimock, anyio_backend):
            aimock.on_message("hello", {{"content": "Hi"}})
            async with AsyncOpenAI(http_client=DefaultAsyncHttpxClient()) as client:
                question = [{{"role": "user", "content": "hello"}}]
                answer = await client.chat.completions.create(model="m", messages=question)
            assert answer.choices[0].message.content == "Hi"
            assert len(aimock.get_requests()) == 1

        @pytest.fixture
        def anyio_backend():
            return {address!r}
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_it_serves_tests_of_pytest_trio(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\ntrio_mode = true")
    suite.makepyfile("""
        import pytest
        import trio
        from asking import ask

        @pytest.fixture
        async def greeted(aimock):
            aimock.on_message("hello", {"content": "Hi"})
            yield aimock

        async def test_it(greeted):
            assert await trio.to_thread.run_sync(ask, greeted) == "Hi"
            assert len(greeted.get_requests()) == 1
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_it_serves_unittest_cases(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import os, unittest
        import pytest

        @pytest.mark.aimock(fixtures={"match": {}, "response": {"content": "Hi"}})
        class Tests(unittest.TestCase):
            def test_it(self):
                assert os.environ["OPENAI_BASE_URL"].startswith("http://127.0.0.1:")
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_names_of_any_kind_make_ids_that_fit_into_headers(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import re
        import pytest
        from asking import ask

        seen = set()

        @pytest.mark.parametrize("text", ["é/ü", "a b", "a-b", "x" * 500, "\\n\\x00", "\\ud800", "日本", "", "?&#%"])
        def test_it(aimock, text):
            aimock.on({}, {"content": "Hi"})
            assert re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", aimock.test_id)
            assert aimock.test_id not in seen
            seen.add(aimock.test_id)
            assert ask(aimock, **{"X-Test-Id": aimock.test_id}) == "Hi"
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=9)


def test_a_test_that_is_run_again_starts_afresh(suite: pytest.Pytester) -> None:
    suite.makeconftest("""
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2 if nextitem is not None else 1):
                item._initrequest()
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    item.ihook.pytest_runtest_logreport(report=report)
            return True
    """)
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock):
            assert aimock.get_requests() == []
            aimock.on_message("hello", {"content": "Hi"}, sequence_index=0)
            assert ask(aimock) == "Hi"

        def test_last():
            pass
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=3)
