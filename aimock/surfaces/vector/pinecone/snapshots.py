"""The control plane's copies of indexes: collections, backups, restored indexes. Each is a collection of the store,
which no index is taken for by its scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone.places import (
    ACCEPTED,
    DIALECT,
    copied,
    index_named,
    index_of,
    namespaces_of,
)
from aimock.surfaces.vector.store import Collection
from aimock_protocols import rfc3339
from aimock_protocols.canonical import ErrorReply, WireError
from aimock_protocols.pinecone import snapshots as wire
from aimock_protocols.pinecone.errors import not_found, refusal
from aimock_protocols.pinecone.index_requests import read_restoration

_COLLECTIONS = "pinecone/collections"
_BACKUPS = "pinecone/backups"
_BACKUP = "backup"
"""In a backup's metadata: what is kept of it."""
_JOBS = "pineconeRestoreJobs"
"""In the store's notes: the jobs, the last at the end."""
_MAX_JOBS = 1000


# -- collections -------------------------------------------------------------------------------------------------------


def _create_collection(call: Call) -> Answer:
    name, source = wire.read_collection(call.body())
    of = index_named(call, source)
    index = attrs.evolve(index_of(of), name=name)
    made = copied(call, of, index, "collection", _COLLECTIONS)
    return call.reply(201, wire.described_collection(index, _held(made)))


def _list_collections(call: Call) -> Answer:
    known = call.store.of(DIALECT, _COLLECTIONS)
    return call.reply(200, {"collections": [wire.described_collection(index_of(each), _held(each)) for each in known]})


def _describe_collection(call: Call) -> Answer:
    found = collection_named(call, call.params["name"])
    return call.reply(200, wire.described_collection(index_of(found), _held(found)))


def _delete_collection(call: Call) -> Answer:
    call.store.drop(collection_named(call, call.params["name"]))
    return call.respond(ACCEPTED)


def collection_named(call: Call, name: str) -> Collection:
    """Raises WireError if there is none."""
    found = call.collection(name, _COLLECTIONS)
    if found is None:
        raise not_found(f"Collection {name}")
    return found


# -- backups -----------------------------------------------------------------------------------------------------------


def _create_backup(call: Call) -> Answer:
    source = index_named(call, call.params["name"])
    backup = wire.read_backup(call.body(), source.name, source.id)
    index = attrs.evolve(index_of(source), name=call.exchange.stamp.uuid("backup"))
    made = copied(call, source, index, "backup", _BACKUPS)
    made.metadata[_BACKUP] = attrs.asdict(backup)
    made.changed()
    return call.reply(201, _backup_told(made))


def _list_backups(call: Call) -> Answer:
    return _backups_told(call, call.store.of(DIALECT, _BACKUPS))


def _list_backups_of_index(call: Call) -> Answer:
    name = call.params["name"]
    active = call.collection(name)
    of_name = [each for each in call.store.of(DIALECT, _BACKUPS) if _backup(each).source_index_name == name]
    if call.query.get("include_deleted", [""])[-1] == "true":
        if active is None and not of_name:
            raise not_found(f"Index {name}")
        return _backups_told(call, of_name)
    active_id = index_named(call, name).id
    return _backups_told(call, [each for each in of_name if _backup(each).source_index_id == active_id])


def _describe_backup(call: Call) -> Answer:
    return call.reply(200, _backup_told(_backup_named(call)))


def _delete_backup(call: Call) -> Answer:
    call.store.drop(_backup_named(call))
    return call.respond(ACCEPTED)


def _backups_told(call: Call, backups: Iterable[Collection]) -> Answer:
    by_id = {each.name: each for each in backups}
    shown = wire.asked_page(sorted(by_id), call.query)
    return call.reply(200, {"data": [_backup_told(by_id[key]) for key in shown.keys], **shown.pagination})


def _backup_told(made: Collection) -> dict[str, Any]:
    return wire.described_backup(made.name, _backup(made), index_of(made), _held(made), made.created)


def _backup(made: Collection) -> wire.Backup:
    return wire.Backup(**made.metadata[_BACKUP])


def _backup_named(call: Call) -> Collection:
    found = call.collection(call.params["id"], _BACKUPS)
    if found is None:
        raise not_found(f"Backup {call.params['id']}")
    return found


def source_deleted(call: Call, index: Collection) -> None:
    """The backups of an index tell when it was deleted."""
    for made in call.store.of(DIALECT, _BACKUPS):
        if _backup(made).source_index_id == index.id:
            now = rfc3339.in_seconds(int(call.exchange.stamp.created))
            made.metadata[_BACKUP] = {**made.metadata[_BACKUP], "source_index_deleted_at": now}
            made.changed()


# -- restoring ---------------------------------------------------------------------------------------------------------


def _restore(call: Call) -> Answer:
    backup = _backup_named(call)
    index = read_restoration(call.body(), index_of(backup), backup.name)
    made = copied(call, backup, index)
    stamp = call.exchange.stamp
    job = wire.restore_job(stamp.uuid("restore job"), backup.name, made.name, made.id, stamp.created)
    call.store.notes[_JOBS] = [*call.store.notes.get(_JOBS, []), job][-_MAX_JOBS:]
    return call.reply(202, {"restore_job_id": job["restore_job_id"], "index_id": made.id})


def _list_jobs(call: Call) -> Answer:
    jobs = _jobs(call)
    shown = wire.asked_page(sorted(jobs), call.query)
    return call.reply(200, {"data": [jobs[key] for key in shown.keys], **shown.pagination})


def _describe_job(call: Call) -> Answer:
    job = _jobs(call).get(call.params["id"])
    if job is None:
        raise not_found(f"Restore job {call.params['id']}")
    return call.reply(200, job)


def _jobs(call: Call) -> Mapping[str, Any]:
    return {job["restore_job_id"]: job for job in call.store.notes.get(_JOBS, [])}


# -- schedules: there are none -----------------------------------------------------------------------------------------


def _list_schedules(call: Call) -> Answer:
    index_named(call, call.params["name"])
    return call.reply(200, {"data": []})


def _create_schedule(call: Call) -> Answer:
    index_named(call, call.params["name"])
    raise WireError(ErrorReply(wire.PLAN, code="PERMISSION_DENIED", status=403))


def _no_schedule(call: Call) -> Answer:
    raise refusal("Backup schedule not found.", 404)


def _held(made: Collection) -> wire.Held:
    return wire.Held(len(made), len(namespaces_of(made)), made.size)


_SCHEDULE = "/backup-schedules/{id}"

ROUTES: Sequence[Route] = (
    Route("GET", "/collections", "list", _list_collections),
    Route("POST", "/collections", "upsert", _create_collection),
    Route("GET", "/collections/{name}", "describe", _describe_collection),
    Route("DELETE", "/collections/{name}", "delete", _delete_collection),
    Route("GET", "/backups", "list", _list_backups),
    Route("GET", "/indexes/{name}/backups", "list", _list_backups_of_index),
    Route("POST", "/indexes/{name}/backups", "upsert", _create_backup),
    Route("GET", "/backups/{id}", "describe", _describe_backup),
    Route("DELETE", "/backups/{id}", "delete", _delete_backup),
    Route("POST", "/backups/{id}/create-index", "upsert", _restore),
    Route("GET", "/restore-jobs", "list", _list_jobs),
    Route("GET", "/restore-jobs/{id}", "describe", _describe_job),
    Route("GET", "/indexes/{name}/backup-schedules", "list", _list_schedules),
    Route("POST", "/indexes/{name}/backup-schedules", "upsert", _create_schedule),
    Route("GET", _SCHEDULE, "describe", _no_schedule),
    Route("PATCH", _SCHEDULE, "upsert", _no_schedule),
    Route("DELETE", _SCHEDULE, "delete", _no_schedule),
    Route("GET", f"{_SCHEDULE}/history", "list", _no_schedule),
)
