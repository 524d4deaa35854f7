"""Pinecone's API as pure values: what its clients send, read and checked, and what they are answered.

Sources: the types of the official SDK (pinecone 10.2), Pinecone's published OpenAPI documents (2025-04 to 2026-07), and
wire-vector §1. `versions` and `errors` are used throughout; `reading` reads JSON values; `filters` and `text` say what
matches; `indexes`, `index_requests` and `snapshots` are the control plane; `vectors` (of `values`), `namespaces`,
`records` and `documents` (searched by `scoring`) the data plane; `inference` the models.
"""
