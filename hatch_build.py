"""Adds the page's bill of materials to the wheel's metadata (PEP 770), where `make wheel` has made one."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SBOM = "build/sbom/page.cdx.json"


class SbomHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only for their own plug-ins
    """A source tree without a built page, as an editable installation has it, gets none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        if version == "standard" and Path(self.root, SBOM).is_file():
            build_data["sbom_files"].append(SBOM)
