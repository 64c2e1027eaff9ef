"""The table of public bug reports names only tests and fixtures that exist."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "fixtures" / "public-reports.toml").read_text(encoding="utf-8")
REPORTS: dict[str, str] = tomllib.loads(TABLE)


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_is_tested_where_the_table_says(report: str) -> None:
    if REPORTS[report].startswith("none: "):
        return  # it has no counterpart here, for the reason that follows
    place, _, function = REPORTS[report].partition("::")
    path = ROOT / place
    assert path.is_file(), f"{report}: there is no {place}"
    if function:
        sought = f"def {function}(" if path.suffix == ".py" else function  # the title of a test
        assert sought in path.read_text(encoding="utf-8"), f"{report}: no {function}"
