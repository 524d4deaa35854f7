"""What `AIMock` is given, checked as a config file would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aimock.config import ConfigError, UnfitKeys, api_keys, chaos, profile, quota, record
from aimock.config import tls as checked_tls
from aimock.tls import TLS

if TYPE_CHECKING:
    from aimock.record.config import RecordConfig
    from aimock.record.recorder import Recorder

T = TypeVar("T")

_CHECKS: dict[str, Callable[[Any], Any]] = {
    "streaming_profile": profile,
    "chaos": chaos,
    "quota": quota,
    "tls": checked_tls,
    "record": record,
}


def given(name: str, value: Any) -> Any:
    """What a config file has as an object, checked as it would be there; None stays None. Raises ValueError."""
    if value is None:
        return None
    try:
        return _CHECKS[name](value)
    except ConfigError as error:
        raise ValueError(f"{name}: {error}") from None


def checked(name: str, value: Any, check: Callable[[Any], T]) -> T:
    try:
        return check(value)
    except ValueError as expected:
        raise ValueError(f"{name}: expected {expected}, got {value!r}") from None


def tls(choice: bool | tuple[str | Path, str | Path] | Mapping[str, Any] | None) -> TLS | None:
    """True is for a certificate of the server's own, a pair for the files of one. Raises ValueError."""
    if choice is None or choice is False:
        return None
    if choice is True:
        choice = {"selfSigned": True}
    elif isinstance(choice, tuple) and len(choice) == 2:
        choice = {"cert": str(choice[0]), "key": str(choice[1])}
    read: TLS = given("tls", choice)
    return read


def recorder(choice: Mapping[str, Any] | RecordConfig) -> Recorder:
    """What asks the providers. Raises ValueError."""
    config = given("record", choice)
    from aimock.record.recorder import Recorder  # most servers ask nobody
    from aimock.record.shelf import ShelfError

    try:
        made = Recorder(config)
        made.check()
    except (ValueError, ShelfError) as error:
        raise ValueError(f"record: {error}") from None
    return made


def keys(listed: Sequence[str] | None) -> tuple[str, ...]:
    try:
        return api_keys(listed) if listed is not None else ()
    except UnfitKeys as error:
        raise ValueError(f"api_keys{error}") from None
