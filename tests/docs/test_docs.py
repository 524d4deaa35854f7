"""The documentation says what is so: its examples run, its tables agree with the code, its links lead somewhere.

Every fenced block in README.md and docs/ is of one of these kinds; anything else fails.

    ```json               a fixture file without a fault; `served`: what the page's server serves from here on;
                          `file=NAME`: written to the working directory; `warns`: it has findings
    ```json config        a config file; `json value`: any JSON
    ```python             run; `python pytest`: run by pytest
    ```text output        what the Python block before it printed
    ```console            commands after `$ `, each with its output
    ```sh, ```text        not run

Each page has a server with examples/fixtures, which it calls 127.0.0.1:4010. Ids, times and ports of an output are
masked, and `…` in it stands for anything.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import http.client
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest

from aimock import AIMock, cli, config_keys, control, faults, quotas, sdks, steering
from aimock.config import load_config
from aimock.fixtures import (
    ENTRY_KEYS,
    MATCH_KEYS,
    RESPONSE_KEYS,
    Expression,
    entries_from_json,
    make_fixture,
    patterns,
    validate_fixtures,
)
from aimock.fixtures.faults import PARAMETERS_OF, RETRY_AFTER_WORDS, Fault, FaultName
from aimock.fixtures.findings import CHAOS_KEYS, PROFILE_KEYS
from aimock.fixtures.options import PROFILES, StreamingProfile
from aimock.fixtures.recording import RECORDING_KEYS
from aimock.fixtures.selection import select
from aimock.flags import CHAOS_FLAGS, parser_of
from aimock.metrics import Metrics
from aimock.net.limits import Limits
from aimock.providers import NAMES
from aimock.pytest_plugin import environment
from aimock.pytest_plugin import settings as pytest_settings
from aimock.record import prices
from aimock.record.config import record_schema
from aimock.redaction import CREDENTIAL_HEADERS, CREDENTIAL_QUERY_KEYS
from aimock.surfaces.vector import section as vector_section
from aimock.surfaces.vector import written as vector_written
from aimock.surfaces.vector.qdrant import Qdrant
from aimock_protocols.bedrock_invoke import families as bedrock_families
from aimock_protocols.gemini_interactions.platform import CODES
from aimock_protocols.openai_compatible import PROVIDERS
from aimock_protocols.reasoning import NOT_REASONING
from aimock_protocols.registry import PROTOCOLS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [page for page in PAGES if page.name not in ("CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTED_ADDRESS = "127.0.0.1:4010"


class Block(NamedTuple):
    line: int
    kind: str
    options: list[str]
    text: str


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> Iterator[Block]:
    lines = page.read_text("utf-8").splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        kind, *options = lines[start][3:].split() or [""]
        yield Block(start + 1, kind, options, "\n".join(lines[start + 1 : number]))
        start = None
    assert start is None, f"{page}:{start}: the block is not closed"


# -- outputs -----------------------------------------------------------------------------------------------------------

MASKS = [
    (r"\b(chatcmpl|cmpl)-[0-9A-Za-z]{29}\b", r"\1-ID"),
    (r"\bcall_[0-9A-Za-z]{24}\b", "call_ID"),
    (r"\btooluse_[0-9A-Za-z]{22}\b", "tooluse_ID"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", "UUID"),
    (r"\bcall_[0-9a-f]{8}\b", "call_ID"),
    (r'("created_at":)"[^"]*\.\d{6,9}Z"', r"\1TIME"),
    (r"\breq_[0-9a-f]{32}\b", "req_ID"),
    (r"\breq-[0-9A-Za-z]{16}\b", "req-ID"),
    (r"\breq_011C[0-9A-Za-z]{20}\b", "req_011C-ID"),
    (r"\b(msg|toolu)_01[0-9A-Za-z]{22}\b", r"\1_ID"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", "UUID"),
    (r"\bget_weather_[0-9a-z]{12}\b", "get_weather_ID"),
    (r"(?m)^(anthropic-ratelimit-.*-reset): .*$", r"\1: TIME"),
    (r"\b(resp|msg|rs|fc|ws|conv)_[0-9a-f]{48,50}\b", r"\1_ID"),
    (r'("(?:created|completed)_at":) ?\d{10}\b', r"\1 TIME"),
    (r'"(responseId|id)":"(?:[0-9A-Za-z]{22}|[0-9a-f]{8})"', r'"\1":"ID"'),
    (r'("created":) ?\d{10}\b', r"\1 TIME"),
    (r'("timestamp":) ?\d{13}\b', r"\1 TIME"),
    (r"(?m)^date: .* GMT$", "date: TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\bcurl/[\d.]+", "curl"),
    (r"\bseed \d+", "seed N"),
]


def masked(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return text


def assert_output(actual: str, expected: str, where: str) -> None:
    pattern = ".*?".join(re.escape(part) for part in masked(expected).split("…"))
    if re.fullmatch(pattern, masked(actual), re.DOTALL) is None:
        assert masked(actual) == masked(expected), f"{where}: the output is another"


def test_an_output_that_differs_is_noticed() -> None:
    assert_output('{"id":"req-0123456789abcdef","a":1}', '{"id":"req-AAAAAAAAAAAAAAAA",…}', "here")
    with pytest.raises(AssertionError, match="here"):
        assert_output('{"a":1}', '{"a":2}', "here")


# -- running -----------------------------------------------------------------------------------------------------------


class Page:
    """Runs the blocks of one page, in order, in a working directory of its own."""

    def __init__(self, page: Path, mock: AIMock) -> None:
        self.name = name_of(page)
        self.mock = mock
        self.printed = ""

    def run(self, block: Block) -> None:
        where = f"{self.name}:{block.line}"
        runners: dict[str, Callable[[Block, str], None]] = {
            "json": self.run_json,
            "python": self.run_python,
            "console": self.run_console,
            "text": self.run_text,
            "toml": self.run_toml,
            "sh": lambda block, where: None,
        }
        assert block.kind in runners, f"{where}: no kind of block: {block.kind!r}"
        runners[block.kind](block, where)

    def run_json(self, block: Block, where: str) -> None:
        content = json.loads(block.text)
        for option in block.options:
            if option.startswith("file="):
                Path(option.removeprefix("file=")).write_text(block.text, "utf-8")
        if "value" in block.options:
            return
        if "config" in block.options:
            Path("checked.json").write_text(block.text, "utf-8")
            load_config(Path("checked.json"))
            return
        findings = validate_fixtures(content["fixtures"])
        assert bool(findings) == ("warns" in block.options), f"{where}: {[each.message for each in findings]}"
        if "served" in block.options:
            self.mock.reset().add_fixtures(entries_from_json(content["fixtures"]))

    def run_toml(self, block: Block, where: str) -> None:
        assert block.options == ["config"], where
        Path("checked.toml").write_text(block.text, "utf-8")
        load_config(Path("checked.toml"))

    def run_text(self, block: Block, where: str) -> None:
        if "output" in block.options:
            assert_output(self.printed, block.text, where)

    def here(self, text: str) -> str:
        return text.replace(DOCUMENTED_ADDRESS, self.mock.url.removeprefix("http://"))

    def run_python(self, block: Block, where: str) -> None:
        if "pytest" in block.options:
            Path("test_documented.py").write_text(block.text, "utf-8")
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_documented.py"]
            command += ["-p", "aimock.pytest_plugin"]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"
            return
        printed = io.StringIO()
        names: dict[str, Any] = {"__name__": "__documented__"}
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # an example need not close its client
            exec(compile(self.here(block.text), where, "exec"), names)
            names.clear()
            gc.collect()
        self.printed = printed.getvalue()

    def run_console(self, block: Block, where: str) -> None:
        for command, output in commands_of(block.text):
            assert_output(self.run_command(command), output, f"{where}: {command}")

    def run_command(self, command: str) -> str:
        words = shlex.split(self.here(command))
        if words[0] == "curl":
            return curl(words[1:])
        if words[0] == "aimock":
            return run_aimock(words[1:])
        if words[:2] == ["echo", "$?"]:
            return str(self.status)
        raise AssertionError(f"what is {words[0]}?")

    status = 0


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, continuation lines joined, and the output of each."""
    for part in re.split(r"(?m)^\$ ", text)[1:]:
        lines = part.splitlines()
        command = lines.pop(0)
        while command.endswith("\\"):
            command = command[:-1] + lines.pop(0)
        while command.count("'") % 2:
            command += "\n" + lines.pop(0)
        yield command, "\n".join(lines)


def run_aimock(words: list[str]) -> str:
    """The command line in this process; its output, and its exit status if that is not 0."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            status: Any = cli.main(words)
        except SystemExit as leaving:
            status = leaving.code
    assert status in (0, 1, None)
    return printed.getvalue()


def curl(words: list[str]) -> str:
    """What curl would print, for the options that the pages use."""
    method, headers, body, url = None, [], None, ""
    shows_head = False
    rest = iter(words)
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(":")
            headers.append((name, value.strip()))
        elif word == "-d":
            body = next(rest).encode()
        elif word == "-i":
            shows_head = True
        elif word not in ("-s", "-N"):
            assert word.startswith("http://"), f"what is {word}?"
            url = word
    if body is not None:
        headers += [("Content-Length", str(len(body))), ("Content-Type", "application/x-www-form-urlencoded")]
    address, slash, target = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address, timeout=5)
    with contextlib.closing(connection):
        connection.putrequest(method or ("GET" if body is None else "POST"), slash + target, skip_accept_encoding=True)
        for name, value in [("User-Agent", "curl/8"), ("Accept", "*/*"), *headers]:
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        complaint = ""
        try:
            received = response.read()
        except http.client.IncompleteRead as partial:
            received = partial.partial
            complaint = "curl: (18) transfer closed with outstanding read data remaining"
    head = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{n}: {v}" for n, v in response.getheaders()), ""]
    return "\n".join([*(head if shows_head else []), received.decode(), complaint])


_AMBIENT = ("AIMOCK_", "ANTHROPIC_", "AWS_", "CO_", "GEMINI_", "GOOGLE_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_")


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(_AMBIENT) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """core-lessons G6"""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    with AIMock(fixtures="examples/fixtures", seed=1) as mock:
        running = Page(page, mock)
        for block in blocks_of(page):
            running.run(block)


# -- tables ------------------------------------------------------------------------------------------------------------

Table = list[list[str]]


def tables_of(pages: list[Path]) -> dict[str, Table]:
    """The rows of every table below a comment `<!-- checked: NAME -->`; several of one name are one."""
    tables: dict[str, Table] = {}
    for page in pages:
        for name, text in re.findall(r"<!-- checked: ([\w-]+) -->\n((?:\|.*\n)+)", page.read_text("utf-8")):
            rows = [[cell.strip() for cell in row.strip("|").split(" |")] for row in text.splitlines()[2:]]
            tables.setdefault(name, []).extend(rows)
    return tables


TABLES = tables_of(PAGES)


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def firsts(name: str) -> list[str]:
    """What the first column of a table names."""
    return [each for row in TABLES[name] for each in code(row[0])]


def check(name: str, actual: Any) -> None:
    """A table names what there is: each once, nothing else."""
    assert sorted(firsts(name)) == sorted(actual)


def check_entry_keys() -> None:
    check("entry-keys", ENTRY_KEYS)


def check_recording_keys() -> None:
    check("recording-keys", RECORDING_KEYS)


def check_match_keys() -> None:
    check("match-keys", MATCH_KEYS)


def check_response_keys() -> None:
    check("response-keys", RESPONSE_KEYS)


def check_regex_flags() -> None:
    check("regex-flags", patterns._FLAGS.keys() | patterns._MEANINGLESS_FLAGS)


def check_turns() -> None:
    for row in TABLES["turns"]:
        turns = [None if turn == "–" else int(turn) for turn in row[0].split(", ")]
        matches = [{} if turn is None else {"turnIndex": turn} for turn in turns]
        candidates = [make_fixture({"match": match, "response": {"content": "x"}}) for match in matches]
        winners = [candidates.index(select(candidates, turn).fixture) for turn in range(5)]
        assert winners == [int(cell) for cell in row[1:]], row


def check_openai_routes() -> None:
    elsewhere = ("openai_responses", "openai_compatible:", "openai_realtime")
    served = [each for each in PROTOCOLS if each.name.startswith("openai_") and not each.name.startswith(elsewhere)]
    check("openai-routes", [f"{each.method} {each.template}" for api in served for each in (*api.routes, *api.sides)])


def check_responses_routes() -> None:
    check("responses-routes", routes_of("openai_responses"))


def check_realtime_routes() -> None:
    (served,) = [each for each in PROTOCOLS if each.name == "openai_realtime"]
    check("realtime-routes", [f"WS {template}" for template in served.sockets] + routes_of("openai_realtime"))


def check_anthropic_routes() -> None:
    check("anthropic-routes", routes_of("anthropic"))


def check_bedrock_routes() -> None:
    check("bedrock-routes", routes_of("bedrock"))


def check_ollama_routes() -> None:
    check("ollama-routes", routes_of("ollama"))


def check_cohere_routes() -> None:
    check("cohere-routes", routes_of("cohere"))


def check_bedrock_families() -> None:
    check("bedrock-families", bedrock_families.FAMILIES)


def check_rerank_routes() -> None:
    check("rerank-routes", routes_of("rerank"))


def check_moderation_routes() -> None:
    check("moderation-routes", routes_of("moderation"))


def check_gemini_routes() -> None:
    in_every_version("gemini-routes", "gemini")


def check_gemini_live_routes() -> None:
    (live,) = (each for each in PROTOCOLS if each.name == "gemini_live")
    check("gemini-live-routes", [*live.sockets, *(f"{side.method} {side.template}" for side in live.sides)])


def check_interactions_routes() -> None:
    in_every_version("interactions-routes", "gemini_interactions")


def check_interactions_errors() -> None:
    told = {int(row[0][:3]): code(row[1])[0] for row in TABLES["interactions-errors"]}
    assert told == CODES


def in_every_version(table: str, family: str) -> None:
    """Each route in every version of Google's APIs."""
    served = [each for each in PROTOCOLS if each.name.split(".")[0] == family]
    told = [f"{route.method} {route.template}" for each in served for route in (*each.routes, *each.sides)]
    versions = ("v1", "v1beta", "v1beta1", "v1alpha")
    documented = [route.replace("{version}", version) for route in firsts(table) for version in versions]
    assert sorted(documented) == sorted(told)


def check_openrouter_routes() -> None:
    check("openrouter-routes", routes_of("openrouter"))


def check_providers() -> None:
    shown = [(code(name)[0], tuple(code(bases)), code(known)) for name, bases, known in TABLES["providers"]]
    bases = {each.name: tuple(base for base in each.bases if base) for each in PROVIDERS}
    assert shown == [(each.name, bases[each.name], [start for _, start in each.known_by]) for each in PROVIDERS]


def routes_of(provider: str) -> list[str]:
    """All that the registry has for a provider's protocols."""
    protocols = [each for each in PROTOCOLS if re.match(rf"{provider}(_|\.|\Z)", each.name)]
    chats = [f"{method} {template}" for registered in protocols for method, template in registered.routes]
    return chats + [f"{method} {template}" for registered in protocols for method, template, _ in registered.sides]


def check_not_reasoning() -> None:
    check("not-reasoning", NOT_REASONING)


def check_profiles() -> None:
    documented = [
        StreamingProfile(ttft=float(ttft), tps=float(tps), jitter=float(jitter))
        for _, ttft, tps, jitter, _ in TABLES["profiles"]
    ]
    assert dict(zip(firsts("profiles"), documented, strict=True)) == PROFILES


def check_profile_keys() -> None:
    check("profile-keys", PROFILE_KEYS)


def check_chaos_keys() -> None:
    check("chaos-keys", CHAOS_KEYS)
    headers = [each for row in TABLES["chaos-keys"] for each in code(row[1]) if each.startswith("x-")]
    assert headers == list(steering._CHAOS)
    flags = [flag for row in TABLES["chaos-keys"] for flag in code(row[2])]
    assert flags == [f"--chaos-{kind}" for kind in (*CHAOS_FLAGS, "fault", "websocket")]


def check_faults() -> None:
    documented = {code(row[0])[0]: {*code(row[1]), "rate", "times"} for row in TABLES["faults"]}
    assert list(documented) == list(FaultName)
    assert documented == PARAMETERS_OF


def check_fault_parameters() -> None:
    check("fault-parameters", set().union(*PARAMETERS_OF.values()))
    defaults = dict(zip(firsts("fault-parameters"), (row[1] for row in TABLES["fault-parameters"]), strict=True))
    assert defaults["rate"] == f"{Fault(FaultName.DROP).rate:g}"
    assert int(defaults["afterChunks"]) == faults._DEFAULT_AFTER
    assert int(defaults["delayMs"]) == faults._DEFAULT_DELAY_MS
    assert (int(defaults["size"]), int(defaults["gapMs"])) == (faults._DEFAULT_SIZE, faults._DEFAULT_GAP_MS)
    (words,) = (code(row[2]) for row in TABLES["fault-parameters"] if code(row[0]) == ["retryAfter"])
    assert words == list(RETRY_AFTER_WORDS)


def check_quota_keys() -> None:
    check("quota-keys", quotas._FIELDS)


def check_control_routes() -> None:
    routes = [f"{method} /__aimock{path}" for method, path in control._ROUTES]
    of_one = [f"{method} /__aimock/services/PATH" for method in control._OF_ONE_SERVICE]
    check("control-routes", [*routes, *of_one, "GET /v1/_requests", "DELETE /v1/_requests"])


def check_vector_keys() -> None:
    check("vector-keys", vector_section._SECTION)


def check_vector_collection_keys() -> None:
    check("vector-collection-keys", vector_section.COLLECTION)


def check_qdrant_routes() -> None:
    check("qdrant-routes", [f"{route.method} {route.template}" for route in Qdrant.routes])


def check_vector_record_keys() -> None:
    check("vector-record-keys", vector_written.RECORD)


def check_journal_filters() -> None:
    check("journal-filters", [*control._FILTERS, "limit", "offset"])


def check_flags() -> None:
    actions = [action for action in parser_of()._actions if action.help != argparse.SUPPRESS]
    documented = [each.partition(" ")[0] for each in firsts("flags")]
    assert documented == [option for action in actions for option in action.option_strings]


def check_config_keys() -> None:
    check("config-keys", config_keys.KEYS)
    flags = {flag for row in TABLES["config-keys"] for flag in code(row[2])}
    assert flags <= {each.partition(" ")[0] for each in firsts("flags")}


def check_provider_names() -> None:
    assert {name for row in TABLES["provider-names"] for name in code(row[0])} == set(NAMES)


def check_record_keys() -> None:
    check("record-keys", record_schema()["properties"])


def check_environment() -> None:
    sources = [file.read_text("utf-8") for file in (ROOT / "aimock").rglob("*.py")]
    check("environment", {name for text in sources for name in re.findall(r"\bAIMOCK_[A-Z_]+\b", text)})


def check_aimock_options() -> None:
    shown = {code(row[0])[0]: code(row[1])[0] for row in TABLES["aimock-options"]}
    parameters = list(inspect.signature(AIMock).parameters.values())
    defaults = {each.name: "time.time" if each.default is time.time else repr(each.default) for each in parameters}
    assert shown == defaults


def check_aimock_members() -> None:
    documented = {name.partition("(")[0]: name for name in firsts("aimock-members")}
    assert sorted(documented) == sorted(name for name in dir(AIMock) if not name.startswith("_"))
    for name, call in documented.items():
        member = getattr(AIMock, name)
        assert callable(member) == call.endswith(")"), call
        if callable(member) and not call.endswith("(…)"):
            assert call == f"{name}({shown_parameters(member)})"


def shown_parameters(function: Callable[..., Any]) -> str:
    """The parameters of a method as the table has them: with their defaults, without types."""
    signature = inspect.signature(function)
    parameters = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    parameters = [each for each in parameters if each.name != "self"]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))[1:-1]


def check_metrics() -> None:
    metrics = Metrics(lambda: 1)
    metrics.request("GET", "/", "200", 0.1)
    metrics.chaos_triggered("drop", "fixture")
    metrics.chaos_bypassed("malformed", "proxy", "sse_streamed")
    metrics.service_request("mcp", {"method": "tools/call"})
    kinds = dict(re.findall(r"# TYPE (\S+) (\S+)", metrics.exposition()))
    assert {code(row[0])[0]: row[1] for row in TABLES["metrics"]} == kinds
    for row in TABLES["metrics"]:
        labels = re.search(rf"(?m)^{code(row[0])[0]}(?:_count)?{{(.*?)}}", metrics.exposition())
        assert labels is not None
        assert code(row[2]) == re.findall(r"(\w+)=", labels[1])


def check_credentials() -> None:
    check("credentials", CREDENTIAL_HEADERS | {f"?{key}=" for key in CREDENTIAL_QUERY_KEYS})


def check_pytest_options() -> None:
    text = inspect.getsource(pytest_settings.add_options)
    check("pytest-options", re.findall(r'"(--[\w-]+)"', text))
    keys = [each for row in TABLES["pytest-options"] for each in code(row[1])]
    assert sorted(keys) == sorted(re.findall(r'addini\("(\w+)"', text))


def check_sdk_variables() -> None:
    documented = [each for row in TABLES["sdk-variables"] for each in code(row[1])]
    if_absent = sdks.AWS_KEYS | sdks.API_VERSION
    assert sorted(documented) == sorted([*environment.of_sdks(""), *if_absent])


def check_record_providers() -> None:
    rows = TABLES["record-providers"]
    documented = {provider: code(row[1]) for row in rows for provider in code(row[0])}
    assert documented == {sdk.provider: list(sdk.urls) for sdk in sdks._SDKS}
    everywhere = {provider: code(row[2]) for row in rows for provider in code(row[0])}
    assert all(
        not said or said[0] == place.url for name, place in sdks.places({}).items() for said in [everywhere[name]]
    )


def check_price_keys() -> None:
    check("price-keys", prices._KEYS)


def check_limits() -> None:
    shown = {code(row[0])[0]: float(code(row[1])[0]) for row in TABLES["limits"]}
    assert shown == {field.name: field.default for field in attrs.fields(Limits)}


def check_bench_rows() -> None:
    check("bench-rows", [file.stem for file in (ROOT / "bench" / "rows").glob("[!_]*.py")])


def check_folders() -> None:
    documented = firsts("folders")
    named = [path for path in documented if path.startswith(("aimock/", "protocols/")) or path.endswith("/")]
    assert all((ROOT / path).exists() for path in named), named
    modules = {f"aimock/{file.name}" for file in (ROOT / "aimock").glob("[!_]*.py")}
    rooms = {f"aimock/{file.parent.name}/" for file in (ROOT / "aimock").glob("*/__init__.py")}
    assert {path for path in named if path.startswith("aimock/")} == modules | rooms


CHECKS: dict[str, Callable[[], None]] = {
    name.removeprefix("check_").replace("_", "-"): check
    for name, check in list(globals().items())
    if name.startswith("check_")
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_table_says_what_the_code_says(name: str) -> None:
    """core-lessons G6"""
    CHECKS[name]()


def test_every_table_that_says_so_is_checked() -> None:
    assert TABLES.keys() == CHECKS.keys()


def test_the_where_expressions_can_be_read() -> None:
    text = (ROOT / "docs" / "fixtures.md").read_text("utf-8")
    section = text[text.index("### where") : text.index("## Which one answers")]
    expressions = [row.split(" | ")[1] for row in section.splitlines() if row.startswith("| ") and "[?" in row]
    assert len(expressions) >= 6
    for expression in expressions:
        Expression(expression.rstrip("| ").strip("` "))


# -- links -------------------------------------------------------------------------------------------------------------


def anchors_of(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]+`", "", page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


def test_the_index_lists_every_page() -> None:
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"({page.name})" not in text] == ["index.md"]
