"""Finds the local models: the built-in one, and GGUF files in folders or configured by name.

Names come from file names, so that looking one up opens no file. Descriptions are read once for each
state of a file. A file that can't be used stays listed, with the reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grantha.providers.local import builtin
from grantha.providers.local.builtin import PublishedFile
from grantha.providers.local.gguf import GgufHeader, InvalidModelFile, read_header

SUFFIX = ".gguf"
# A model in several files is loaded by its first one; llama.cpp finds the others.
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")
_PROJECTOR = re.compile(r"(^|[-_.])mmproj([-_.]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One model: its own id (without `local/`) and its file. `published` is set for the built-in one."""

    name: str
    path: Path
    published: PublishedFile | None = None

    @property
    def state(self) -> tuple[int, int] | None:
        """Size and time of change; None when the file is gone."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns


class ModelFiles:
    """`paths` are GGUF files or folders of them; the data folder's `models` comes before them."""

    def __init__(self, data_folder: Path, paths: Sequence[Path] = ()) -> None:
        self._data_folder = data_folder
        self._paths_given = paths
        self._described: dict[
            Path, tuple[tuple[int, int] | None, GgufHeader | InvalidModelFile]
        ] = {}

    def files(self) -> list[ModelFile]:
        """All models now, the built-in one first. Looks into folders, opens nothing."""
        found = self._builtin()
        seen = {file.path.resolve() for file in found}
        names = {file.name for file in found}
        for path in self._paths():
            resolved = path.resolve()
            if resolved in seen:
                continue
            seen.add(resolved)
            name = _unique_name(_name_of(path), names)
            names.add(name)
            found.append(ModelFile(name, path))
        return found

    def find(self, name: str) -> ModelFile | None:
        """The model of this name, or None."""
        return next((file for file in self.files() if file.name == name), None)

    def known(self, file: ModelFile) -> GgufHeader | InvalidModelFile | None:
        """The header read earlier; None if it wasn't read or the file has changed since."""
        state, described = self._described.get(file.path, (None, None))
        return described if described is not None and state == file.state else None

    def describe(self, file: ModelFile) -> GgufHeader | InvalidModelFile:
        """The file's header, or why it can't be used. Blocks: call it in a thread."""
        known = self.known(file)
        if known is not None:
            return known
        state = file.state
        described: GgufHeader | InvalidModelFile
        try:
            described = read_header(file.path)
        except InvalidModelFile as error:
            described = error
        self._described[file.path] = (state, described)
        return described

    def _builtin(self) -> list[ModelFile]:
        path = builtin.find(self._data_folder)
        return [ModelFile(builtin.NAME, path, PublishedFile())] if path is not None else []

    def _paths(self) -> Iterator[Path]:
        yield from _models_in(builtin.models_folder(self._data_folder))
        for place in self._paths_given:
            path = place.expanduser()
            if path.is_dir():
                yield from _models_in(path)
            else:
                yield path  # a missing file is shown with its reason, not passed over in silence


def files_of(path: Path) -> list[Path]:
    """All files of the model that is loaded by this one, in their order."""
    part = _PART.search(path.stem)
    if part is None:
        return [path]
    stem, total = path.stem[: part.start()], part[2]
    numbers = range(1, int(total) + 1)
    names = (path.with_name(f"{stem}-{number:05}-of-{total}{path.suffix}") for number in numbers)
    return [name for name in names if name == path or name.exists()]


def _models_in(folder: Path) -> Iterable[Path]:
    try:
        with os.scandir(folder) as entries:
            paths = sorted(Path(e.path) for e in entries if e.name.lower().endswith(SUFFIX))
    except OSError:
        return ()
    return [path for path in paths if not _is_other_part(path)]


def _is_other_part(path: Path) -> bool:
    part = _PART.search(path.stem)
    return (part is not None and part[1] != "00001") or _PROJECTOR.search(path.stem) is not None


def _name_of(path: Path) -> str:
    stem = path.stem if path.suffix.lower() == SUFFIX else path.name
    name = re.sub(r"[^a-z0-9._-]+", "-", _PART.sub("", stem).lower()).strip("-.")
    return name or "model"


def _unique_name(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
