"""The revisions of MCP, what each of them brought, and which of them is spoken."""

from __future__ import annotations

from collections.abc import Collection, Sequence

MODERN = "2026-07-28"
"""Without sessions."""

LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""With sessions; newest first."""

ALL = (MODERN, *LEGACY)

ASSUMED = "2025-03-26"
"""Where a legacy request says nothing: the last revision without the version header."""

_DRAFTS = {"2024-10-07": "2024-11-05"}
"""What was never released, and the revision that it became."""

_SINCE = {
    "audio": "2025-03-26",
    "completions": "2025-03-26",
    "resource_link": "2025-06-18",
    "icons": "2025-11-25",
    "priming": "2025-11-25",
    "tasks": "2025-11-25",
    "argument_errors": "2025-11-25",
    "url_elicitation": "2025-11-25",
}
"""The revision that brought a feature. Those that one revision only has are asked for by it."""

BATCHES = "2025-03-26"
"""The only revision that has them."""

TASKS = "2025-11-25"
"""The only legacy revision that has them."""


def has(revision: str, feature: str) -> bool:
    """Whether a revision has what another brought. Revisions are dates, and sort as such."""
    return revision >= _SINCE[feature]


def negotiated(requested: str, spoken: Sequence[str]) -> str:
    """The answer to an `initialize`: the revision that was asked for, or the newest legacy one that is spoken."""
    requested = _DRAFTS.get(requested, requested)
    legacy = [revision for revision in LEGACY if revision in spoken]
    return requested if requested in legacy else legacy[0]


def is_legacy(revision: str | None, spoken: Collection[str]) -> bool:
    return revision in LEGACY and revision in spoken
