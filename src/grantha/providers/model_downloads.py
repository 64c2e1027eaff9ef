"""Models that this machine has or could have, and the download that is going on.

The values and the protocol that the API uses; the local provider has the implementation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from grantha.errors import ErrorObject

DownloadState = Literal["running", "paused", "failed", "done"]
ModelOrigin = Literal["package", "data-folder", "settings"]


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """A model of the curated list. Sizes in bytes.

    `memory` is what a machine should have in all. `partial` is how much of an unfinished download is
    there. `model` is its id, `provider/model`, once it is installed.
    """

    name: str
    title: str
    description: str
    license: str
    source: str
    size: int
    memory: int
    partial: int
    model: str | None


@dataclass(frozen=True, slots=True)
class DownloadStatus:
    """The one download. `name` is the curated model's, None for another URL.

    `received` and `total` in bytes, `speed` in bytes a second over the last few; None is unknown. `error`
    says why it failed; `model` is the id of the finished model.
    """

    state: DownloadState
    name: str | None
    title: str
    host: str
    received: int
    total: int | None
    speed: float | None
    error: ErrorObject | None
    model: str | None


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model of this machine: its id, `provider/model`, its file and the size of all its files in bytes.

    `name` is the curated or the built-in model's, None for others. Only one with the origin `data-folder`
    can be deleted: the package's belongs to the installation, and those of the settings to the operator.
    """

    model: str
    name: str | None
    title: str
    file: str
    size: int
    origin: ModelOrigin


@dataclass(frozen=True, slots=True)
class Offers:
    """Everything at once. `free` is the disk's room, `memory` the machine's, in bytes; None is unknown.

    `engine` says whether what runs the models is installed.
    """

    models: tuple[ModelOffer, ...]
    installed: tuple[InstalledModel, ...]
    download: DownloadStatus | None
    free: int | None
    memory: int | None
    engine: bool


class ModelDownloads(Protocol):
    """Downloads one model at a time, on without a client and after a restart; deletes installed ones."""

    async def open(self) -> None:
        """Resumes what an earlier process left, if it was running."""
        ...

    async def aclose(self) -> None:
        """Stops the download; the next start resumes it."""
        ...

    async def offers(self) -> Offers:
        """The curated list, with what is installed, and the download."""
        ...

    async def start_curated(self, name: str) -> DownloadStatus:
        """Starts a model of the list, or resumes its partial download.

        Raises `UnknownModel`, `Conflict` while another download is unfinished or when it is installed,
        `StorageFull`.
        """
        ...

    async def start_url(self, url: str, sha256: str | None) -> DownloadStatus:
        """Starts a GGUF file from a URL. Raises `BadRequest` for another address, else as above."""
        ...

    async def resume(self) -> DownloadStatus:
        """Resumes a paused or failed download. Raises `NotFound`, `Conflict`, `StorageFull`."""
        ...

    async def pause(self) -> DownloadStatus:
        """Stops it; what has arrived is kept. Raises `NotFound`, `Conflict` when it has ended."""
        ...

    async def remove(self) -> None:
        """Stops it and removes what has arrived, or forgets how it ended. Raises `NotFound`."""
        ...

    async def delete_installed(self, name: str) -> None:
        """Deletes the model of this id (without `local/`); answers that it is writing are finished.

        Raises `UnknownModel`, `StorageFailed`, and `Conflict` where it isn't Grantha's to delete.
        """
        ...
