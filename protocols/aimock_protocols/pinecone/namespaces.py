"""Namespaces: absent, empty and `__default__` are one and the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.pages import Page
from aimock_protocols.pinecone.reading import fields_of, member, required, shown, text, within
from aimock_protocols.pinecone.versions import DOCUMENTS, NAMED_DEFAULT

DEFAULT = "__default__"

_MAX_NAME = 512
_MAX_FIELDS = 50


def stored(name: str) -> str:
    """A namespace as the store has it: the default one has no name there."""
    return "" if name == DEFAULT else name


def named(name: str) -> str:
    """The inverse, as namespaces are described."""
    return name or DEFAULT


def counted(name: str, version: str) -> str:
    """What statistics call a namespace of the store, in a version of the API."""
    return named(name) if version >= NAMED_DEFAULT else name


def valid_namespace(name: str, what: str) -> str:
    if len(name) > _MAX_NAME or not name.isascii() or "\0" in name:
        raise refusal(f"{what} must be ASCII, of at most {_MAX_NAME} characters, got {shown(name)}")
    return name


class Creation(NamedTuple):
    name: str
    schema: Mapping[str, Any] | None


def read_creation(body: Any) -> Creation:
    """Raises WireError for what Pinecone refuses."""
    fields = fields_of(body)
    name = valid_namespace(required(fields, "name", text), "name")
    if name in ("", DEFAULT):
        raise refusal(f"Namespace name {shown(name)} is reserved")
    return Creation(name, member(fields, "schema", metadata_schema, None))


def metadata_schema(value: Any, what: str) -> Mapping[str, Any]:
    """`{"fields": {"year": {"filterable": true}}}`: which fields of metadata are indexed."""
    fields = required(fields_of(value, what), "fields", fields_of, f"{what}.")
    if len(fields) > _MAX_FIELDS:
        raise refusal(f"{what}: at most {_MAX_FIELDS} fields may be declared, got {len(fields)}")
    for name, field in fields.items():
        if name.startswith("$"):
            raise refusal(f"{what}: field names must not start with '$', got {shown(name)}")
        if fields_of(field, name).get("filterable") is not True:
            raise refusal(f"Field '{name}' is set to filterable: false. Only filterable: true is supported.")
    return {"fields": {name: {"filterable": True} for name in fields}}


class Listing(NamedTuple):
    prefix: str
    limit: int
    token: str | None


def read_listing(query: Mapping[str, Sequence[str]]) -> Listing:
    """Of a query string."""
    given = {key: values[-1] for key, values in query.items()}
    limit = within(1, 100)(given.get("limit", "100"), "limit")
    return Listing(valid_namespace(given.get("prefix", ""), "prefix"), limit, given.get("paginationToken") or None)


def description(name: str, count: int, schema: Mapping[str, Any] | None, version: str) -> dict[str, Any]:
    """A namespace of the store, described. From 2026-07 on counts are decimal text."""
    told: dict[str, Any] = {"name": named(name), "record_count": str(count) if version >= DOCUMENTS else count}
    if schema is not None:
        told |= {"schema": schema, "indexed_fields": {"fields": [*schema["fields"]]}}
    return told


def listing(described: Sequence[Mapping[str, Any]], page: Page, total: int) -> dict[str, Any]:
    """The answer to a listing."""
    return {"namespaces": described, **page.pagination, "total_count": total}
