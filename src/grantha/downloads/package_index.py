"""Packages on an index, by the simple API (PEP 503 and 691) or in a folder of wheels.

Asks every configured place in turn. An index that can't be reached is an error only when no other
has the package.
"""

from __future__ import annotations

import asyncio
import html.parser
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

import aiohttp
from typing_extensions import override

from grantha.downloads.index_settings import IndexSettings
from grantha.errors import Unreachable

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_MAX_PAGE = 32 << 20
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One available wheel. `url` is http(s) or file."""

    filename: str
    version: str
    url: str
    sha256: str | None = None
    yanked: bool = False

    @property
    def path(self) -> Path | None:
        """The file, where it lies on this machine."""
        return _path_of(self.url)


class PackageIndex:
    """All places that packages come from on this machine."""

    def __init__(self, session: aiohttp.ClientSession, settings: IndexSettings) -> None:
        self._session = session
        self._settings = settings

    async def wheels(self, package: str) -> list[Wheel]:
        """The wheels of a package, from the first place that has any.

        Raises `Unreachable` when a place can't be reached and no other has it.
        """
        failure: Unreachable | None = None
        name = _canonical(package)
        places = [
            *self._settings.links,
            *(f"{i.rstrip('/')}/{name}/" for i in self._settings.indexes),
        ]
        for place in places:
            try:
                found = [wheel for wheel in await self._files(place) if _is_of(wheel, name)]
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                host = urlsplit(place).hostname or place
                failure = Unreachable(
                    f"The package index {host} couldn't be reached to look for {package}"
                )
                failure.__cause__ = error
                continue
            if found:
                return found
        if failure is not None:
            raise failure
        return []

    async def _files(self, place: str) -> list[Wheel]:
        path = _path_of(place)
        if path is not None:
            return await asyncio.to_thread(_in_folder, path)
        async with self._session.get(place, headers={"Accept": _ACCEPT}) as response:
            if response.status in {404, 410}:
                return []
            response.raise_for_status()
            if (response.content_length or 0) > _MAX_PAGE:
                raise ValueError("its list of files is too large")
            text = await response.text()
            if response.content_type.endswith("json"):
                return list(_in_json(json.loads(text), str(response.url)))
            return _in_page(text, str(response.url))


def _in_json(page: Any, base: str) -> Iterator[Wheel]:
    for row in page["files"]:
        version = _version(row["filename"])
        if version is not None:
            digest = (row.get("hashes") or {}).get("sha256")
            url = urljoin(base, row["url"])
            yield Wheel(row["filename"], version, url, digest, bool(row.get("yanked")))


def _in_page(text: str, base: str) -> list[Wheel]:
    reader = _Links(base)
    reader.feed(text)
    return reader.found


def _in_folder(folder: Path) -> list[Wheel]:
    page = folder / "index.html"
    if page.is_file():
        return _in_page(page.read_text(encoding="utf-8"), folder.resolve().as_uri() + "/")
    if not folder.is_dir():
        return []
    return [
        Wheel(path.name, version, path.resolve().as_uri())
        for path in sorted(folder.iterdir())
        if (version := _version(path.name)) is not None
    ]


class _Links(html.parser.HTMLParser):
    """The anchors of a page of the simple API."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.found: list[Wheel] = []
        self._base = base

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if tag == "base" and href:
            self._base = urljoin(self._base, href)
        if tag != "a" or not href:
            return
        address, _, fragment = urljoin(self._base, href).partition("#")
        filename = unquote(address.rpartition("/")[2])
        version = _version(filename)
        if version is not None:
            digest = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
            yanked = "data-yanked" in values
            self.found.append(Wheel(filename, version, address, digest, yanked))


def _version(filename: str) -> str | None:
    found = _WHEEL.fullmatch(filename)
    return found["version"] if found is not None else None


def _is_of(wheel: Wheel, name: str) -> bool:
    return _canonical(wheel.filename.partition("-")[0]) == name


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _path_of(place: str) -> Path | None:
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme in {"http", "https"} else Path(place).expanduser()
