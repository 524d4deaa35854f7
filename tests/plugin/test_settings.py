"""What the plugin is told, rightly and wrongly; how it is loaded and what that costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aimock import AIMock
from aimock.pytest_plugin.bound import BoundMock


def test_a_marker_gives_the_fixture_before_any_other(suite: pytest.Pytester, fixture_file: Path) -> None:
    suite.makepyfile("""
        import openai
        import pytest

        @pytest.fixture
        def client():
            with openai.OpenAI() as client:
                yield client

        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.aimock(fixtures="common.json", latency=1, chunk_size=3)
        def test_it(client, number):
            question = [{"role": "user", "content": "hello"}]
            with client.chat.completions.create(model="m", messages=question, stream=True) as stream:
                texts = [chunk.choices[0].delta.content for chunk in stream]
            assert texts[1] == "Hi "
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_files_are_found_beside_the_test_then_from_the_root(suite: pytest.Pytester, fixture_file: Path) -> None:
    below = suite.mkpydir("below")
    (below / "near.json").write_text(fixture_file.read_text().replace("the file", "nearby"))
    (below / "test_below.py").write_text(
        "import pytest\nfrom asking import ask\n"
        "@pytest.mark.aimock(fixtures=['near.json'])\n"
        "def test_near(aimock): assert ask(aimock) == 'Hi from nearby'\n"
        "@pytest.mark.aimock(fixtures=['common.json', 'near.json'])\n"
        "def test_both(aimock): assert ask(aimock) == 'Hi from the file' and len(aimock.fixtures) == 4\n"
        "@pytest.mark.aimock(fixtures='nowhere.json')\n"
        "def test_nowhere(aimock): pass\n"
    )
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["aimock cannot start *::test_nowhere: @pytest.mark.aimock: fixtures: nowhere.json is not in *below nor in *"]
    )


def test_the_command_line_replaces_the_fixtures_of_the_ini_file(suite: pytest.Pytester, fixture_file: Path) -> None:
    suite.makeini("[pytest]\naimock_fixtures = nowhere.json\naimock_seed = 5")
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock, aimock_session):
            assert ask(aimock) == "Hi from the file"
            assert aimock_session.seed == 6
    """)
    result = suite.runpytest_inprocess("--aimock-fixtures", "common.json", "--aimock-seed", "6")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["aimock: --aimock-seed=6"])


def test_a_run_says_the_seed_that_repeats_it(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_it(aimock_session):\n    print('seed', aimock_session.seed)")
    result = suite.runpytest_inprocess("-s")
    told = re.search(r"--aimock-seed=(\d+)", result.stdout.str())
    used = re.search(r"seed (\d+)", result.stdout.str())
    assert told is not None
    assert used is not None
    assert told[1] == used[1]


def test_workers_have_the_seed_that_the_run_says(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(aimock_session, number):
            with open(f"seed{number}", "w") as file:
                file.write(str(aimock_session.seed))
    """)
    result = suite.runpytest_subprocess("-n2")
    told = re.search(r"--aimock-seed=(\d+)", result.stdout.str())
    assert told is not None
    assert {(suite.path / f"seed{number}").read_text() for number in range(4)} == {told[1]}


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("'a.json'", "@pytest.mark.aimock: expected keywords, got 'a.json'"),
        ("fixture='a.json'", '@pytest.mark.aimock: fixture: unknown key, did you mean "fixtures"?'),
        ("port=4010", "@pytest.mark.aimock: port: unknown key; known are *"),
        ("strict=1", "@pytest.mark.aimock: strict: expected True or False, got 1"),
        ("env='no'", "@pytest.mark.aimock: env: expected True or False, got 'no'"),
        ("fixtures=7", "@pytest.mark.aimock: fixtures: expected paths or entries, got 7"),
        ("fixtures=[{'match': {}}]", "*response*"),
        ("fixtures='empty.json'", '*empty.json: no "fixtures" array*'),
        ("fixtures='broken.json'", "*broken.json: invalid JSON*"),
        ("fixtures='empty'", "*empty: there are no fixtures in it"),
        ("replay_speed=0", "replay_speed: expected a number above 0, got 0"),
    ],
)
def test_a_wrong_marker_is_one_line(suite: pytest.Pytester, marker: str, complaint: str) -> None:
    """field 2.57"""
    (suite.path / "empty.json").write_text("{}")
    (suite.path / "broken.json").write_text("{")
    (suite.path / "empty").mkdir()
    suite.makepyfile(f"""
        import pytest

        @pytest.mark.aimock({marker})
        def test_it():
            pass

        def test_next(aimock):
            pass
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"aimock cannot start test_*.py::test_it: {complaint}"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("['common.json']", "aimock_config: expected a dict, got [[]'common.json']"),
        ("{'stric': True}", 'aimock_config: stric: unknown key, did you mean "strict"?'),
        ("{'fixtures': 'nowhere'}", "aimock_config: fixtures: nowhere is not in *"),
    ],
)
def test_a_wrong_config_is_one_line(suite: pytest.Pytester, config: str, complaint: str) -> None:
    suite.makepyfile(f"""
        import pytest

        @pytest.fixture
        def aimock_config():
            return {config}

        def test_it(aimock):
            pass
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_it*", f"aimock cannot start *: {complaint}"], consecutive=True
    )


@pytest.mark.parametrize(
    ("ini", "options", "complaint"),
    [
        ("aimock_seed = x", [], "ERROR: aimock_seed: expected an integer, got 'x'"),
        ("aimock_strict = maybe", [], "ERROR: aimock_strict: expected true or false*"),
        ("", ["--aimock-seed=x"], "*--aimock-seed: invalid int value: 'x'*"),
    ],
)
def test_a_wrong_option_stops_the_run(suite: pytest.Pytester, ini: str, options: list[str], complaint: str) -> None:
    suite.makeini(f"[pytest]\n{ini}")
    result = suite.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([complaint])


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("listen", "aimock cannot start the server: *Cannot assign requested address*"),
        ("fixtures", "aimock cannot start the server: *nowhere.json: No such file or directory"),
    ],
)
def test_a_server_that_cannot_start_says_why(suite: pytest.Pytester, where: str, complaint: str) -> None:
    """core-lessons F7; 203.0.113.1 is nobody's address (RFC 5737)."""
    suite.makepyfile(f"""
        import pytest

        if {where == "listen"}:
            @pytest.fixture(scope="session")
            def aimock_listen_address():
                return "203.0.113.1", 0

        def test_one(aimock):
            pass

        def test_two(aimock_session):
            pass

        def test_three():
            pass
    """)
    result = suite.runpytest_inprocess(*(["--aimock-fixtures=nowhere.json"] if where == "fixtures" else []))
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines([complaint, complaint])


def test_faults_in_fixture_files_are_told(suite: pytest.Pytester) -> None:
    """field 2.58: the rest of the file is served."""
    (suite.path / "faulty.json").write_text(
        '{"fixtures": [{"match": {}}, {"match": {}, "response": {"content": "Hi"}}]}'
    )
    suite.makepyfile("""
        import pytest
        from asking import ask

        @pytest.mark.aimock(fixtures="faulty.json")
        @pytest.mark.parametrize("number", [1, 2])
        def test_it(aimock, number):
            assert ask(aimock) == "Hi"
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["problems in fixture files:", "  *faulty.json entry 0: *; the entry is skipped"])
    assert result.stdout.str().count("entry 0: ") == 1


def test_it_has_the_methods_of_the_package_for_the_node_server(suite: pytest.Pytester) -> None:
    """core-lessons F6, field 2.57: options reach the entry, match keys the match."""
    (suite.path / "list.json").write_text('[{"match": {"userMessage": "list"}, "response": {"content": "list"}}]')
    (suite.path / "one.json").write_text('{"match": {"userMessage": "one"}, "response": {"content": "one"}}')
    suite.makepyfile("""
        from asking import ask

        def test_it(aimock):
            aimock.add_fixture({"userMessage": "a"}, {"content": "A"}, latency=50, sequenceIndex=1)
            [added] = aimock.fixtures
            assert (added.latency, added.match.sequence_index) == (50, 1)
            aimock.clear_fixtures()
            aimock.on_system_message(["be", "brief"], {"content": "x"}, user_message="y")
            aimock.on_embedding("text", {"embedding": [0.5]})
            aimock.load_fixtures("list.json")
            aimock.load_fixtures("one.json")
            assert [ask(aimock, "list"), ask(aimock, "one")] == ["list", "one"]
            aimock.next_error(429, {"message": "Slow down"})
            assert ask(aimock) == 429
            assert len(aimock.get_journal()) == 3
            assert aimock.get_last_request()["response"]["status"] == 429
            aimock.reset_journal()
            assert aimock.get_journal() == []
            aimock.reset_fixtures()
            assert len(aimock.fixtures) == 0
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_file_is_read_anew_when_a_test_loads_it(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import json
        import pytest
        from asking import ask

        @pytest.mark.parametrize("answer", ["one", "two"])
        def test_it(aimock, answer):
            with open("mine.json", "w") as file:
                json.dump({"fixtures": [{"match": {}, "response": {"content": answer}}]}, file)
            aimock.load_fixtures("mine.json")
            assert ask(aimock) == answer
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


# -- loading -----------------------------------------------------------------------------------------------------------


def test_it_costs_a_run_nothing_that_does_not_use_it() -> None:
    light = "import sys, pytest, aimock.pytest_plugin\nprint([n for n in sys.modules if n.split('.')[0] in %r])"
    heavy = {"trio", "attrs", "attr", "cattrs", "orjson", "h11", "aimock_protocols", "regex", "ahocorasick"}
    done = subprocess.run([sys.executable, "-c", light % heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_without_it_neither_imports_nor_starts_it(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import sys, threading

        def test_it():
            assert "trio" not in sys.modules
            assert "aimock.server" not in sys.modules
            assert not [thread for thread in threading.enumerate() if thread.name == "aimock"]
    """)
    suite.runpytest_subprocess("-p", "no:trio", "-p", "no:anyio").assert_outcomes(passed=1)


def test_it_can_be_turned_off(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_it(aimock): pass")
    result = suite.runpytest_subprocess("-p", "no:aimock")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'aimock' not found"])
    assert "--aimock-seed" not in result.stdout.str()


@pytest.mark.parametrize("name", ["aimock", "aimock.pytest_plugin"])
def test_it_can_be_named_where_nothing_is_loaded_by_itself(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.makepyfile("def test_it(aimock): assert aimock.url")
    suite.runpytest_subprocess("-p", name).assert_outcomes(passed=1)


def test_the_marker_is_known(suite: pytest.Pytester) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.aimock\ndef test_it(): pass")
    suite.runpytest_inprocess("--strict-markers").assert_outcomes(passed=1)
    suite.runpytest_inprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.aimock(fixtures=*"])


def test_the_handle_is_an_aimock() -> None:
    assert issubclass(BoundMock, AIMock)


def test_tests_do_not_record_over_one_another(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.aimock(record={"providers": {"openai": "http://127.0.0.1:9"}, "mode": "all"})
        def test_it(aimock): pass
        """
    )
    result = suite.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*record: mode "all" is for one server that runs throughout.*'])


def test_a_test_that_records(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest
        from aimock import AIMock
        from asking import ask

        @pytest.fixture(scope="module")
        def provider():
            with AIMock() as mock:
                mock.on({}, {"content": "from afar"})
                yield mock

        @pytest.fixture
        def aimock_config(provider, tmp_path):
            return {"record": {"providers": {"openai": provider.url}, "fixturePath": str(tmp_path)}}

        @pytest.mark.parametrize("text", ["one", "two"])
        def test_recorded(aimock, provider, tmp_path, text):
            before = len(provider.get_requests())
            assert [ask(aimock, text), ask(aimock, text)] == ["from afar"] * 2
            assert len(provider.get_requests()) == before + 1
            assert len(list(tmp_path.rglob("*.json"))) == 1
        """
    )
    suite.runpytest_inprocess().assert_outcomes(passed=2)
