"""Finding model files, and their names."""

import sys
from pathlib import Path

import pytest

from grantha.providers.local import builtin
from grantha.providers.local.gguf import GgufHeader, InvalidModelFile
from grantha.providers.local.model_files import ModelFiles
from tests.providers.local.conftest import Write


def _names(model_files: ModelFiles) -> list[str]:
    return [file.name for file in model_files.files() if file.published is None]


def test_files_of_the_data_folder_and_of_named_places_are_found(
    tmp_path: Path, write_gguf: Write
) -> None:
    write_gguf("models/One.Q4_K_M.gguf")
    write_gguf("more/two v2.GGUF")
    single = write_gguf("elsewhere/three.gguf")
    model_files = ModelFiles(tmp_path, [tmp_path / "more", single])
    assert _names(model_files) == ["one.q4_k_m", "two-v2", "three"]


def test_equal_names_are_distinguished_and_one_file_is_listed_once(
    tmp_path: Path, write_gguf: Write
) -> None:
    first, second = write_gguf("a/same.gguf"), write_gguf("b/same.gguf")
    model_files = ModelFiles(tmp_path, [first, second, tmp_path / "a"])
    assert _names(model_files) == ["same", "same-2"]


def test_a_model_in_parts_is_one_and_a_projector_is_none(tmp_path: Path, write_gguf: Write) -> None:
    for name in ("big-00001-of-00002", "big-00002-of-00002", "mmproj-big-f16"):
        write_gguf(f"models/{name}.gguf")
    assert _names(ModelFiles(tmp_path)) == ["big"]


def test_a_named_file_that_is_missing_stays_listed_with_the_reason(tmp_path: Path) -> None:
    model_files = ModelFiles(tmp_path, [tmp_path / "gone.gguf"])
    file = model_files.find("gone")
    assert file is not None
    assert "doesn't exist" in str(model_files.describe(file))


def test_a_description_is_kept_until_the_file_changes(tmp_path: Path, write_gguf: Write) -> None:
    path = write_gguf("models/one.gguf")
    model_files = ModelFiles(tmp_path)
    file = model_files.find("one")
    assert file is not None
    assert model_files.known(file) is None
    assert isinstance(model_files.describe(file), GgufHeader)
    assert isinstance(model_files.known(file), GgufHeader)
    path.write_bytes(b"not a model any more")
    assert model_files.known(file) is None
    assert isinstance(model_files.describe(file), InvalidModelFile)


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert _names(ModelFiles(tmp_path / "nowhere")) == []


def test_the_built_in_model_comes_first_and_is_found_in_the_data_folder_too(
    tmp_path: Path, write_gguf: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])  # as in an environment without the model's package
    assert builtin.find(tmp_path) is None

    write_gguf("models/another.gguf")
    write_gguf(f"models/{builtin.FILE}")
    files = ModelFiles(tmp_path).files()
    assert [file.name for file in files] == [builtin.NAME, "another"]
    assert files[0].published is not None
