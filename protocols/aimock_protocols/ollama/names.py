"""Names of models: one without a tag means its `latest`."""

from __future__ import annotations

_LATEST = ":latest"


def tagged(name: str) -> str:
    """A model's name with its tag."""
    return name if ":" in name.rpartition("/")[2] else name + _LATEST


def other_names(name: str) -> tuple[str, ...]:
    """The other way to write a name, if there is one: by either a fixture may call the model."""
    if name.endswith(_LATEST):
        return (name.removesuffix(_LATEST),)
    whole = tagged(name)
    return () if whole == name else (whole,)
