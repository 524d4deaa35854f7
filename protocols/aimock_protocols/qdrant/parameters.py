"""What of a collection's parameters is known: read, kept and told again, though most of it has no effect here.

Source: the server's API as qdrant-client 1.20 has it (`models.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.qdrant.errors import malformed, shown
from aimock_protocols.qdrant.reading import (
    Reader,
    anything,
    count,
    counted,
    flag,
    number,
    one_of,
    shaped,
    struct,
    text,
)

DISTANCES = ("Cosine", "Euclid", "Dot", "Manhattan")
_LARGEST = 65_536
"""Numbers in a dense vector."""

_MEMORY = one_of("cold", "cached", "pinned")
_STORED: Mapping[str, Reader[Any]] = {"on_disk": flag, "memory": _MEMORY}
_DATATYPE = one_of("float32", "uint8", "float16", "turbo4", "turbo8", "turbo16")
_IN_MEMORY = shaped({"memory": _MEMORY})

_HNSW = shaped(
    {
        **dict.fromkeys(("m", "ef_construct", "full_scan_threshold", "max_indexing_threads", "payload_m"), count),
        **_STORED,
        "inline_storage": flag,
    }
)
_OPTIMIZERS = shaped(
    {
        "deleted_threshold": number,
        **dict.fromkeys(
            (
                "vacuum_min_vector_number",
                "default_segment_number",
                "max_segment_size",
                "memmap_threshold",
                "indexing_threshold",
                "flush_interval_sec",
            ),
            count,
        ),
        "max_optimization_threads": lambda value, place: value if value == "auto" else count(value, place),
        "prevent_unoptimized": flag,
    }
)
_WAL = shaped(dict.fromkeys(("wal_capacity_mb", "wal_segments_ahead", "wal_retain_closed"), count))


def _quantization(value: Any, place: str) -> dict[str, Any]:
    known = shaped(dict.fromkeys(("scalar", "product", "binary", "turbo"), struct))(value, place)
    if len(known) != 1:
        raise malformed(f"{place}: data did not match any variant of untagged enum QuantizationConfig: {shown(value)}")
    return known


SECTIONS: Mapping[str, Reader[dict[str, Any]]] = {
    "hnsw_config": _HNSW,
    "wal_config": _WAL,
    "optimizers_config": _OPTIMIZERS,
    "quantization_config": _quantization,
    "strict_mode_config": struct,
    "metadata": struct,
}
"""Of a collection; each is changed by itself."""

PARAMS: Mapping[str, Reader[Any]] = {
    "shard_number": counted(1),
    "sharding_method": one_of("auto", "custom"),
    "replication_factor": counted(1),
    "write_consistency_factor": counted(1),
    "read_fan_out_factor": count,
    "read_fan_out_delay_ms": count,
    "on_disk_payload": flag,
    "payload": _IN_MEMORY,
    "id_tracker": _IN_MEMORY,
}
"""Of a collection as a whole."""

_CHANGEABLE: Mapping[str, Reader[Any]] = {"hnsw_config": _HNSW, "quantization_config": _quantization, **_STORED}
DENSE_CHANGE = shaped(_CHANGEABLE)
DENSE = shaped(
    {
        "size": counted(1, _LARGEST),
        "distance": one_of(*DISTANCES),
        "datatype": _DATATYPE,
        "multivector_config": shaped({"comparator": one_of("max_sim")}, "comparator"),
        **_CHANGEABLE,
    },
    "size",
    "distance",
)
"""Of vectors of one name."""
SPARSE = shaped(
    {
        "index": shaped({"full_scan_threshold": count, **_STORED, "datatype": _DATATYPE}),
        "modifier": one_of("none", "idf"),
    }
)

INDEX_TYPES = ("keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid")
_INDEX: Mapping[str, Reader[Any]] = {"type": one_of(*INDEX_TYPES), **_STORED, "enable_hnsw": flag, "nested": text}
_TEXT: Mapping[str, Reader[Any]] = {
    "tokenizer": one_of("prefix", "whitespace", "word", "multilingual", "code"),
    **dict.fromkeys(("min_token_len", "max_token_len"), count),
    **dict.fromkeys(("lowercase", "ascii_folding", "phrase_matching"), flag),
    **dict.fromkeys(("stopwords", "stemmer", "scoring"), anything),
}
INDEX = shaped(
    {**_INDEX, **_TEXT, **dict.fromkeys(("is_tenant", "is_principal", "lookup", "range", "prefix"), flag)}, "type"
)
"""Of a payload index."""
