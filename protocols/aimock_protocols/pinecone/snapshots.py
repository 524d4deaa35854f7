"""Copies of indexes: collections, backups, and the jobs that restore them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from aimock_protocols import rfc3339
from aimock_protocols.pinecone.index_requests import resource_name
from aimock_protocols.pinecone.indexes import Index
from aimock_protocols.pinecone.pages import Page, page
from aimock_protocols.pinecone.reading import fields_of, filled, member, required, text, within

PLAN = "Scheduled backups are not available for your plan"
"""Why there are no schedules."""


class Held(NamedTuple):
    """What a copy holds."""

    records: int
    namespaces: int
    size: int
    """In bytes."""


@attrs.frozen
class Backup:
    """What is kept of a backup beside the index that it is of; JSON values."""

    source_index_name: str
    source_index_id: str
    name: str | None = None
    description: str | None = None
    source_index_deleted_at: str | None = None


def read_backup(body: Any, source_name: str, source_id: str) -> Backup:
    """A backup that is to be made of an index. Raises WireError."""
    fields = fields_of(body)
    name = member(fields, "name", text, None)
    if name is not None:
        resource_name(name, "Backup")
    return Backup(source_name, source_id, name, member(fields, "description", text, None))


def read_collection(body: Any) -> tuple[str, str]:
    """The name of a collection that is to be made, and that of the index that it is to be of."""
    fields = fields_of(body)
    return resource_name(required(fields, "name", text), "Collection"), required(fields, "source", filled)


def described_backup(backup_id: str, backup: Backup, index: Index, held: Held, created: float) -> dict[str, Any]:
    """As each version's clients know it."""
    place = index.deployment
    told = {
        "backup_id": backup_id,
        **attrs.asdict(backup),
        "status": "Ready",
        "cloud": place.get("cloud", "aws"),
        "region": place.get("region", place.get("environment", "")),
        "schema": {"fields": index.fields},
        "dimension": index.dimension,
        "metric": index.metric,
        "record_count": held.records,
        "namespace_count": held.namespaces,
        "size_bytes": held.size,
        "tags": index.tags or None,
        "created_at": rfc3339.in_seconds(int(created)),
    }
    return {key: value for key, value in told.items() if value is not None}


def described_collection(index: Index, held: Held) -> dict[str, Any]:
    told = {
        "name": index.name,
        "status": "Ready",
        "environment": index.deployment.get("environment") or index.deployment.get("region"),
        "size": held.size,
        "dimension": index.dimension,
        "vector_count": held.records,
    }
    return {key: value for key, value in told.items() if value is not None}


def restore_job(job_id: str, backup_id: str, index_name: str, index_id: str, now: float) -> dict[str, Any]:
    """A job that is done as soon as it is asked for."""
    written = rfc3339.in_seconds(int(now))
    return {
        "restore_job_id": job_id,
        "backup_id": backup_id,
        "target_index_name": index_name,
        "target_index_id": index_id,
        "status": "Completed",
        "created_at": written,
        "completed_at": written,
        "percent_complete": 100,
    }


def asked_page(keys: Sequence[str], query: Mapping[str, Sequence[str]]) -> Page:
    """The page of sorted keys that a query string asks for."""
    given = {key: values[-1] for key, values in query.items()}
    limit = within(1, 100)(given.get("limit", "100"), "limit")
    return page(keys, limit, given.get("paginationToken") or None)
