"""Images of other hosts, fetched for the page: a few at a time, each bounded in size and time.

The browser never contacts a host that an answer names. Whatever that host calls it, the type of an image
is the one that its first bytes show, as for attachments. SVG can hold scripts and isn't accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grantha.downloads.egress import Egress
from grantha.errors import Busy, Forbidden, MalformedReply, TimedOut
from grantha.wire import images

if TYPE_CHECKING:
    from grantha.downloads.small_file import SmallFiles

MAX_SIZE = 10 * 1024 * 1024  # bytes
_CONCURRENT = 4  # in memory at the same time
_MAX_WAITING = 60
_FETCH_SECONDS = 20.0  # with the wait for a turn
_SEND_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """The bytes, and the media type that they show."""

    media_type: str
    data: bytes


class RemoteImages:
    """Made once for a server. `networks` are allowed besides the public internet. Close it in the end.

    An image has `fetch_seconds` to arrive, and then `send_seconds` to be taken by the client.
    """

    def __init__(
        self,
        networks: tuple[str, ...],
        *,
        fetch_seconds: float = _FETCH_SECONDS,
        send_seconds: float = _SEND_SECONDS,
    ) -> None:
        self.send_seconds = send_seconds
        self._egress = Egress(networks)
        self._fetch_seconds = fetch_seconds
        self._files: SmallFiles | None = None
        self._turns = asyncio.Semaphore(_CONCURRENT)
        self._waiting = 0

    def close(self) -> None:
        """Gives back what fetching took."""
        if self._files is not None:
            self._files.close()

    @asynccontextmanager
    async def fetched(self, url: str) -> AsyncIterator[RemoteImage]:
        """The image, which counts as one of those in memory while the block runs.

        Raises `Busy` where too many wait, `TimedOut`, `MalformedReply` for anything but an image, and
        what `SmallFiles.fetch` raises.
        """
        if self._waiting >= _MAX_WAITING:
            raise Busy("Too many images are being loaded.")
        deadline = asyncio.get_running_loop().time() + self._fetch_seconds
        self._waiting += 1
        try:
            async with _until(deadline):
                await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            async with _until(deadline):
                image = await self._fetch(url)
            yield image
        finally:
            self._turns.release()

    async def _fetch(self, url: str) -> RemoteImage:
        if self._files is None:
            # The HTTP client is loaded after the start.
            from grantha.downloads.small_file import SmallFiles

            self._files = SmallFiles(self._egress, ", ".join(images.MEDIA_TYPES), MAX_SIZE)
        try:
            data = await self._files.fetch(url, _media_type)
        except Forbidden as error:
            error.advice = "An administrator can allow the network in GRANTHA_IMAGE_NETWORKS."
            raise
        return RemoteImage(_media_type(data[: images.HEAD]), data)


# ---- helpers below -------------------------------------------------------------------------------


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise TimedOut("The image took too long to arrive") from error


def _media_type(head: bytes) -> str:
    """Raises `MalformedReply` for anything but PNG, JPEG, GIF and WebP."""
    found = images.media_type_of(head)
    if found is None:
        raise MalformedReply("What arrived isn't a PNG, JPEG, GIF or WebP image")
    return found
