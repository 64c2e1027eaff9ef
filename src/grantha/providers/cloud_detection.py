"""Detects a machine that a cloud gives credentials to, without sending a request.

The firmware of a virtual machine names who made it, and platforms that run containers set variables.
A request to a metadata address that doesn't exist would cost every other start a second or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FIRMWARE = Path("/sys/class/dmi/id")
METADATA_HOST = "GCE_METADATA_HOST"


def on_google(variables: Mapping[str, str], firmware: Path = FIRMWARE) -> bool:
    """Compute Engine, Kubernetes Engine, Cloud Run, or a stand-in that `GCE_METADATA_HOST` names."""
    if variables.get("NO_GCE_CHECK", "").lower() == "true":
        return False
    if variables.get(METADATA_HOST) or variables.get("K_SERVICE") or variables.get("CLOUD_RUN_JOB"):
        return True
    return _firmware_says(firmware / "product_name", "Google")


def on_amazon(variables: Mapping[str, str], firmware: Path = FIRMWARE) -> bool:
    """An EC2 instance whose metadata isn't switched off."""
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    if variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return True
    return _firmware_says(firmware / "sys_vendor", "Amazon EC2")


def home_file(variables: Mapping[str, str], named: str, *below_home: str) -> Path | None:
    """The file that the variable names, else the usual one in the home folder; None: it isn't there."""
    home = variables.get("HOME") or variables.get("USERPROFILE")
    if variables.get(named):
        path = Path(variables[named]).expanduser()
    elif home:
        path = Path(home, *below_home)
    else:
        return None
    return path if path.is_file() else None


def _firmware_says(path: Path, maker: str) -> bool:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip().startswith(maker)
    except OSError:
        return False
