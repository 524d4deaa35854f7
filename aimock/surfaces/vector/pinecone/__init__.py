"""Pinecone's API over the store.

- `dialect.py`: its routes, and its words for errors.
- `places.py`: which index and namespace a request is for; what is put there, and found.
- `indexes.py`, `snapshots.py`: the control plane.
- `vectors.py`, `namespaces.py`, `records.py`, `documents.py`: the data plane.
- `inference.py`: embeddings and reranking.
"""

from aimock.surfaces.vector.pinecone.dialect import Pinecone

__all__ = ["Pinecone"]
