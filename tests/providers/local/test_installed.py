"""Which models a machine has, and which of them can be deleted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from grantha.config import Settings
from grantha.errors import Conflict, StorageFailed, UnknownModel
from grantha.providers.local import builtin
from grantha.providers.local.curated import CURATED
from grantha.providers.local.installed import delete_model, delete_partial, installed_models
from grantha.providers.local.model_files import ModelFiles
from tests.providers.local.conftest import Write


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment without the built-in model's package."""
    monkeypatch.setattr(sys, "path", [])


def _settings(folder: Path, **changes: object) -> Settings:
    return Settings.model_validate({"data_dir": folder, **changes})


def _names(settings: Settings) -> list[str]:
    return [file.name for file in ModelFiles(settings.folder(), settings.local_models).files()]


def test_each_model_says_what_it_is_and_where_it_is_from(tmp_path: Path, write_gguf: Write) -> None:
    own, named = write_gguf("models/own.gguf"), write_gguf("elsewhere/named.gguf")
    write_gguf(f"models/{CURATED[0].file}")
    (tmp_path / "models" / builtin.FILE).write_bytes(b"unread")
    settings = _settings(tmp_path, local_models=(named,))
    found = installed_models(settings, ModelFiles(tmp_path, settings.local_models))
    assert [(model.model, model.name, model.title, model.origin) for model in found] == [
        (f"local/{builtin.NAME}", builtin.NAME, builtin.TITLE, "data-folder"),
        (
            f"local/{CURATED[0].file[:-5].lower()}",
            CURATED[0].name,
            CURATED[0].title,
            "data-folder",
        ),
        ("local/own", None, "Little One", "data-folder"),
        ("local/named", None, "Little One", "settings"),
    ]
    assert (found[2].file, found[2].size) == ("own.gguf", own.stat().st_size)


@pytest.mark.parametrize("name", ["local/own", "own", "own.gguf"])
def test_a_model_is_deleted_by_its_id_or_its_file(
    tmp_path: Path, write_gguf: Write, name: str
) -> None:
    size = write_gguf("models/own.gguf").stat().st_size
    write_gguf("models/other.gguf")
    settings = _settings(tmp_path)
    assert delete_model(settings, name) == ("own", size)
    assert _names(settings) == ["other"]
    with pytest.raises(UnknownModel) as caught:
        delete_model(settings, name)
    assert caught.value.advice == "Installed: other."


def test_a_curated_model_is_deleted_by_its_name(tmp_path: Path, write_gguf: Write) -> None:
    # Its name is no id of another file's, however alike.
    write_gguf(f"models/{CURATED[0].name}.gguf")
    write_gguf(f"models/{CURATED[0].file}")
    settings = _settings(tmp_path)
    assert delete_model(settings, CURATED[0].name)[0] == CURATED[0].title
    assert _names(settings) == [CURATED[0].name]


def test_all_files_of_a_model_in_parts_are_deleted(tmp_path: Path, write_gguf: Write) -> None:
    for number in (1, 2, 3):
        write_gguf(f"models/big-0000{number}-of-00003.gguf")
    write_gguf("models/big-00001-of-00002.gguf")
    write_gguf("models/mmproj-big.gguf")
    settings = _settings(tmp_path)
    (first, second) = installed_models(settings, ModelFiles(tmp_path))
    assert (first.file, second.file) == ("big-00001-of-00002.gguf", "big-00001-of-00003.gguf")
    assert second.size == 3 * first.size
    assert delete_model(settings, second.model) == ("big-2", second.size)
    left = {path.name for path in (tmp_path / "models").iterdir()}
    assert left == {"big-00001-of-00002.gguf", "mmproj-big.gguf"}


def test_only_the_link_to_a_file_elsewhere_is_deleted(tmp_path: Path, write_gguf: Write) -> None:
    elsewhere = write_gguf("elsewhere/real.gguf")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.gguf").symlink_to(elsewhere)
    delete_model(_settings(tmp_path), "own")
    assert elsewhere.exists()
    assert not (tmp_path / "models/own.gguf").is_symlink()


def test_files_of_others_are_not_deleted(
    tmp_path: Path, write_gguf: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged, named = write_gguf("package/model.gguf"), write_gguf("elsewhere/named.gguf")
    monkeypatch.setattr(builtin, "find", lambda _folder: packaged)
    settings = _settings(tmp_path, local_models=(named,))
    with pytest.raises(Conflict, match=builtin.PACKAGE):
        delete_model(settings, builtin.NAME)
    with pytest.raises(Conflict, match="GRANTHA_LOCAL_MODELS") as caught:
        delete_model(settings, "named")
    assert str(named) in caught.value.advice
    assert packaged.exists()
    assert named.exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("default_model", "local/own"),
        ("fallbacks", {"openai/gpt-5": ("scripted/hello", "local/own")}),
        ("fallbacks", {"local/own": ("scripted/hello",)}),
        ("local_models", ()),
    ],
)
def test_what_a_start_needs_is_not_deleted(
    tmp_path: Path, write_gguf: Write, setting: str, value: object
) -> None:
    path = write_gguf("models/own.gguf")
    if setting == "local_models":
        value = (path,)
    with pytest.raises(Conflict, match=f"GRANTHA_{setting.upper()}|{setting} in grantha.toml"):
        delete_model(_settings(tmp_path, **{setting: value}), "own")
    assert path.exists()


def test_what_an_unfinished_download_left_is_deleted(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    settings = _settings(tmp_path)
    for name, file in ((CURATED[0].name, CURATED[0].file), ("own.gguf", "own.gguf")):
        (models / f".{file}.part").write_bytes(b"12345")
        (models / f".{file}.part.json").write_text("{}")
        assert delete_partial(settings, name) == 5
        assert delete_partial(settings, name) is None
    assert list(models.iterdir()) == []
    assert delete_partial(settings, "../models/own.gguf") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, write_gguf: Write) -> None:
    path = write_gguf("models/own.gguf")
    path.parent.chmod(0o500)
    try:
        with pytest.raises(StorageFailed, match="can't be written"):
            delete_model(_settings(tmp_path), "own")
    finally:
        path.parent.chmod(0o700)
