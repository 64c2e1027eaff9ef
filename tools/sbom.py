"""Writes what the built page holds of other people's packages, as CycloneDX, for the wheel (PEP 770).

`python tools/sbom.py TARGET` follows `dependencies` of web/package.json through the lock file. What only
builds the page stands in `devDependencies` and is left out; Python's packages aren't inside the wheel.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
SPECIFICATION = "1.6"

Packages = Mapping[str, Mapping[str, Any]]


def document(packages: Packages, version: str) -> dict[str, Any]:
    """The bill of materials; the same lock file gives the same document."""
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "grantha",
                "name": "grantha",
                "version": version,
                "purl": f"pkg:pypi/grantha@{version}",
            }
        },
        "components": [_component(place, packages[place]) for place in sorted(_shipped(packages))],
    }


def _shipped(packages: Packages) -> set[str]:
    """Entries of the lock file that are reached from the page's own dependencies."""
    found: set[str] = set()
    waiting = list(_needed(packages, ""))
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting.extend(_needed(packages, place))
    return found


def _needed(packages: Packages, place: str) -> Iterator[str]:
    for name in packages[place].get("dependencies", {}):
        # As Node looks packages up: from the folder of the package that needs them upwards.
        folder = place
        while (candidate := f"{folder}/node_modules/{name}".lstrip("/")) not in packages:
            if not folder:
                raise SystemExit(
                    f"{name}, which {place or 'the page'} needs, isn't in the lock file"
                )
            folder = folder.rpartition("node_modules/")[0].rstrip("/")
        yield candidate


def _component(place: str, package: Mapping[str, Any]) -> dict[str, Any]:
    name = place.rpartition("node_modules/")[2]
    version = package["version"]
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": place,
        "name": name,
        "version": version,
        "purl": f"pkg:npm/{quote(name, safe='/')}@{version}",
    }
    if "license" in package:
        component["licenses"] = [{"expression": package["license"]}]
    if integrity := package.get("integrity"):
        algorithm, _, digest = integrity.partition("-")
        content = base64.b64decode(digest).hex()
        component["hashes"] = [
            {"alg": algorithm.upper().replace("SHA", "SHA-"), "content": content}
        ]
    return component


def main() -> None:
    """The program."""
    sys.path.insert(0, str(ROOT / "src"))
    from grantha import __version__

    lock = json.loads((ROOT / "web/package-lock.json").read_text(encoding="utf-8"))
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(lock["packages"], __version__), indent=1)
    target.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
