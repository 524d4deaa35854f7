"""Values held to JSON Schemas: a tool's arguments, and what it says it gives."""

from __future__ import annotations

from typing import Any

import attrs

_PLAIN = frozenset({"type", "properties", "$schema", "title", "description"})


@attrs.define(eq=False)
class Checked:
    """A schema that values can be held to. The library is imported when the first value is, and for most never."""

    schema: dict[str, Any]
    _validator: Any = None

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, and where; None if nothing is."""
        if self._is_plain and isinstance(value, dict):
            return None
        from referencing.exceptions import Unresolvable

        try:
            error = min(self.validator.iter_errors(value), key=_place, default=None)
        except Unresolvable as unresolvable:
            return f"the schema refers to what it does not have: {unresolvable}"
        if error is None:
            return None
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path).lstrip(".")
        message = error.message if len(error.message) <= 300 else error.message[:300] + "…"
        return f"{where}: {message}" if where else message

    @property
    def _is_plain(self) -> bool:
        """Whether any object will do."""
        return self.schema.get("type") == "object" and not (
            self.schema.keys() - _PLAIN or self.schema.get("properties")
        )

    @property
    def validator(self) -> Any:
        if self._validator is None:
            self._validator = _validator(self.schema)
        return self._validator


def _place(error: Any) -> list[str]:
    return [*map(str, error.absolute_path)]


def check_schema(schema: dict[str, Any]) -> None:
    """Raises ValueError if it is none, by the dialect that it names (2020-12 if it names none)."""
    import jsonschema

    dialect = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        dialect.check_schema(schema)
    except jsonschema.SchemaError as wrong:
        where = ".".join(map(str, wrong.absolute_path))
        raise ValueError(f"expected a JSON Schema; {where + ': ' if where else ''}{wrong.message[:300]}") from None


def _validator(schema: dict[str, Any]) -> Any:
    import jsonschema
    import referencing

    dialect = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    # A registry of its own: without one, references to other documents would be fetched.
    return dialect(schema, registry=referencing.Registry())
