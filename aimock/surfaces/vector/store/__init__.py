"""The store behind the vector databases: collections of records, and the exact nearest among them.

- `values.py`: vectors, records, hits. `errors.py`: what is refused.
- `columns.py`: the vectors of one field, in blocks that are only ever added to.
- `scoring.py`: how near vectors are. `bounds.py`: between what that lies, reckoned quickly. `postings.py`: sparse ones.
- `snapshot.py`: what a namespace held at a moment, and its nearest.
- `namespace.py`, `collection.py`, `store.py`: what changes. `file.py`: where it is kept.
"""

from aimock.surfaces.vector.store.collection import Collection
from aimock.surfaces.vector.store.errors import DimensionError, Exists, FileError, Full, StoreError, VectorError
from aimock.surfaces.vector.store.namespace import Namespace
from aimock.surfaces.vector.store.snapshot import Snapshot
from aimock.surfaces.vector.store.store import Store
from aimock.surfaces.vector.store.values import (
    Field,
    Form,
    Hit,
    Id,
    Measure,
    Record,
    Sparse,
    Vector,
    dense,
    multi,
    sparse,
)

__all__ = [
    "Collection",
    "DimensionError",
    "Exists",
    "Field",
    "FileError",
    "Form",
    "Full",
    "Hit",
    "Id",
    "Measure",
    "Namespace",
    "Record",
    "Snapshot",
    "Sparse",
    "Store",
    "StoreError",
    "Vector",
    "VectorError",
    "dense",
    "multi",
    "sparse",
]
