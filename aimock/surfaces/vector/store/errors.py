"""What the store refuses."""

from __future__ import annotations


class StoreError(Exception):
    """Something that the store does not do. Nothing has been changed."""


class VectorError(StoreError):
    """A vector, or a record with it, that cannot be kept."""


class DimensionError(VectorError):
    """A vector of another dimension than its field has."""

    def __init__(self, expected: int, got: int, field: str = "") -> None:
        of = f" of {field!r}" if field else ""
        super().__init__(f"expected vectors{of} of dimension {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.field = field


class Exists(StoreError):
    """A collection of that name is there already, for a dialect that would see both."""


class Full(StoreError):
    """A limit of the store is reached."""

    def __init__(self, limit: str, most: int) -> None:
        super().__init__(f"the vector store is full: {limit} is {most}")
        self.limit = limit
        self.most = most


class FileError(StoreError):
    """The store's file cannot be used, or could not be written."""
