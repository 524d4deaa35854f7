"""What answers say of pages on the web: whose they are, their icons, and what is told of them only on request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aimock_protocols.collapsing import dicts


def icon_of(url: Any) -> str:
    """Where the icon of a page is by custom; empty for what is no URL."""
    host, _ = _place(url)
    return f"https://{host}/favicon.ico" if host else ""


def with_icon(page: Mapping[str, Any], wanted: bool) -> dict[str, Any]:
    """The page with its icon if that is wanted, without it if not."""
    told = {key: value for key, value in page.items() if key != "favicon"}
    return told | {"favicon": page.get("favicon") or icon_of(page.get("url"))} if wanted else told


def is_within(url: Any, domains: Iterable[str]) -> bool:
    """Whether a page belongs to one of the domains: `a.org` has its subdomains too, `a.org/b` what is below that path,
    and `*.org` all of a kind."""
    host, path = _place(url)
    for domain in domains:
        wanted, below = _place(domain)
        is_of = host.endswith(wanted[1:]) if wanted.startswith("*.") else f".{host}".endswith(f".{wanted}")
        if wanted and is_of and path.startswith(below):
            return True
    return False


def _place(url: Any) -> tuple[str, str]:
    """Host and path of a URL, whose scheme may be missing; nothing of what is none."""
    if not isinstance(url, str):
        return "", ""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")
    except ValueError:
        return "", ""


def images_of(given: Any, described: bool) -> list[Any]:
    """Images as they are asked for: URLs, or objects with a URL and a description."""
    images = given if isinstance(given, list) else []
    told = [{"url": each, "description": None} if isinstance(each, str) else each for each in images]
    return told if described else [each.get("url") for each in dicts(told)]


def credits_for(pages: int, each: int, advanced: bool) -> int:
    """What so many pages cost: a credit for every `each` of them, or two."""
    return pages // each * (2 if advanced else 1)
