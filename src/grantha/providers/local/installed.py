"""The models that this machine has: what each is, where it came from, and how it is deleted.

Only files in the data folder are deleted: those are Grantha's own. The package's file, and files that a
setting names, belong to somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grantha.config import Settings
from grantha.downloads.partial_file import part_of, remove_partial, size_of, storage_error
from grantha.errors import Conflict, UnknownModel
from grantha.providers.local import builtin
from grantha.providers.local.curated import CURATED, CuratedModel, curated_model
from grantha.providers.local.gguf import GgufHeader, InvalidModelFile
from grantha.providers.local.model_files import ModelFile, ModelFiles, files_of
from grantha.providers.model_downloads import InstalledModel, ModelOrigin

PROVIDER = "local"


def installed_models(
    settings: Settings, files: ModelFiles, curated: Sequence[CuratedModel] = CURATED
) -> tuple[InstalledModel, ...]:
    """All models of this machine, the default first. Reads headers and blocks."""
    return tuple(
        _installed(settings, files, file, curated_of(settings, file, curated))
        for file in files.files()
    )


def curated_of(
    settings: Settings, file: ModelFile, curated: Sequence[CuratedModel] = CURATED
) -> CuratedModel | None:
    """The model of the curated list whose download this file is, or None."""
    return next((model for model in curated if _path_of(settings, model) == file.path), None)


def title_of(
    file: ModelFile, header: GgufHeader | InvalidModelFile, offer: CuratedModel | None
) -> str:
    """The model's name for people: ours, else the file's own, else made of the file's name."""
    if file.published is not None:
        return builtin.TITLE
    if offer is not None:
        return offer.title
    return (isinstance(header, GgufHeader) and header.name) or file.name


def delete_model(
    settings: Settings, name: str, curated: Sequence[CuratedModel] = CURATED
) -> tuple[str, int]:
    """Deletes a model's files; returns its title and how many bytes they had.

    `name` is an id, with or without `local/`, a name of the curated list, or a file's name. A process that
    has the model loaded keeps it until it ends. Blocks. Raises `UnknownModel`, `StorageFailed`, and
    `Conflict` where the file isn't Grantha's or a setting names the model.
    """
    name = name.removeprefix(f"{PROVIDER}/")
    offer = next((model for model in curated if model.name == name), None)
    path = _path_of(settings, offer) if offer is not None else None
    files = ModelFiles(settings.folder(), settings.local_models)
    found = files.files()
    for file in found:
        if path == file.path or (offer is None and name in {file.name, file.path.name}):
            return _delete(settings, file, offer)
    names = ", ".join(file.name for file in found)
    raise UnknownModel(
        f"There is no local model {name[:60]!r}.",
        advice=f"Installed: {names}." if names else "No model is installed.",
        provider=PROVIDER,
    )


def delete_partial(settings: Settings, name: str) -> int | None:
    """Deletes what an unfinished download left, named as above; returns its bytes, or None.

    Blocks. Raises `Conflict` while it is being downloaded.
    """
    offer = curated_model(name)
    folder = builtin.models_folder(settings.folder())
    target = _path_of(settings, offer) if offer is not None else folder / Path(name).name
    if not part_of(target).is_file():
        return None
    size = size_of(part_of(target))
    remove_partial(target)
    return size


# ---- helpers below -------------------------------------------------------------------------------


def _delete(settings: Settings, file: ModelFile, offer: CuratedModel | None) -> tuple[str, int]:
    title = offer.title if offer is not None else file.name
    origin = _origin(settings, file)
    if origin == "package":
        raise Conflict(
            f"{title} is a part of the installed package {builtin.PACKAGE}.",
            advice=f"Uninstall {builtin.PACKAGE} to delete it.",
        )
    if origin == "settings":
        raise Conflict(
            f"{title} isn't in Grantha's data folder: {settings.label('local_models')} names it.",
            advice=f"Remove it from {settings.label('local_models')}, and delete {file.path} yourself.",
        )
    setting = _setting_with(settings, file)
    if setting is not None:
        raise Conflict(
            f"{settings.label(setting)} names {title}: without it the server couldn't start again.",
            advice=f"Change {settings.label(setting)} first.",
        )
    paths = files_of(file.path)
    size = sum(size_of(path) for path in paths)
    try:
        # The first one last: while it is there, a deletion that failed halfway can be repeated.
        for path in reversed(paths):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, file.path.parent) from error
    return title, size


def _installed(
    settings: Settings, files: ModelFiles, file: ModelFile, offer: CuratedModel | None
) -> InstalledModel:
    header = files.describe(file)
    name = offer.name if offer is not None else None
    return InstalledModel(
        f"{PROVIDER}/{file.name}",
        builtin.NAME if file.published is not None else name,
        title_of(file, header, offer),
        file.path.name,
        sum(size_of(path) for path in files_of(file.path)),
        _origin(settings, file),
    )


def _origin(settings: Settings, file: ModelFile) -> ModelOrigin:
    if file.path.parent == builtin.models_folder(settings.folder()):
        return "data-folder"
    return "package" if file.published is not None else "settings"


def _setting_with(settings: Settings, file: ModelFile) -> str | None:
    """The setting that a server wouldn't start with if the model were gone."""
    model = f"{PROVIDER}/{file.name}"
    if settings.default_model == model:
        return "default_model"
    if any(model in {first, *chain} for first, chain in settings.fallbacks.items()):
        return "fallbacks"
    named = {path.expanduser().resolve() for path in settings.local_models}
    return "local_models" if file.path.resolve() in named else None


def _path_of(settings: Settings, offer: CuratedModel) -> Path:
    return builtin.models_folder(settings.folder()) / offer.file
