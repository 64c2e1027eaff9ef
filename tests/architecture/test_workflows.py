"""What runs with the project's rights elsewhere is pinned, and asks for no more rights than it needs."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_action_is_pinned_by_hash_and_says_its_version(workflow: Path) -> None:
    used = [line for line in workflow.read_text().splitlines() if re.search(r"\buses:", line)]
    assert used
    pinned = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    assert [line for line in used if not pinned.search(line)] == []


def test_an_action_has_one_hash_everywhere() -> None:
    found = {
        match.groups()
        for workflow in WORKFLOWS
        for match in re.finditer(r"uses: ([\w./-]+)@([0-9a-f]+)", workflow.read_text())
    }
    assert len(found) == len({name for name, _ in found})


def test_rights_are_given_to_single_jobs(workflow: Path) -> None:
    described = yaml.safe_load(workflow.read_text())
    assert described["permissions"] == {}
    for job in described["jobs"].values():
        assert "write-all" not in str(job.get("permissions", {}))


def test_every_supported_python_is_checked() -> None:
    described = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
    declared = re.findall(
        r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text()
    )
    assert described["jobs"]["unit"]["strategy"]["matrix"]["python"] == declared
