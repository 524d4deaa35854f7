"""A2A as values: what is read and written, held against the official SDK's own parsers and conversions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.compat.v0_3 import conversions, types
from a2a.types import a2a_pb2 as pb
from a2a.utils._jcs import canonicalize
from a2a.utils.errors import A2A_ERROR_MAPPING, JSON_RPC_ERROR_CODE_MAP
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.a2a import legacy, schema
from aimock_protocols.a2a.bindings import JsonRpc, Rest
from aimock_protocols.a2a.card import canonical
from aimock_protocols.a2a.errors import BY_CODE, A2AError
from aimock_protocols.a2a.operations import METHODS, ROUTES, Operation, Routed, asked, by_path, by_route
from aimock_protocols.a2a.task import Task, listed
from aimock_protocols.a2a.versions import Version, version_of

# -- what the SDK's messages look like -------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
STRUCTS = st.dictionaries(WORDS, JSON, min_size=1, max_size=3)


def objects(required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]) -> Any:
    return st.fixed_dictionaries(required, optional=optional)


FILES = {"filename": WORDS, "mediaType": WORDS}
PARTS = st.one_of(
    objects({"text": WORDS}, {"metadata": STRUCTS}),
    objects({"data": STRUCTS | WORDS | st.lists(JSON, max_size=2)}, {"metadata": STRUCTS}),
    objects({"raw": st.sampled_from(["", "AAEC", "aGk="])}, {"metadata": STRUCTS, **FILES}),
    objects({"url": WORDS}, {"metadata": STRUCTS, **FILES}),
)
MESSAGES = objects(
    {"messageId": WORDS, "role": st.sampled_from(schema.ROLES), "parts": st.lists(PARTS, min_size=1, max_size=3)},
    {
        "contextId": WORDS,
        "taskId": WORDS,
        "metadata": STRUCTS,
        "extensions": st.lists(WORDS, min_size=1, max_size=2),
        "referenceTaskIds": st.lists(WORDS, min_size=1, max_size=2),
    },
)
ARTIFACTS = objects(
    {"artifactId": WORDS, "parts": st.lists(PARTS, min_size=1, max_size=2)},
    {"name": WORDS, "description": WORDS, "metadata": STRUCTS},
)
STATUSES = objects(
    {"state": st.sampled_from(schema.STATES), "timestamp": st.just("2026-01-01T00:00:00.250Z")}, {"message": MESSAGES}
)
TASKS = objects(
    {"id": WORDS, "contextId": WORDS, "status": STATUSES},
    {
        "history": st.lists(MESSAGES, min_size=1, max_size=2),
        "artifacts": st.lists(ARTIFACTS, min_size=1, max_size=2),
        "metadata": STRUCTS,
    },
)
PUSHES = objects(
    {"taskId": WORDS, "id": WORDS, "url": WORDS},
    {"token": WORDS, "authentication": objects({"scheme": WORDS}, {"credentials": WORDS})},
)


@given(MESSAGES, st.none() | st.integers(1, 99), st.booleans())
def test_a_request_of_0_3_is_read_as_the_sdk_reads_it(message: Any, history: int | None, now: bool) -> None:
    configuration = (
        {"returnImmediately": now} if history is None else {"returnImmediately": now, "historyLength": history}
    )
    new = ParseDict({"message": message, "configuration": configuration}, pb.SendMessageRequest())
    old = conversions.to_compat_send_message_request(new, 1).params.model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    read = asked(Operation.SEND, Version.V0_3, old).params
    assert ParseDict(read, pb.SendMessageRequest()) == new


@given(TASKS)
def test_a_task_is_written_for_0_3_as_the_sdk_reads_it(task: Any) -> None:
    written = json.loads(json.dumps(legacy.written_task(task)))
    assert conversions.to_core_task(types.Task.model_validate(written)) == ParseDict(task, pb.Task())


@given(ARTIFACTS, st.booleans(), st.booleans())
def test_an_artifact_event_for_0_3(artifact: Any, append: bool, last: bool) -> None:
    told = {"taskId": "t", "contextId": "c", "artifact": artifact, "append": append, "lastChunk": last}
    written = legacy.written_event({"artifactUpdate": told})
    event = types.TaskArtifactUpdateEvent.model_validate(written)
    assert conversions.to_core_task_artifact_update_event(event) == ParseDict(told, pb.TaskArtifactUpdateEvent())


@given(STATUSES)
def test_a_status_event_for_0_3(status: Any) -> None:
    told = {"taskId": "t", "contextId": "c", "status": status}
    event = types.TaskStatusUpdateEvent.model_validate(legacy.written_event({"statusUpdate": told}))
    assert conversions.to_core_task_status_update_event(event) == ParseDict(told, pb.TaskStatusUpdateEvent())


@given(PUSHES)
def test_a_push_configuration_goes_to_0_3_and_back(config: Any) -> None:
    written = legacy.written_push(config)
    validated = types.TaskPushNotificationConfig.model_validate(written)
    parsed = ParseDict(config, pb.TaskPushNotificationConfig())
    assert conversions.to_core_task_push_notification_config(validated) == parsed
    assert asked(Operation.CREATE_PUSH, Version.V0_3, written).params == config


@given(MESSAGES)
def test_a_good_message_is_read_as_it_is(message: Any) -> None:
    assert schema.MESSAGE.read(message) == message
    by_proto_names = MessageToDict(ParseDict(message, pb.Message()), preserving_proto_field_name=True)
    assert ParseDict(schema.MESSAGE.read(by_proto_names), pb.Message()) == ParseDict(message, pb.Message())


@given(st.sampled_from(Operation), st.sampled_from(Version), st.dictionaries(WORDS, JSON) | MESSAGES)
def test_whatever_comes_is_read_or_refused(operation: Operation, version: Version, params: Any) -> None:
    if version is Version.V0_3 and operation is Operation.LIST:
        return  # which it does not have
    for given_params in (params, {"message": params}, {"message": params, "configuration": params}):
        error = None
        try:
            json.dumps(asked(operation, version, given_params).params)
        except A2AError as refusal:
            error = refusal
        assert error is None or (error.kind.code == -32602 and error.violations)


# -- tables ----------------------------------------------------------------------------------------------------------


def test_errors_are_those_of_the_sdk() -> None:
    for error, code in JSON_RPC_ERROR_CODE_MAP.items():
        kind = BY_CODE[code]
        if error in A2A_ERROR_MAPPING:
            assert (kind.status, kind.rpc_status, kind.reason) == A2A_ERROR_MAPPING[error]
        assert kind.message == error.message


def test_methods_are_those_of_the_sdk() -> None:
    from a2a.server.routes.jsonrpc_dispatcher import JSONRPC03Adapter, JsonRpcDispatcher

    assert METHODS.keys() == JsonRpcDispatcher.METHOD_TO_MODEL.keys() | JSONRPC03Adapter.METHOD_TO_MODEL.keys()


def test_required_fields_are_those_of_the_proto() -> None:
    from google.api import field_behavior_pb2

    shapes = {
        "SendMessageRequest": schema.SEND,
        "Message": schema.MESSAGE,
        "GetTaskRequest": schema.GET_TASK,
        "ListTasksRequest": schema.LIST_TASKS,
        "CancelTaskRequest": schema.CANCEL,
        "SubscribeToTaskRequest": schema.SUBSCRIBE,
        "GetTaskPushNotificationConfigRequest": schema.PUSH_ID,
        "DeleteTaskPushNotificationConfigRequest": schema.PUSH_ID,
        "ListTaskPushNotificationConfigsRequest": schema.LIST_PUSHES,
        "GetExtendedAgentCardRequest": schema.EXTENDED_CARD,
        "Part": schema.PART,
        "TaskPushNotificationConfig": schema.PUSH_CONFIG,
    }
    for name, shape in shapes.items():
        fields = pb.DESCRIPTOR.message_types_by_name[name].fields
        required = {
            field.json_name
            for field in fields
            if field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        }
        assert shape.required.keys() == required, name
        assert shape.required.keys() | shape.optional.keys() == {field.json_name for field in fields}, name


@pytest.mark.parametrize(
    ("method", "path", "operation", "params"),
    [
        ("POST", "/message:send", Operation.SEND, {}),
        ("GET", "/tasks/a%2Fb", Operation.GET, {"id": "a/b"}),
        ("GET", "/tasks/a:b", Operation.GET, {"id": "a:b"}),
        ("GET", "/tasks/a:subscribe", Operation.SUBSCRIBE, {"id": "a"}),
        ("POST", "/tasks/a:cancel", Operation.CANCEL, {"id": "a"}),
        ("DELETE", "/tasks/a/pushNotificationConfigs/b", Operation.DELETE_PUSH, {"taskId": "a", "id": "b"}),
    ],
)
def test_paths(method: str, path: str, operation: Operation, params: dict[str, str]) -> None:
    assert by_path(method, path) == Routed(operation, params)
    assert by_path("TRACE", path) == {route.method for route in ROUTES if route.path.fullmatch(path)}


def test_what_the_path_says_counts() -> None:
    routed = by_path("GET", "/tasks/a")
    assert isinstance(routed, Routed)
    assert by_route(routed, "historyLength=2&id=b", {"id": "c"}).params == {"id": "a", "historyLength": 2}


@pytest.mark.parametrize(
    ("text", "version"),
    [("", Version.V0_3), (" ", Version.V0_3), ("0.3", Version.V0_3), ("0.3.7", Version.V0_3), ("1.0", Version.V1)]
    + [(text, None) for text in ("1", "1.1", "2.0", "v1.0", "1.0-rc", "0.2.6")],
)
def test_versions(text: str, version: Version | None) -> None:
    assert version_of(text) is version


def test_an_error_in_each_binding_and_version() -> None:
    error = A2AError(BY_CODE[-32001], metadata={"taskId": "x"})
    assert (JsonRpc().failure(error).status, Rest().failure(error).status) == (200, 404)
    assert (JsonRpc().failure(error, 503).status, Rest().failure(error, 503).status) == (503, 503)
    assert json.loads(Rest().failure(error, 503).body)["error"]["code"] == 503
    assert JsonRpc(Version.V1, 1).failure_event(error).startswith(b"event: error\ndata: {")
    assert JsonRpc(Version.V0_3, 1).failure_event(error).startswith(b"data: {")


# -- canonical JSON, lists -------------------------------------------------------------------------------------------


@given(
    st.recursive(
        st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    )
)
def test_canonical_json_is_the_sdks(value: Any) -> None:
    try:
        expected = canonicalize(value)
    except ValueError:  # text that is no Unicode
        return
    assert canonical(value) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"])), max_size=12), st.integers(1, 5))
def test_pages_are_the_list_cut_up(given_tasks: list[tuple[int, str]], size: int) -> None:
    tasks = [
        Task(f"t{number}", context, "TASK_STATE_WORKING", 1000.0 + time / 4, number)
        for number, (time, context) in enumerate(given_tasks)
    ]
    whole = listed(tasks, {"pageSize": 100, "contextId": "a"})["tasks"]
    assert whole == listed(tasks[::-1], {"pageSize": 100, "contextId": "a"})["tasks"]
    stamps = [task["status"]["timestamp"] for task in whole]
    assert stamps == sorted(stamps, reverse=True)
    pages: list[Any] = []
    token = ""
    while True:
        page = listed(tasks, {"pageSize": size, "contextId": "a", "pageToken": token})
        assert page["totalSize"] == len(whole)
        pages += page["tasks"]
        token = page["nextPageToken"]
        if not token:
            break
        assert len(page["tasks"]) == size
    assert pages == whole


def test_what_was_told_as_a_timestamp_can_be_asked_for() -> None:
    tasks = [Task(str(number), "c", "TASK_STATE_WORKING", 1000 + number / 1000, number) for number in range(3)]
    told = tasks[1].status()["timestamp"]
    after = asked(Operation.LIST, Version.V1, {"statusTimestampAfter": told}).params
    assert [task["id"] for task in listed(tasks, after)["tasks"]] == ["2", "1"]
