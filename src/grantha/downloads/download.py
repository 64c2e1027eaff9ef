"""One file over HTTP: resumed by `Range` after every interruption, verified by size and SHA-256.

A part is continued only when it is surely of the same file: because the SHA-256 is known beforehand,
or because the server repeats the version (RFC 9110, `If-Range` with a strong ETag or a date).
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from grantha.downloads.egress import Egress, RefusedAddress
from grantha.downloads.partial_file import PartialFile
from grantha.downloads.threads import run_to_completion
from grantha.errors import Forbidden, GranthaError, ProviderFailed, Unreachable

BLOCK = 1 << 20
ATTEMPTS = 6  # in a row without a single byte
FIRST_ATTEMPTS = 2  # to reach a host that hasn't been reached yet
SILENCE = 30.0  # seconds without a byte after which a connection counts as broken
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if known


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Where a file is, and what it must be. `sha256` in lower-case hexadecimal."""

    url: str
    size: int | None = None
    sha256: str | None = None

    @property
    def host(self) -> str:
        """For messages: an address may hold a password."""
        return urlsplit(self.url).hostname or self.url


class _TryAgain(Exception):
    """The server is there and can't serve now."""


def open_session(
    certificates: str | None = None, silence: float = SILENCE, egress: Egress | None = None
) -> aiohttp.ClientSession:
    """A session for downloads. Proxies and netrc count, as they do for pip and curl.

    `certificates` is a file of trusted authorities besides the system's. A connection that brings no byte
    for `silence` seconds counts as broken. `egress` bounds what is connected to; None is no bound.
    """
    context = ssl.create_default_context()
    if certificates:
        context.load_verify_locations(certificates)
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=silence),
        headers={"User-Agent": "grantha", "Accept-Encoding": "identity"},
        connector=aiohttp.TCPConnector(
            ssl=context, socket_factory=egress.open_socket if egress is not None else None
        ),
        trust_env=True,
    )


async def download(
    session: aiohttp.ClientSession,
    remote: RemoteFile,
    target: Path,
    progress: Progress,
    *,
    check: Callable[[Path], None] | None = None,
    pause: float = 1.0,
) -> None:
    """Puts the remote file at `target`. What arrived is kept when it fails or is cancelled.

    `pause` is the first wait between two attempts, in seconds; it doubles. Raises `Unreachable`,
    `ProviderFailed` for another content, `Conflict` while the same file is being downloaded,
    `StorageFull`, `StorageFailed`, and what `check` raises.
    """
    part = await run_to_completion(PartialFile.open, target)
    try:
        if remote.size is not None and await run_to_completion(part.is_done, remote.size):
            return  # by another process, before the lock was ours
        while await run_to_completion(part.read_back):
            pass
        await _fill(session, remote, part, progress, pause)
        await run_to_completion(part.complete, remote.size, remote.sha256, check)
    finally:
        await run_to_completion(part.close)


async def copy(
    source: Path,
    remote: RemoteFile,
    target: Path,
    progress: Progress,
    *,
    check: Callable[[Path], None] | None = None,
) -> None:
    """The same from a file of this machine. Raises like `download`."""
    part = await run_to_completion(PartialFile.open, target)
    try:
        await run_to_completion(part.restart, None)
        try:
            with await run_to_completion(source.open, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                part.make_room(size)
                while block := await run_to_completion(file.read, BLOCK):
                    await run_to_completion(part.append, block)
                    progress(part.size, size)
        except OSError as error:
            raise ProviderFailed(f"{source} can't be read: {error.strerror}") from error
        await run_to_completion(part.complete, remote.size, remote.sha256, check)
    finally:
        await run_to_completion(part.close)


async def _fill(
    session: aiohttp.ClientSession,
    remote: RemoteFile,
    part: PartialFile,
    progress: Progress,
    pause: float,
) -> None:
    failures, began = 0, part.size
    while True:
        before = part.size
        try:
            await _receive(session, remote, part, progress)
            return
        except (aiohttp.ClientError, TimeoutError, ConnectionError, _TryAgain) as error:
            if (final := _final(error, remote)) is not None:
                raise final from error
            failures = 1 if part.size > before else failures + 1
            away = isinstance(error, aiohttp.ClientConnectorError) and part.size == began
            if failures >= (FIRST_ATTEMPTS if away else ATTEMPTS):
                raise _unreachable(remote, part, error) from error
        await asyncio.sleep(pause * 2 ** (failures - 1))


async def _receive(
    session: aiohttp.ClientSession, remote: RemoteFile, part: PartialFile, progress: Progress
) -> None:
    """One attempt: returns when all of the file is there."""
    if remote.size is not None and part.size == remote.size:
        return
    if remote.size is not None and part.size > remote.size:
        part.restart(None)
    async with session.get(remote.url, headers=_range(remote, part)) as response:
        total = await _begin(response, remote, part)
        if total is None:
            return
        if remote.size is not None and total >= 0 and total != remote.size:
            raise ProviderFailed(
                f"{remote.host} has a different {part.name}: {total:,} bytes "
                f"instead of {remote.size:,}",
                provider="local",
            )
        expected = total if total >= 0 else remote.size
        if expected is not None:
            part.make_room(expected)
        progress(part.size, expected)
        # What lies in the buffer when a connection breaks is lost: it is written as it comes.
        async for block in response.content.iter_any():
            if expected is None:  # an endless one must not fill the database's disk
                part.make_room(part.size + len(block))
            await run_to_completion(part.append, block)
            progress(part.size, expected)
            if expected is not None and part.size > expected:
                return  # `complete` refuses it


def _range(remote: RemoteFile, part: PartialFile) -> dict[str, str]:
    if not part.size or (remote.sha256 is None and part.validator is None):
        return {}
    headers = {"Range": f"bytes={part.size}-"}
    if part.validator is not None:
        headers["If-Range"] = part.validator
    return headers


async def _begin(
    response: aiohttp.ClientResponse, remote: RemoteFile, part: PartialFile
) -> int | None:
    """The size of the whole file, -1 where it isn't known; None: everything is there already."""
    status, found = response.status, _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = int(found[2]) if found is not None and found[2] != "*" else -1
    if status == 206 and found is not None and found[1] == str(part.size):
        return total
    if status == 416 and total == part.size:
        return None
    if status in {206, 416}:  # not the range that was requested
        await run_to_completion(part.restart, None)
        raise _TryAgain
    if status == 200:
        await run_to_completion(part.restart, _validator(response))
        return response.content_length if response.content_length is not None else -1
    if status == 429 or status >= 500:
        raise _TryAgain(f"HTTP {status}")
    raise _refused(status, remote, part.name)


def _validator(response: aiohttp.ClientResponse) -> str | None:
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _refused(status: int, remote: RemoteFile, name: str) -> GranthaError:
    if status in {404, 410}:
        why = f"{remote.host} doesn't have {name} (HTTP {status})"
    elif status in {401, 403}:
        why = f"{remote.host} doesn't offer {name} without a login (HTTP {status})"
    else:
        why = f"{remote.host} refused {name} (HTTP {status})"
    return ProviderFailed(why, advice="Get the file from another place.", provider="local")


def _final(error: Exception, remote: RemoteFile) -> GranthaError | None:
    """What an error means that another attempt can't change; None for all others."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.TooManyRedirects):
        return ProviderFailed(
            f"{remote.host} leads to an address that can't be used",
            advice="Check the address.",
            provider="local",
        )
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, RefusedAddress
    ):
        return Forbidden(
            f"{remote.host} leads into a private network, where downloads aren't allowed",
            advice="Add the network to GRANTHA_DOWNLOAD_NETWORKS, or use `grantha models fetch`.",
        )
    return None


def _unreachable(remote: RemoteFile, part: PartialFile, error: Exception) -> GranthaError:
    kept = f"; {part.size:,} bytes are kept" if part.size else ""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Unreachable(
            f"The certificate of {remote.host} isn't trusted{kept}",
            advice="Set SSL_CERT_FILE to the file of your certificate authority.",
            provider="local",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        why = f"{remote.host} can't be reached"
    elif isinstance(error, _TryAgain):
        why = f"{remote.host} can't serve {part.name} now" + (f" ({error})" if str(error) else "")
    else:
        why = f"The connection to {remote.host} kept breaking"
    return Unreachable(why + kept, advice="Try again: it resumes from there." if kept else "")
