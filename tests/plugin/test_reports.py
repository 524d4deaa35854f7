"""What nothing answered and what nobody asked for: told, or in strict mode a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

UNHAPPY = """
    import pytest
    from asking import ask

    def test_missed(aimock):
        aimock.on_message("weather", {"content": "Sunny"})
        assert ask(aimock, "weather") == "Sunny"
        assert ask(aimock, "wether") in (404, 503)

    def test_unused(aimock):
        aimock.on_message("hello", {"content": "Hi"})
        aimock.on_message("bye", {"content": "Bye"})
        assert ask(aimock) == "Hi"
        aimock.next_error(503, {"message": "Overloaded"})

    def test_fine(aimock):
        aimock.on_message("hello", {"content": "Hi"})
        assert ask(aimock) == "Hi"

    def test_without():
        pass
"""
MISSED = 'POST /v1/chat/completions "wether": nearest: program: userMessage "weather" is not in "wether"'
UNUSED = [
    'program {"userMessage":"bye"}',
    'one-shot error {"error":{"message":"Overloaded"},"status":503}',
]
SUMMARY = [
    "*= aimock =*",
    "unexpected requests, which nothing answered:",
    f"  *::test_missed: {MISSED}",
    "fixtures that nothing asked for:",
    *(f"  *::test_unused: {line}" for line in UNUSED),
]


@pytest.mark.parametrize("workers", [None, 2])
def test_the_summary_tells_what_is_odd(suite: pytest.Pytester, workers: int | None) -> None:
    """The same from the workers of xdist."""
    suite.makepyfile(UNHAPPY)
    result = suite.runpytest_subprocess(*([] if workers is None else [f"-n{workers}"]))
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(SUMMARY, consecutive=True)
    assert "test_fine: " not in result.stdout.str()


def test_a_run_in_which_all_is_well_says_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock):
            aimock.on_message("hello", {"content": "one"}, sequence_index=0)
            aimock.on_message("hello", {"content": "two"}, sequence_index=1)
            aimock.next_error(500)
            assert [ask(aimock), ask(aimock), ask(aimock)] == [500, "one", "two"]
            aimock.reset_journal()  # what was used stays used

        def test_that_drops_its_fixtures(aimock):
            aimock.on_message("dropped", {"content": "x"})
            aimock.clear_fixtures()
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    assert "= aimock =" not in result.stdout.str()


def test_a_member_of_a_sequence_that_was_not_reached_is_unused(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock):
            for place in range(3):
                aimock.on_message("hello", {"content": str(place)}, sequence_index=place)
            assert [ask(aimock), ask(aimock)] == ["0", "1"]
    """)
    result = suite.runpytest_inprocess()
    result.stdout.fnmatch_lines(['  *::test_it: program {"userMessage":"hello","sequenceIndex":2}'])
    assert '"sequenceIndex":1' not in result.stdout.str()


def test_use_is_known_beyond_what_the_journal_keeps(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest
        from asking import ask

        @pytest.mark.aimock(journal_max_entries=1, strict=True)
        def test_it(aimock):
            aimock.on_message("a", {"content": "A"}).on_message("b", {"content": "B"})
            assert [ask(aimock, "a"), ask(aimock, "b")] == ["A", "B"]
            assert len(aimock.get_requests()) == 1
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["option", "ini", "config", "marker", "xdist"])
def test_strict_fails_the_test_in_which_it_happened(suite: pytest.Pytester, how: str) -> None:
    suite.makeini(f"[pytest]\naimock_strict = {how == 'ini'}")
    if how == "config":
        suite.makeconftest("""
            import pytest

            @pytest.fixture(scope="session")
            def aimock_config():
                return {"strict": True}
        """)
    marker = "\n    pytestmark = pytest.mark.aimock(strict=True)\n" if how == "marker" else ""
    suite.makepyfile(UNHAPPY.replace("import ask\n", f"import ask\n{marker}"))
    options = {"option": ["--aimock-strict"], "xdist": ["--aimock-strict", "-n2"]}.get(how, [])
    result = (suite.runpytest_subprocess if how == "xdist" else suite.runpytest_inprocess)(*options)
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*ERROR at teardown of test_missed*",
            "aimock: the test passed, but not in strict mode",
            f"  {MISSED}",
            "*ERROR at teardown of test_unused*",
            *(f"  {line}" for line in UNUSED),
        ]
    )
    assert "::test_missed: POST" not in result.stdout.str(), "what failed is not told twice"


def test_the_nearest_choice_of_strict_wins(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest
        from asking import ask

        @pytest.fixture
        def aimock_config(request):
            return {"strict": False} if "config" in request.node.name else {}

        def test_run(aimock):
            assert ask(aimock) == 503

        def test_config(aimock):
            assert ask(aimock) == 404

        @pytest.mark.aimock(strict=True)
        def test_config_and_marker(aimock):
            assert ask(aimock) == 503

        @pytest.mark.aimock(strict=True)
        class TestClass:
            @pytest.mark.aimock(strict=False)
            def test_two_markers(self, aimock):
                assert ask(aimock) == 404
    """)
    suite.runpytest_inprocess("--aimock-strict").assert_outcomes(passed=4, errors=2)


def test_a_test_that_fails_by_itself_fails_once(suite: pytest.Pytester) -> None:
    """And shows what it asked; what it did not come to ask for is not held against it."""
    suite.makepyfile("""
        import openai
        import pytest
        from asking import ask

        @pytest.mark.aimock(strict=True)
        def test_it(aimock):
            aimock.on_message("hello", {"content": "Hi"})
            aimock.on_message("unasked", {"content": "x"})
            ask(aimock, path="/v1/chat/completions?key=s3cret")
            aimock.next_error(429)
            ask(aimock, "x" * 1000)
            with openai.OpenAI(max_retries=2) as client:
                client.chat.completions.create(model="m", messages=[])

        def test_skipped(aimock):
            aimock.on_message("unasked", {"content": "x"})
            pytest.skip("no")

        @pytest.mark.xfail(strict=True)
        @pytest.mark.aimock(strict=True)
        def test_expected(aimock):
            aimock.on_message("unasked", {"content": "x"})
            assert False
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(failed=1, skipped=1, xfailed=1)
    lines = [
        "*- aimock -*",
        "5 request(s):",
        '  POST /v1/chat/completions?key=[[]REDACTED] "hello": 200, by program {"userMessage":"hello"}',
        '  POST /v1/chat/completions "xxx*xxx…: 429, by program {}',
        "  POST /v1/chat/completions: 503",
        "  POST /v1/chat/completions: 503",
        "  POST /v1/chat/completions: 503",
        "1 unexpected:",
        "  POST /v1/chat/completions: nearest: *(3 times)",
    ]
    result.stdout.fnmatch_lines(lines, consecutive=True)
    assert "unasked" not in "".join(line for line in result.outlines if line.startswith("  test_"))
    assert not any(len(line) > 400 for line in result.outlines)


def test_a_failure_in_another_fixture_shows_what_was_asked(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest
        from asking import ask

        @pytest.fixture
        def broken(aimock):
            ask(aimock)
            raise RuntimeError("broken")

        def test_it(broken):
            pass
    """)
    result = suite.runpytest_inprocess("--aimock-strict")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["1 request(s):", '  POST /v1/chat/completions "hello": 503'])


def test_a_wrong_path_is_unexpected_too(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock):
            assert ask(aimock, path="/v1/chat/completion") == 404
            assert ask(aimock, path="/somewhere") == 404
            assert ask(aimock, path="/v1/models") == 405
    """)
    result = suite.runpytest_inprocess()
    result.stdout.fnmatch_lines(
        [
            "  *::test_it: POST /v1/chat/completion: the nearest route is /v1/chat/completions",
            "  *::test_it: POST /somewhere: no route has this path",
            "  *::test_it: POST /v1/models: POST is not allowed",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_common_fixtures_are_unused_only_if_no_test_used_them(
    suite: pytest.Pytester, fixture_file: Path, workers: list[str]
) -> None:
    (suite.path / "configured.json").write_text(fixture_file.read_text().replace("unasked", "never"))
    suite.makeini("[pytest]\naimock_fixtures = common.json")
    suite.makepyfile("""
        import pytest
        from asking import ask

        @pytest.fixture
        def aimock_config(request):
            return {"fixtures": "configured.json"} if "config" in request.node.name else {}

        @pytest.mark.parametrize("number", range(4))
        def test_run(aimock, number):
            if number == 0:
                assert ask(aimock) == "Hi from the file"

        @pytest.mark.parametrize("number", range(4))
        def test_config(aimock, number):
            if number == 3:
                assert ask(aimock) == "Hi from the file"
    """)
    result = suite.runpytest_subprocess("--aimock-strict", *workers)
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["*= aimock =*", "2 of 4 common fixtures were not used (see -v)"], consecutive=True)
    result = suite.runpytest_subprocess("-v", *workers)
    result.stdout.fnmatch_lines(
        [
            "2 of 4 common fixtures were not used:",
            '  */common.json entry 1 {"userMessage":"unasked"}',
            '  */configured.json entry 1 {"userMessage":"never"}',
        ],
        consecutive=True,
    )


def test_what_comes_between_tests_reaches_the_summary_from_workers(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock_session):
            assert ask(aimock_session) == 404
    """)
    result = suite.runpytest_subprocess("-n2")
    result.stdout.fnmatch_lines(['  outside of any test: POST /v1/chat/completions "hello": there are no fixtures'])


def test_what_was_found_survives_a_worker_that_crashes(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import os
        from asking import ask

        def test_missed(aimock):
            assert ask(aimock) == 404

        def test_crash(aimock):
            os._exit(1)
    """)
    result = suite.runpytest_subprocess("-n1", "--max-worker-restart=0")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  *::test_missed: POST *: there are no fixtures"])


def test_the_summary_is_bounded(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock):
            aimock.add_fixtures({"match": {"userMessage": f"<{n}>"}, "response": {"content": "x"}} for n in range(600))
    """)
    result = suite.runpytest_inprocess()
    result.stdout.fnmatch_lines(["  … and 580 more"])
    assert result.stdout.str().count("::test_it: program") == 20
