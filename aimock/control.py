"""The control API under `/__aimock` (spec: core-server §5), and the journal under its older path `/v1/_requests`.

Errors here have a plain string under `error`; they are this server's own and resemble no provider's.
"""

from __future__ import annotations

import functools
import logging
import re
import urllib.parse
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any

import orjson

from aimock.chaos import chaos_from_json, chaos_to_json
from aimock.exchange import Exchange
from aimock.fixtures import DEFAULT_TEST_ID, Fixture, FixtureError, describe, entries_from_json, make_fixture
from aimock.injected import TooManyErrors
from aimock.journal import Entry
from aimock.net.exchange import Whole
from aimock.redaction import CREDENTIAL_QUERY_KEYS
from aimock.routing import CONTROL_PREFIX
from aimock.steering import query_value

if TYPE_CHECKING:
    from aimock.surfaces.mounted import Mounted

logger = logging.getLogger("aimock")

_DEPRECATION = "POST /__aimock/reset/fixtures is deprecated: use /__aimock/reset, or /__aimock/reset/journal."


class ControlError(Exception):
    """A control request that cannot be done; the text names the field or parameter."""

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message)
        self.more = more


def answer(exchange: Exchange) -> Whole:
    """Whatever lies under the prefix."""
    path = exchange.head.path.removeprefix(CONTROL_PREFIX)
    route = _ROUTES.get((exchange.head.method, path))
    if route is None and path.startswith(_SERVICES) and exchange.head.method in _OF_ONE_SERVICE:
        route = functools.partial(_OF_ONE_SERVICE[exchange.head.method], path.removeprefix(_SERVICES))
    if route is None:
        message = f"Unknown control route: {exchange.head.method} {exchange.head.path}"
        return exchange.json(404, {"error": {"message": message, "type": "not_found"}})
    try:
        return route(exchange)
    except ControlError as error:
        return exchange.json(400, {"error": str(error), **error.more})


# -- fixtures ------------------------------------------------------------------------------------------------------


def _count_fixtures(exchange: Exchange) -> Whole:
    parameters = _query(exchange, {"include"})
    book = exchange.state.book
    body: dict[str, Any] = {"count": len(book)}
    include = parameters.get("include")
    if include == "fixtures":
        body["fixtures"] = [_summary(index, describe(fixture)) for index, fixture in enumerate(book.fixtures)]
        for shown, fixture in zip(body["fixtures"], book.fixtures, strict=True):
            shown["responseKind"] = fixture.response.kind
    elif include is not None:
        raise ControlError(f'include: expected "fixtures", got "{include}"')
    return exchange.json(200, body)


def _summary(index: int, shown: Mapping[str, Any]) -> dict[str, Any]:
    return {"index": index} | {key: shown[key] for key in ("match", "latency", "chaos") if key in shown}


def _add_fixtures(exchange: Exchange) -> Whole:
    entries = _body(exchange).get("fixtures")
    if not isinstance(entries, list):
        raise ControlError('Missing or invalid "fixtures": expected an array')
    try:
        fixtures = entries_from_json(entries)
    except FixtureError as error:
        details = [
            {"severity": finding.severity, "fixtureIndex": finding.fixture_index, "message": finding.message}
            for finding in error.findings
            if finding.severity == "error"
        ]
        raise ControlError("Validation failed", details=details) from error
    exchange.state.book.append(fixtures)
    return exchange.json(200, {"added": len(fixtures)})


def _clear_fixtures(exchange: Exchange) -> Whole:
    exchange.state.clear_fixtures()
    return exchange.json(200, {"cleared": True})


# -- reset and errors ----------------------------------------------------------------------------------------------


def _reset(exchange: Exchange) -> Whole:
    exchange.state.reset()
    return exchange.json(200, {"reset": True})


def _reset_journal(exchange: Exchange) -> Whole:
    exchange.state.journal.clear()
    return exchange.json(200, {"reset": True})


def _reset_fixtures(exchange: Exchange) -> Whole:
    exchange.state.reset()
    body = {"reset": True, "deprecated": True, "deprecation": _DEPRECATION}
    return exchange.json(200, body, (("deprecation", "true"),))


def _queue_error(exchange: Exchange) -> Whole:
    try:
        exchange.state.injected.add(injected_error(_body(exchange)), _scope(exchange))
    except TooManyErrors as error:
        raise ControlError(str(error)) from error
    return exchange.json(200, {"queued": True})


def injected_error(body: Mapping[str, Any]) -> Fixture:
    """A fixture with the error that `{"status", "body": {"message", "type", "code"}}` asks for. Raises ControlError."""
    status = body.get("status", 500)
    if type(status) is not int or not 200 <= status <= 999:
        raise ControlError(f"status: expected an integer from 200 to 999, got {_shown(status)}")
    details = body.get("body", {})
    if not isinstance(details, dict):
        raise ControlError(f"body: expected an object, got {_shown(details)}")
    for key in ("message", "type", "code"):
        if not isinstance(details.get(key), str | None):
            raise ControlError(f"body.{key}: expected a string, got {_shown(details[key])}")
    told = {key: details[key] for key in ("type", "code") if details.get(key) is not None}
    error = {"message": details.get("message") or "Injected error", **told}
    return make_fixture({"match": {}, "response": {"error": error, "status": status}})


# -- chaos ---------------------------------------------------------------------------------------------------------


def _show_chaos(exchange: Exchange) -> Whole:
    """What holds for the scope of the request: its test id, or all."""
    return exchange.json(200, {"chaos": chaos_to_json(exchange.state.chaos.at(_chaos_scope(exchange)).chaos)})


def _install_chaos(exchange: Exchange) -> Whole:
    scope = _chaos_scope(exchange)
    before = chaos_to_json(exchange.state.chaos.at(scope).chaos)
    given = _body(exchange)
    try:
        installed = chaos_from_json(given)
        exchange.state.chaos.install(installed, scope)
    except ValueError as error:
        raise ControlError(str(error)) from error
    gone = [field for field in before if field not in chaos_to_json(installed)]
    if gone:
        logger.warning("chaos was replaced, and says nothing of %s any more", ", ".join(gone))
    return _show_chaos(exchange)


def _forget_chaos(exchange: Exchange) -> Whole:
    exchange.state.chaos.forget(_chaos_scope(exchange))
    return _show_chaos(exchange)


def _chaos_scope(exchange: Exchange) -> str | None:
    if exchange.head.headers.get("x-test-id", "-").strip() == "":
        raise ControlError("X-Test-Id: expected a test id, or no such header")
    return _scope(exchange)


# -- services ------------------------------------------------------------------------------------------------------


def _list_services(exchange: Exchange) -> Whole:
    mounts = exchange.state.mounts
    listed = [{"path": path, "name": service.name, "health": service.health()} for path, service in mounts]
    return exchange.json(200, {"services": listed})


def _show_service(path: str, exchange: Exchange) -> Whole:
    """What is in the service that is mounted there."""
    service = exchange.state.mounts.named(path)
    if service is None:
        raise _not_mounted(path, exchange)
    try:
        return exchange.json(200, service.shown(_query(exchange, service.shows)))
    except ValueError as error:
        raise ControlError(str(error)) from error


def _change_service(path: str, exchange: Exchange) -> Whole:
    """Adds to the service that is mounted there what a config file's section could have; or empties it."""
    mounts = exchange.state.mounts
    service = mounts.named(path)
    if service is not None:
        try:
            return exchange.json(200, {"added": service.add(_body(exchange))})
        except ValueError as error:
            raise ControlError(str(error)) from error
    mount, slash, command = path.rpartition("/")
    service = mounts.named(mount) if slash and command in _COMMANDS else None
    if service is None:
        raise _not_mounted(path, exchange)
    return _COMMANDS[command](service, exchange)


def _not_mounted(path: str, exchange: Exchange) -> ControlError:
    known = ", ".join(mounted for mounted, _ in exchange.state.mounts) or "none"
    return ControlError(f"No service is mounted at /{path}; there are: {known}")


def _reset_service(service: Mounted, exchange: Exchange) -> Whole:
    service.reset()
    return exchange.json(200, {"reset": True})


def _command_oauth(service: Mounted, exchange: Exchange) -> Whole:
    """Tells the service's authorization server what is to happen to tokens and requests."""
    from aimock.surfaces.oauth.commands import obey  # for those who guard a service

    try:
        return exchange.json(200, obey(service.guard, _body(exchange), exchange.state.settings.wall_clock()))
    except ValueError as error:
        raise ControlError(str(error)) from error


_COMMANDS: Mapping[str, Callable[[Mounted, Exchange], Whole]] = {"reset": _reset_service, "oauth": _command_oauth}
"""What a service can be told, by the last part of the path."""


# -- the journal ---------------------------------------------------------------------------------------------------


def _whole_number(name: str, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,18}", text) is None:
        raise ControlError(f"{name}: expected a whole number, got {_shown(text)}")
    return int(text)


_FILTERS: dict[str, Callable[[Entry, dict[str, Any], str], bool]] = {
    "path": lambda entry, shown, value: value in shown["path"],
    "method": lambda entry, shown, value: shown["method"].upper() == value.upper(),
    "status": lambda entry, shown, value: shown["response"]["status"] == _whole_number("status", value),
    "service": lambda entry, shown, value: shown.get("service") == value,
    "testId": lambda entry, shown, value: entry.plan.steering.test_id == value,
    "requestId": lambda entry, shown, value: shown["headers"].get("x-request-id") == value,
}
"""Entries as they are shown: what is redacted cannot be searched for."""


def _read_journal(exchange: Exchange) -> Whole:
    parameters = _query(exchange, {"limit", "offset", *_FILTERS})
    if "status" in parameters:
        _whole_number("status", parameters["status"])  # said even if there is no entry to compare
    offset = _whole_number("offset", parameters.get("offset", "0"))
    limit = _whole_number("limit", parameters["limit"]) if "limit" in parameters else None
    filters = [(_FILTERS[name], value) for name, value in parameters.items() if name in _FILTERS]
    entries = [
        shown
        for entry, shown in [(entry, entry.to_json()) for entry in exchange.state.journal]
        if all(passes(entry, shown, value) for passes, value in filters)
    ]
    page = entries[offset:] if limit is None else entries[offset : offset + limit]
    return exchange.json(200, page, (("x-total-count", str(len(entries))),))


def list_requests(exchange: Exchange) -> Whole:
    """`GET /v1/_requests`: the journal, or its last `limit` entries."""
    limit = query_value(exchange.head.query, "limit")
    entries = [entry.to_json() for entry in exchange.state.journal]
    if limit:
        leading = re.match(r"\s*[+]?([0-9]{1,18})", limit)  # as leniently as the reference reads it
        if leading is None or int(leading[1]) == 0:
            message = f"Invalid limit: {_shown(limit)} is not an integer above 0"
            return exchange.json(400, {"error": {"message": message, "type": "invalid_request_error"}})
        entries = entries[-int(leading[1]) :]
    return exchange.json(200, entries)


def clear_requests(exchange: Exchange) -> Whole:
    """`DELETE /v1/_requests`: entries only; sequences stay where they are."""
    exchange.state.journal.clear()
    return Whole(204, exchange.json(204, None).headers, b"", exchange.fresh_headers)


def _health(exchange: Exchange) -> Whole:
    return exchange.json(200, {"status": "ok"})


_SERVICES = "/services/"
_OF_ONE_SERVICE: Mapping[str, Callable[[str, Exchange], Whole]] = {"GET": _show_service, "POST": _change_service}

_ROUTES: dict[tuple[str, str], Callable[[Exchange], Whole]] = {
    ("GET", "/health"): _health,
    ("GET", "/journal"): _read_journal,
    ("GET", "/fixtures"): _count_fixtures,
    ("POST", "/fixtures"): _add_fixtures,
    ("DELETE", "/fixtures"): _clear_fixtures,
    ("POST", "/reset"): _reset,
    ("POST", "/reset/journal"): _reset_journal,
    ("POST", "/reset/fixtures"): _reset_fixtures,
    ("POST", "/error"): _queue_error,
    ("GET", "/chaos"): _show_chaos,
    ("POST", "/chaos"): _install_chaos,
    ("DELETE", "/chaos"): _forget_chaos,
    ("GET", "/services"): _list_services,
}

PATHS = frozenset(CONTROL_PREFIX + path for _, path in _ROUTES)
"""Of the control API."""


# -- reading requests ----------------------------------------------------------------------------------------------


def _body(exchange: Exchange) -> dict[str, Any]:
    try:
        body = orjson.loads(exchange.request.body)
    except orjson.JSONDecodeError as error:
        raise ControlError(f"Malformed JSON: {error}") from error
    if not isinstance(body, dict):
        raise ControlError(f"Request body must be a JSON object, got {_shown(body)}")
    return body


def _query(exchange: Exchange, known: Set[str]) -> dict[str, str]:
    parameters = dict(urllib.parse.parse_qsl(exchange.head.query, keep_blank_values=True))
    if exchange.state.settings.api_keys:
        for name in CREDENTIAL_QUERY_KEYS:
            parameters.pop(name, None)  # it has let the request in
    unknown = next((name for name in parameters if name not in known), None)
    if unknown is not None:
        listed = f"one of {', '.join(sorted(known))}" if known else "none"
        raise ControlError(f"{unknown}: unknown parameter; expected {listed}")
    return parameters


def _scope(exchange: Exchange) -> str | None:
    """The test id that the request names, if it names one."""
    return exchange.steering.test_id if exchange.steering.test_id != DEFAULT_TEST_ID else None


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()[:80]
