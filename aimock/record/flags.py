"""The flags of recording: `--record`, `--proxy-only`, where providers are, and limits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimock.config import ConfigError, Failure, number, whole_number

if TYPE_CHECKING:
    from aimock.record.config import RecordConfig
    from aimock.surfaces.mounted import Mounted

PROVIDERS = ("openai", "anthropic", "gemini", "vertexai", "bedrock", "azure", "ollama", "cohere", "openrouter")
MODES = ("none", "once", "new_episodes", "all")
_LIMITS = {
    "upstream-timeout-ms": ("MS", number(0, exclusive=True), "for a provider to begin its answer (default 30000)"),
    "body-timeout-ms": ("MS", number(0, exclusive=True), "for silence within it (default 30000)"),
    "max-proxy-buffer-bytes": ("N", whole_number(1), "bytes of one answer that are kept (default 64 MiB)"),
    "max-proxy-buffer-frames": ("N", whole_number(1), "frames of one (default 5000000)"),
}


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    add = parser.add_argument
    add("--record", action="store_true", default=None, help="ask the provider where nothing matches, and keep it")
    add("--proxy-only", action="store_true", default=None, help="ask the provider, and keep nothing")
    add("--record-mode", choices=MODES, help="what is recorded: none, once, new_episodes (default) or all")
    add("--record-full-model-version", action="store_true", default=None, help="keep the date in recorded models")
    for provider in PROVIDERS:
        add(f"--provider-{provider}", metavar="URL", help=f"where {provider} is")
    for name, (shown, _, words) in _LIMITS.items():
        add(f"--{name}", metavar=shown, help=words)
    add("--agui-upstream", metavar="URL", help="an AG-UI agent, to be recorded at /agui")
    add("--agui-record", action="store_true", default=None, help="ask it where nothing matches, and keep its runs")
    add("--agui-proxy-only", action="store_true", default=None, help="ask it, and keep nothing")


def chosen(flags: argparse.Namespace, from_file: RecordConfig | None, fixtures: Sequence[str]) -> RecordConfig | None:
    """What flags and the config file say of recording; None: it is off. `fixtures`: where fixtures come from, of which
    the first has what is recorded. Raises Failure and ConfigError."""
    given = {name: getattr(flags, f"provider_{name}") for name in PROVIDERS}
    providers = {name: url for name, url in given.items() if url is not None}
    if not (flags.record or flags.proxy_only):
        if providers:
            import logging

            logging.getLogger("aimock").warning("--provider-… are ignored without --record or --proxy-only")
        return from_file
    from aimock.record.config import RecordConfig, record_config

    keys: dict[str, Any] = {"providers": providers, "proxyOnly": bool(flags.proxy_only)}
    if flags.record_full_model_version:
        keys["recordFullModelVersion"] = True
    if flags.record_mode is not None:
        keys["mode"] = flags.record_mode
    for name, (_, check, _) in _LIMITS.items():
        text = getattr(flags, name.replace("-", "_"))
        if text is not None:
            keys[_camel(name)] = _read(name, text, check)
    if not providers and from_file is None:
        raise Failure("--record and --proxy-only need a --provider-… to ask")
    if flags.record and not flags.proxy_only:
        keys["fixturePath"] = str(_beside(fixtures, "--record", "recorded"))
    try:
        read = record_config(keys)
    except ValueError as error:
        raise ConfigError(f"--record: {error}") from None
    if from_file is None:
        return read
    import attrs

    changes = {name: value for name, value in attrs.asdict(read, recurse=False).items() if name in _told(keys)}
    merged: RecordConfig = attrs.evolve(from_file, **changes)
    assert isinstance(merged, RecordConfig)
    return merged


def with_agent(
    flags: argparse.Namespace, services: Sequence[tuple[str, Mounted]], fixtures: Sequence[str]
) -> Sequence[tuple[str, Mounted]]:
    """The services, with an agent at /agui that records, if flags ask for one: that of the config file, if it has one
    there. Recordings of earlier runs answer too. Raises Failure."""
    if not (flags.agui_record or flags.agui_proxy_only):
        if flags.agui_upstream is not None:
            raise Failure("--agui-upstream needs --agui-record or --agui-proxy-only")
        return services
    if flags.agui_upstream is None:
        raise Failure("--agui-record and --agui-proxy-only need --agui-upstream")
    from aimock.surfaces.agui.recording import FOLDER
    from aimock.surfaces.agui.service import AGUI

    told: dict[str, Any] = {"upstream": flags.agui_upstream, "proxyOnly": bool(flags.agui_proxy_only)}
    if not flags.agui_proxy_only:
        told["fixturePath"] = str(_beside(fixtures, "--agui-record", FOLDER))
    found = next((service for path, service in services if path == "/agui" and isinstance(service, AGUI)), None)
    agent = found or AGUI()
    try:
        agent.add({"record": told})
    except ValueError as error:
        raise Failure(f"--agui-record: {error}") from None
    return services if found is not None else (*services, ("/agui", agent))


def _told(keys: dict[str, Any]) -> set[str]:
    import re

    return {re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key) for key in keys if keys[key] != {}}


def _camel(flag: str) -> str:
    first, *rest = flag.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _read(name: str, text: str, check: Any) -> Any:
    try:
        return check(float(text) if "." in text else int(text))
    except ValueError as expected:
        words = str(expected)
        raise Failure(f"--{name}: expected {words if 'number' in words else 'a number'}, got {text!r}") from None


def _beside(fixtures: Sequence[str], flag: str, folder: str) -> Path:
    """Where what is recorded goes: beside the first fixtures."""
    first = fixtures[0] if fixtures else "./fixtures"
    if "://" in first:
        raise Failure(f"{flag}: the first --fixtures must be a directory to record into, got {first!r:.80}")
    path = Path(first)
    return (path.parent if path.is_file() else path) / folder
