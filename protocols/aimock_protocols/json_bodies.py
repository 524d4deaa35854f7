"""Request bodies of JSON: how they are read, and what is refused everywhere, by each protocol in its own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import WireError


def dumped(value: Any, otherwise: bytes = b"null") -> bytes:
    """A value that came as JSON as JSON again; `otherwise` if it is nested deeper than can be written."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return otherwise


def is_writable(value: Any) -> bool:
    """Whether a value that came as JSON can be written as JSON again: nested too deeply, it cannot."""
    return bool(dumped(value, otherwise=b""))


@attrs.frozen
class JsonBodies:
    """Reads the bodies of one provider's requests."""

    refusal: Callable[[str], WireError]
    """The provider's 400, from its message."""
    malformed: Callable[[str], WireError] = attrs.field()
    """The same for what is no JSON."""
    too_deep: Callable[[str], WireError] = attrs.field()
    """The same from the place of a value that is nested deeper than can be written."""

    @malformed.default
    def _plainly_malformed(self) -> Callable[[str], WireError]:
        return self.refusal

    @too_deep.default
    def _plainly_too_deep(self) -> Callable[[str], WireError]:
        return lambda where: self.refusal(f"{where}: nested too deeply")

    def read_object(self, body: bytes | str) -> dict[str, Any]:
        """A request body as the JSON object that it must be, whatever its content type says. Raises WireError."""
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise self.malformed(f"Malformed JSON: {error}") from None
        if type(value) is not dict:
            raise self.refusal("Request body must be a JSON object")
        return value

    def compact(self, value: Any, where: str) -> str:
        """A value that came in a request as JSON text. Raises WireError if it is nested deeper than can be written."""
        try:
            return orjson.dumps(value).decode()
        except orjson.JSONEncodeError:
            raise self.too_deep(where) from None
