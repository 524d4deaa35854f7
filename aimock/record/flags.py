"""The flags of recording: `--record`, `--proxy-only`, where providers are, and limits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimock.config import ConfigError, Failure
from aimock.readers import real, whole
from aimock.reading import number, whole_number

if TYPE_CHECKING:
    from aimock.record.config import RecordConfig
    from aimock.sdks import Place

PROVIDERS = ("openai", "anthropic", "gemini", "vertexai", "bedrock", "azure", "ollama", "cohere", "openrouter")
MODES = ("none", "once", "new_episodes", "all")
_MILLISECONDS, _COUNT = real(number(0, exclusive=True)), whole(whole_number(1))
LIMITS = {
    "upstream-timeout-ms": ("upstreamTimeoutMs", "MS", _MILLISECONDS, "for a provider to begin its answer"),
    "body-timeout-ms": ("bodyTimeoutMs", "MS", _MILLISECONDS, "for silence within it"),
    "max-proxy-buffer-bytes": ("maxProxyBufferBytes", "N", _COUNT, "bytes of one answer that are kept"),
    "max-proxy-buffer-frames": ("maxProxyBufferFrames", "N", _COUNT, "frames of one"),
}
"""Flag to JSON key, what stands for its value, its type, and what it is for."""
_DEFAULTS = {"MS": "30000", "max-proxy-buffer-bytes": "64 MiB", "max-proxy-buffer-frames": "5000000"}


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    add = parser.add_argument
    add("--record", action="store_true", default=None, help="ask the provider where nothing matches, and keep it")
    add("--proxy-only", action="store_true", default=None, help="ask the provider, and keep nothing")
    add("--record-mode", choices=MODES, help="what is recorded: none, once, new_episodes (default) or all")
    add("--record-full-model-version", action="store_true", default=None, help="keep the date in recorded models")
    for provider in PROVIDERS:
        add(f"--provider-{provider}", metavar="URL", help=f"where {provider} is")
    for name, (_, shown, read, words) in LIMITS.items():
        default = _DEFAULTS.get(shown) or _DEFAULTS[name]
        add(f"--{name}", type=read, metavar=shown, help=f"{words} (default {default})")


def chosen(
    flags: argparse.Namespace,
    from_file: RecordConfig | None,
    fixtures: Sequence[str],
    places: Mapping[str, Place] | None = None,
) -> RecordConfig | None:
    """What flags and the config file say of recording; None: it is off. `fixtures`: where fixtures come from, of which
    the first has what is recorded. `places`: where providers are if neither says so. Raises Failure and ConfigError."""
    given = _given(flags)
    if not (flags.record or flags.proxy_only or from_file):
        if given:
            import logging

            verb = "is" if len(given) == 1 else "are"
            logging.getLogger("aimock").warning(
                "%s %s ignored without --record or --proxy-only", ", ".join(f"--{name}" for name in given), verb
            )
        return None
    from aimock.record.config import record_config

    keys = _keys(given)
    if flags.record or flags.proxy_only:
        keys["proxyOnly"] = bool(flags.proxy_only)
        if not flags.proxy_only:
            keys["fixturePath"] = str(beside(fixtures, "--record", "recorded"))
    if not keys.get("providers") and not (from_file and from_file.providers):
        if places is not None:
            keys["providers"] = _urls(places)
        elif from_file is None:
            raise Failure("--record and --proxy-only need a --provider-… to ask")
    try:
        return record_config(keys, otherwise=from_file)
    except ValueError as error:
        raise ConfigError(f"--record: {error}") from None


def _given(flags: argparse.Namespace) -> dict[str, Any]:
    """The flags beside the two that switch it on, as far as they are given."""
    names = ["record-mode", "record-full-model-version", *(f"provider-{each}" for each in PROVIDERS), *LIMITS]
    values = {name: getattr(flags, name.replace("-", "_")) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a config file has it."""
    keys = {"record-mode": "mode", "record-full-model-version": "recordFullModelVersion"}
    keys |= {name: key for name, (key, *_) in LIMITS.items()}
    told = {keys[name]: value for name, value in given.items() if name in keys}
    providers = {name.removeprefix("provider-"): url for name, url in given.items() if name.startswith("provider-")}
    return told | ({"providers": providers} if providers else {})


def _urls(places: Mapping[str, Place]) -> dict[str, str]:
    """Raises Failure, naming the variable that has no URL in it."""
    from aimock.record.urls import read_base

    for url, variable in places.values():
        try:
            read_base(url)
        except ValueError as expected:
            raise Failure(f"{variable}: expected {expected}") from None
    return {provider: place.url for provider, place in places.items()}


def beside(fixtures: Sequence[str], flag: str, folder: str) -> Path:
    """Where what is recorded goes: beside the first fixtures. Raises Failure, naming the flag that asks for it."""
    first = fixtures[0] if fixtures else "./fixtures"
    if "://" in first:
        raise Failure(f"{flag}: the first --fixtures must be a directory to record into, got {first!r:.80}")
    path = Path(first)
    return (path.parent if path.is_file() else path) / folder
