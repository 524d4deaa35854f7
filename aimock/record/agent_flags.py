"""The flags of recording an AG-UI agent: where it is, and whether what it says is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aimock.config import Failure
from aimock.record.flags import beside

if TYPE_CHECKING:
    from aimock.surfaces.mounted import Mounted

Services = tuple[tuple[str, "Mounted"], ...]
"""With their paths."""

_PATH = "/agui"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    add = parser.add_argument
    add("--agui-upstream", metavar="URL", help=f"an AG-UI agent, to be recorded by one at {_PATH}")
    add("--agui-record", action="store_true", default=None, help="ask it where nothing matches, and keep its runs")
    add("--agui-proxy-only", action="store_true", default=None, help="ask it, and keep nothing")


def with_agent(flags: argparse.Namespace, services: Services, fixtures: Sequence[str]) -> Services:
    """The services, and an agent that records, if flags ask for one: that of the config file, if it has one there.
    Raises Failure."""
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
        told["fixturePath"] = str(beside(fixtures, "--agui-record", FOLDER))
    found = next((service for path, service in services if path == _PATH and isinstance(service, AGUI)), None)
    agent = found or AGUI()
    try:
        agent.add({"record": told})
    except ValueError as error:
        raise Failure(f"--agui-upstream: {error}") from None
    return services if found is not None else (*services, (_PATH, agent))
