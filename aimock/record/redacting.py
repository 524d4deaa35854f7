"""What is not to be written down: the texts that `record.redact` finds (record-replay §5.6)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aimock.fixtures import Pattern

REDACTED = "[redacted]"


def redacted(entry: Mapping[str, Any], patterns: Sequence[Pattern]) -> dict[str, Any]:
    """The entry without what the patterns find in its texts. Raises TimeoutError if that takes too long to tell.

    In a match a regular expression takes the text's place, so that it still matches. A recording of which any part
    is concerned is left out as a whole: in its frames a text may be spread over many.
    """
    if not patterns:
        return dict(entry)
    kept = {key: _without(value, patterns) for key, value in entry.items() if key not in ("match", "recording")}
    kept = {"match": _still_matching(entry.get("match"), patterns), **kept}
    recording = entry.get("recording")
    if recording is not None and kept["response"] == entry["response"] and not _found(recording, patterns):
        kept["recording"] = recording
    return kept


def _pieces(text: str, patterns: Sequence[Pattern]) -> list[str]:
    """What is left of the text around all that is found; the text alone if nothing is."""
    pieces, end = [], 0
    for start, stop in sorted(span for pattern in patterns for span in pattern.spans(text)):
        if start >= end:
            pieces.append(text[end:start])
        end = max(end, stop)
    return [*pieces, text[end:]]


def _without(value: Any, patterns: Sequence[Pattern]) -> Any:
    if isinstance(value, str):
        return REDACTED.join(_pieces(value, patterns))
    if isinstance(value, Mapping):
        return {key: _without(each, patterns) for key, each in value.items()}
    return [_without(each, patterns) for each in value] if isinstance(value, list | tuple) else value


def _still_matching(match: Any, patterns: Sequence[Pattern]) -> Any:
    if not isinstance(match, Mapping):
        return match
    return {key: _pattern_of(text, patterns) if isinstance(text, str) else text for key, text in match.items()}


def _pattern_of(text: str, patterns: Sequence[Pattern]) -> Any:
    """A pattern that finds the text and such as differ in nothing but what is hidden; the text if nothing is."""
    pieces = _pieces(text, patterns)
    around = r"[\s\S]+".join(map(re.escape, pieces))
    return {"$regex": rf"\A{around}\Z"} if len(pieces) > 1 else text


def _found(recording: Any, patterns: Sequence[Pattern]) -> bool:
    texts = json.dumps(recording, ensure_ascii=False), *_texts(recording)
    return any(pattern.spans(text) for pattern in patterns for text in texts)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [text for each in members for text in _texts(each)]
