"""URI templates of resources, read backwards: which values make a template this URI (RFC 6570, levels 1 and 2).

`{x}` takes in all but slashes, `{+x}` slashes too, `{?a,b}` a query of these keys, each of which may be missing.
"""

from __future__ import annotations

import re
import urllib.parse

import attrs

_EXPRESSION = re.compile(r"\{([+?]?)([A-Za-z0-9_.,]+)\}")


@attrs.frozen
class UriTemplate:
    """A template. Raises ValueError for one that is not understood."""

    text: str
    _pattern: re.Pattern[str] = attrs.field(init=False, eq=False)
    _query: tuple[str, ...] = attrs.field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        rest = _EXPRESSION.sub("", self.text)
        if "{" in rest or "}" in rest:
            raise ValueError(f"expected expressions like {{name}}, {{+path}} or {{?key}}, got {self.text!r}")
        pattern, end = "", 0
        query: list[str] = []
        for found in _EXPRESSION.finditer(self.text):
            pattern += re.escape(self.text[end : found.start()])
            end = found.end()
            kind, names = found[1], found[2].split(",")
            if kind == "?":
                query += names
                continue
            taken = ".+" if kind == "+" else "[^/?#]+"
            pattern += ",".join(f"({taken})" for _ in names)
        object.__setattr__(self, "_pattern", re.compile(pattern + re.escape(self.text[end:]), re.DOTALL))
        object.__setattr__(self, "_query", tuple(query))

    @property
    def names(self) -> list[str]:
        """Of its variables."""
        return [name for found in _EXPRESSION.finditer(self.text) for name in found[2].split(",")]

    def match(self, uri: str) -> dict[str, str] | None:
        """The values, decoded; None if the URI is not of this template."""
        values: dict[str, str] = {}
        if self._query:
            uri, _, query = uri.partition("?")
            given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            if not given.keys() <= set(self._query):
                return None
            values = {name: given.get(name, "") for name in self._query}
        found = self._pattern.fullmatch(uri)
        if found is None:
            return None
        plain = [name for name in self.names if name not in self._query]
        return values | {name: urllib.parse.unquote(value) for name, value in zip(plain, found.groups(), strict=True)}
