"""The AG-UI service: an agent whose runs are told by fixtures, or recorded from another agent."""

from aimock.surfaces.agui.section import config_schema
from aimock.surfaces.agui.service import from_config

__all__ = ["config_schema", "from_config"]
