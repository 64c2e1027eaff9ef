"""Which package indexes this machine is set up for, as uv and pip have them: variables, then files.

Neither needs to be installed. When nothing is configured the index is pip's own default, read from
the copy of pip that every Python carries for `ensurepip`; its address is written nowhere here.
"""

from __future__ import annotations

import configparser
import ensurepip
import re
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_DEFAULT_OF_PIP = re.compile(r'^PyPI = PackageIndex\(\s*"([^"]+)"', re.MULTILINE)
_IN_PIP = "_internal/models/index.py"


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """`indexes` follow the simple API, `links` are folders or pages of files, in the order to ask.

    `certificates` is a file of trusted authorities.
    """

    indexes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    certificates: str | None = None


def read_index_settings(variables: Mapping[str, str]) -> IndexSettings:
    """What counts for this process. A file that can't be read counts as absent."""
    sources = [
        _from_variables(variables),
        *(_from_uv(path) for path in _uv_files(variables)),
        *(_from_pip(path) for path in _pip_files(variables)),
    ]
    main = next((s["main"] for s in sources if s.get("main")), None)
    offline = any(source.get("offline") for source in sources)
    if main is None and not offline:
        main = default_index()
    extra = [url for source in sources for url in source.get("extra", ())]
    links = [url for source in sources for url in source.get("links", ())]
    certificates = next((s["certificates"] for s in sources if s.get("certificates")), None)
    indexes = [] if offline else [*([main] if main else []), *extra]
    return IndexSettings(tuple(dict.fromkeys(indexes)), tuple(dict.fromkeys(links)), certificates)


def default_index() -> str | None:
    """pip's own default index; None when this Python carries no pip at all."""
    for text in _texts_of_pip():
        found = _DEFAULT_OF_PIP.search(text)
        if found is not None:
            return f"{found[1].rstrip('/')}/simple"
    return None


def _from_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    def words(*names: str) -> list[str]:
        return [word for name in names for word in variables.get(name, "").split()]

    main = [*words("UV_DEFAULT_INDEX"), *words("UV_INDEX_URL"), *words("PIP_INDEX_URL")]
    extra = words("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
    links = [word for word in variables.get("UV_FIND_LINKS", "").split(",") if word]
    return {
        # uv lets an index have a name before its address.
        "main": _unnamed(main[0]) if main else None,
        "extra": [_unnamed(url) for url in extra],
        "links": [*links, *words("PIP_FIND_LINKS")],
        "offline": variables.get("UV_NO_INDEX") or variables.get("PIP_NO_INDEX"),
        "certificates": variables.get("PIP_CERT"),
    }


def _unnamed(url: str) -> str:
    return re.sub(r"^[A-Za-z0-9_.-]+=", "", url)


def _uv_files(variables: Mapping[str, str]) -> Iterator[Path]:
    if named := variables.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    yield _config_home(variables) / "uv" / "uv.toml"
    yield Path("/etc/uv/uv.toml")


def _from_uv(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    found = {**found, **_table(found.get("pip"))}
    rows = [row for row in _list(found.get("index")) if isinstance(row, dict) and row.get("url")]
    main = [row["url"] for row in rows if row.get("default")] or _list(found.get("index-url"))
    extra = [row["url"] for row in rows if not row.get("default")]
    return {
        "main": str(main[0]) if main else None,
        "extra": [str(url) for url in [*extra, *_list(found.get("extra-index-url"))]],
        "links": [str(place) for place in _list(found.get("find-links"))],
        "offline": found.get("no-index"),
    }


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _pip_files(variables: Mapping[str, str]) -> Iterator[Path]:
    """The most specific first: it takes precedence in pip."""
    if named := variables.get("PIP_CONFIG_FILE"):
        yield Path(named)
        if named == "/dev/null":
            return
    home = Path(variables.get("HOME") or "~").expanduser()
    yield Path(sys.prefix) / "pip.conf"
    yield _config_home(variables) / "pip" / "pip.conf"
    yield home / ".pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    for folder in (variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(folder) / "pip" / "pip.conf"


def _from_pip(path: Path) -> dict[str, Any]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    found: dict[str, str] = {}
    for section in ("global", "install", "download"):
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return {
        "main": (found.get("index-url") or "").strip() or None,
        "extra": found.get("extra-index-url", "").split(),
        "links": found.get("find-links", "").split(),
        "offline": found.get("no-index", "").lower() in {"1", "true", "yes", "on"},
        "certificates": found.get("cert"),
    }


def _config_home(variables: Mapping[str, str]) -> Path:
    named = variables.get("XDG_CONFIG_HOME")
    return Path(named) if named else Path(variables.get("HOME") or "~").expanduser() / ".config"


def _texts_of_pip() -> Iterable[str]:
    installed = find_spec("pip")
    if installed is not None and installed.origin is not None:
        path = Path(installed.origin).parent / _IN_PIP
        if path.is_file():
            yield path.read_text(encoding="utf-8")
    # Debian keeps the wheels that ensurepip installs in a folder of their own.
    bundled = Path(ensurepip.__file__).parent / "_bundled"
    for folder in (bundled, Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or bundled)):
        for wheel in sorted(folder.glob("pip-*.whl")):
            try:
                with zipfile.ZipFile(wheel) as packed:
                    yield packed.read(f"pip/{_IN_PIP}").decode()
            except (OSError, KeyError, zipfile.BadZipFile):
                continue
