"""Chroma's API on the store.

- `dialect.py`: its routes, its clients' marks, its errors.
- `catalog.py`: what there is: tenants, databases, collections. `keeping.py`: how these are kept in the store.
- `records.py`: what is in collections. `patterns.py`: regular expressions, in bounded time.
- `old.py`: the calls of the first version that are still answered.
"""

from aimock.surfaces.vector.chroma.dialect import Chroma

__all__ = ["Chroma"]
