"""The bill of materials names what the page's own dependencies bring, and nothing else."""

import json
import tomllib
from typing import Any

import pytest

from tools.sbom import ROOT, document

PACKAGES: dict[str, Any] = {
    "": {"dependencies": {"a": "^1"}, "devDependencies": {"builder": "^1"}},
    "node_modules/a": {"version": "1.2.0", "dependencies": {"b": "^1", "@s/c": "^3"}},
    "node_modules/a/node_modules/b": {"version": "1.0.0", "license": "MIT"},
    "node_modules/b": {"version": "2.0.0"},
    "node_modules/@s/c": {"version": "3.0.0", "dependencies": {"a": "^1"}},
    "node_modules/builder": {"version": "1.0.0", "dev": True},
}


def test_packages_are_looked_up_from_the_one_that_needs_them() -> None:
    found = document(PACKAGES, "1.0")["components"]
    assert [component["purl"] for component in found] == [
        "pkg:npm/%40s/c@3.0.0",
        "pkg:npm/a@1.2.0",
        "pkg:npm/b@1.0.0",
    ]
    assert found[2]["licenses"] == [{"expression": "MIT"}]


def test_a_package_that_the_lock_file_lacks_is_named() -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        document({"": {"dependencies": {"nowhere": "1"}}}, "1.0")


def test_every_shipped_package_has_a_hash() -> None:
    lock = json.loads((ROOT / "web/package-lock.json").read_text(encoding="utf-8"))
    found = document(lock["packages"], "1.0")["components"]
    names = {component["name"] for component in found}
    assert {"svelte", "@sveltejs/kit", "katex", "mermaid"} <= names
    assert {"vite", "eslint", "vitest"}.isdisjoint(names)
    for component in found:
        assert component["hashes"][0]["alg"] == "SHA-512"


def test_a_container_is_built_from_all_that_the_source_archive_holds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    sources = {name.strip("/").split("/")[0] for name in included} - {"build"}  # which make makes
    kept = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in sources} <= set(kept)
