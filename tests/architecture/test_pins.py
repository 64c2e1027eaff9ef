"""The lock files: everything pinned by hash, and the tests run on the versions that people run."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
PIN = re.compile(r"^([a-z0-9.\-]+)==(\S+)(?: ; ([^\\]*\S))? \\$", re.MULTILINE)


def _pins(name: str) -> dict[tuple[str, str], str]:
    """Version by package and environment marker."""
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    return {(package, marker): version for package, version, marker in PIN.findall(text)}


@pytest.mark.parametrize("part", ["run.txt", "uv.txt"])
def test_development_pins_hold_every_other_pin_at_the_same_version(part: str) -> None:
    pins = _pins(part)

    assert pins
    assert pins.items() <= _pins("dev.txt").items()


@pytest.mark.parametrize("name", ["dev.txt", "run.txt", "uv.txt"])
def test_every_pin_has_a_hash_and_nothing_else_stands_in_the_file(name: str) -> None:
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    pins = [entry for entry in entries if not entry.startswith("#")]

    assert len(pins) == len(_pins(name))
    assert [entry for entry in pins if "--hash=sha256:" not in entry] == []
