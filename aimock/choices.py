"""What `AIMock` is given, checked as a config file would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimock.config_keys import api_keys, chaos, profile, providers, quota, record
from aimock.config_keys import tls as checked_tls
from aimock.reading import Read
from aimock.tls import TLS

if TYPE_CHECKING:
    from aimock.record.config import RecordConfig
    from aimock.record.recorder import Recorder

_CHECKS: dict[str, Read] = {
    "streaming_profile": profile,
    "chaos": chaos,
    "providers": providers,
    "quota": quota,
    "tls": checked_tls,
    "record": record,
}


def given(name: str, value: Any) -> Any:
    """What a config file has as an object, checked as it would be there; None stays None. Raises ValueError."""
    return None if value is None else _CHECKS[name](value, name)


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
    return api_keys(listed, "api_keys") if listed is not None else ()
