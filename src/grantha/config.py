"""Settings, read once at start. Nothing else reads the environment.

Order of precedence: command line, environment (`GRANTHA_…`), `grantha.toml` in the working folder
or the data folder, defaults. Vendor variables such as OPENAI_API_KEY are kept in `variables`, which
is never shown in a repr. Refuses to know what providers do with them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from grantha.errors import BadRequest
from grantha.setting_problems import invalid_setting, unknown_setting
from grantha.setting_types import (
    BaseUrl,
    HostName,
    ListenAddress,
    LogLevel,
    Network,
    ServerUrl,
    Token,
    WebOrigin,
)

PREFIX = "GRANTHA_"
PLUGINS = "grantha.providers"  # the entry point group of providers by third parties
_ONLY_IN_FILE = frozenset({"providers", "timeouts", "fallbacks"})
_NOT_A_SETTING = frozenset({"variables", "sources"})
# What a child process gets: it runs native code that has no business with the keys.
_OF_CHILDREN = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
)
# Names of the environment that aren't settings: where the file is, and the image of compose.yaml.
_OTHER_NAMES = frozenset({"GRANTHA_CONFIG", "GRANTHA_IMAGE"})
_BASE_URL = "_BASE_URL"


def _none_for_never(value: object) -> object:
    return None if value == "never" else value  # TOML and the environment have no null


class ProviderSettings(BaseModel):
    """One `[providers.NAME]` table: a further compatible host, or changes to a known provider.

    `api_key_variable` names the environment variable with the key; a key itself may stand in
    `api_key`, though the environment is the better place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: str | None = None
    base_url: BaseUrl | None = None
    api_key: str | None = Field(default=None, repr=False)
    api_key_variable: str | None = None
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)  # id -> capability overrides
    enabled: bool = True


class Timeouts(BaseModel):
    """Upstream deadlines, in seconds. Reasoning models are silent for minutes at first."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    connect: float = Field(default=10.0, gt=0)
    first_byte: float = Field(default=300.0, gt=0)
    between_chunks: float = Field(default=90.0, gt=0)


class Settings(BaseModel):
    """Everything that can be set. Sizes in bytes, times in seconds unless named otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: ListenAddress = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("~/.local/share/grantha")
    token: Token | None = Field(default=None, repr=False)
    cors_origins: tuple[WebOrigin, ...] = ()
    allowed_hosts: tuple[HostName, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    default_model: str | None = None
    fallbacks: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # model id -> chain
    titles: bool = True

    # upstream calls of one answer, counted over restarts (engine/call_budget.py)
    max_calls: int = Field(default=20, ge=1)
    max_resent: int = Field(default=400_000, ge=0)  # characters of prompt and answer sent again
    max_writing_time: float = Field(default=7200.0, gt=0)

    # length of one answer (engine/answer_length.py)
    max_answer: int = Field(default=4 * 1024 * 1024, gt=0)
    max_answer_tokens: int = Field(default=1_000_000, gt=0)

    # seconds for which an answer to a client of the compatible APIs or of the simple endpoint is written
    # on after that client, and every other reader, has left; "never" lets it be written to its end
    abandon_after: Annotated[
        Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, BeforeValidator(_none_for_never)
    ] = 10.0

    # the log
    synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL"
    flush_ms: float = Field(default=40.0, gt=0)
    flush_ms_behind: float = Field(default=200.0, gt=0)
    flush_bytes: int = Field(default=2048, gt=0)
    record_ttl: float = Field(default=3600.0, ge=0, le=100_000_000)  # three years
    tail_bytes: int = Field(default=64 * 1024, ge=0)
    heartbeat: float = Field(default=10.0, gt=0)
    drain: float = Field(default=5.0, ge=0)

    # limits on requests
    max_body: int = Field(default=8 * 1024 * 1024, gt=0)
    max_import: int = Field(default=64 * 1024 * 1024, gt=0)  # a file of conversations
    max_document: int = Field(default=32 * 1024 * 1024, gt=0)  # a document to be read
    max_json_depth: int = Field(default=64, gt=0)
    max_connections: int = Field(default=4096, gt=0)
    max_readers: int = Field(default=4096, gt=0)
    header_timeout: float = Field(default=10.0, gt=0)
    body_timeout: float = Field(default=60.0, gt=0)

    # the local model
    local_enabled: bool = True
    local_models: tuple[Path, ...] = ()  # GGUF files or folders of them
    local_threads: int | None = Field(default=None, gt=0)
    local_slots: int = Field(default=4, gt=0)
    local_context: int = Field(default=2048, gt=0)  # tokens a slot
    local_idle: float = Field(default=600.0, ge=0)
    # networks, besides the public internet, from which models may be downloaded by URL through the API
    download_networks: tuple[Network, ...] = ()
    # the same for images in answers: their addresses are written by models
    image_networks: tuple[Network, ...] = ()

    # the scripted provider, for tests and tutorials
    scripted: bool = False
    script_dir: Path | None = None

    timeouts: Timeouts = Timeouts()
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    log_level: LogLevel = "info"
    pad_frames: int = Field(default=0, ge=0, le=65536)  # 0 is off
    compression: bool = True

    # the command line as a client; without `url` it is the server of these same settings
    url: ServerUrl | None = None

    variables: Mapping[str, str] = Field(default_factory=dict, repr=False, exclude=True)
    sources: Mapping[str, str] = Field(default_factory=dict, repr=False, exclude=True)

    def folder(self) -> Path:
        """The data folder, expanded."""
        return self.data_dir.expanduser()

    def label(self, name: str) -> str:
        """Where a setting was set, for messages: `GRANTHA_PORT`, `--port`, `port in grantha.toml`.

        `name` may lead into a table: `providers.lan.base_url`.
        """
        first, _, inner = name.partition(".")
        if not inner:
            return self.sources.get(name, PREFIX + name.upper())
        return self.sources.get(first, f"{first} in grantha.toml").replace(first, name, 1)


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings of this process. `overrides` (from the command line) win; None doesn't count.

    Raises `BadRequest` with one line that names the setting, its value and what is allowed.
    """
    environ = dict(os.environ)
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    from_environ = _from_environ(environ)
    folder = Path(given.get("data_dir") or from_environ.get("data_dir") or Settings().data_dir)
    path, from_file = _from_file(environ, folder.expanduser())
    sources = {name: f"{name} in {path}" for name in from_file}
    sources |= {name: PREFIX + name.upper() for name in from_environ}
    sources |= {name: f"--{name.replace('_', '-')}" for name in given}
    values = {**from_file, **from_environ, **given}
    try:
        settings = Settings(
            **values, variables=MappingProxyType(environ), sources=MappingProxyType(sources)
        )
    except ValidationError as error:
        raise _first_problem(error, values, sources, path) from error
    _check_names(settings)
    return settings


def child_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that a child process gets, out of the server's own."""
    return {name: variables[name] for name in _OF_CHILDREN if name in variables}


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _in_environment():
        text = environ.get(PREFIX + name.upper())
        if not text:
            continue
        is_list = "tuple" in str(Settings.model_fields[name].annotation)
        values[name] = (
            tuple(stripped for part in text.split(",") if (stripped := part.strip()))
            if is_list
            else text
        )
    return values


def _in_environment() -> list[str]:
    """The settings that a variable can set."""
    return [name for name in Settings.model_fields if name not in _ONLY_IN_FILE | _NOT_A_SETTING]


def _from_file(environ: Mapping[str, str], data_dir: Path) -> tuple[Path | None, dict[str, Any]]:
    """The first file that is there, and what it sets."""
    named = environ.get(PREFIX + "CONFIG")
    candidates = [Path(named)] if named else [Path("grantha.toml"), data_dir / "grantha.toml"]
    for path in candidates:
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue  # what is wrong with the folder itself is reported where the folder is opened
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"{path} isn't valid TOML: {error}.", advice="Correct it.") from error
        except OSError as error:
            raise BadRequest(
                f"{path} can't be read: {error.strerror}.", advice="Make it readable for this user."
            ) from error
        for name in _NOT_A_SETTING & found.keys():
            raise unknown_setting(name, str(path), ())
        return path, found
    if named:
        raise BadRequest(
            f"GRANTHA_CONFIG is {named!r}, and there is no such file.",
            advice="Set it to the path of a grantha.toml, or unset it.",
        )
    return None, {}


def _first_problem(
    error: ValidationError,
    values: Mapping[str, Any],
    sources: Mapping[str, str],
    path: Path | None,
) -> BadRequest:
    found = error.errors(include_input=False, include_url=False)[0]
    names = [str(step) for step in found["loc"] if isinstance(step, str)]
    if found["type"] == "extra_forbidden":
        return unknown_setting(".".join(names), str(path), _known_beside(names))
    label = sources.get(names[0], names[0])
    label = label.replace(names[0], ".".join(names), 1) if len(names) > 1 else label
    value: Any = values
    for step in names:
        value = value.get(step) if isinstance(value, Mapping) else value
    return invalid_setting(found, label, ",".join(map(str, value)) if _is_list(value) else value)


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple | list)


def _known_beside(names: list[str]) -> Iterator[str]:
    """The names to suggest for an unknown one, in the same spelling."""
    models: dict[str, type[BaseModel]] = {"providers": ProviderSettings, "timeouts": Timeouts}
    model = models.get(names[0], Settings) if len(names) > 1 else Settings
    for name in model.model_fields.keys() - _NOT_A_SETTING:
        yield ".".join([*names[:-1], name])


def _check_names(settings: Settings) -> None:
    """Raises `BadRequest` for a variable that looks like a setting and isn't one: it has no effect."""
    known = {PREFIX + name.upper() for name in _in_environment()} | _OTHER_NAMES
    known |= {p.api_key_variable for p in settings.providers.values() if p.api_key_variable}
    for name in sorted(settings.variables):
        # Which providers there are is known to the registry alone; it checks these names.
        if not name.startswith(PREFIX) or name in known or name.endswith(_BASE_URL):
            continue
        if name.removeprefix(PREFIX).lower() in _ONLY_IN_FILE:
            raise BadRequest(
                f"{name} in the environment isn't a setting.",
                advice=f"Set {name.removeprefix(PREFIX).lower()} in grantha.toml.",
            )
        if not _belongs_to_plugin(name):
            raise unknown_setting(name, "the environment", known)


def _belongs_to_plugin(name: str) -> bool:
    plugins = (point.name for point in metadata.entry_points(group=PLUGINS))
    return any(name.startswith(f"{PREFIX}{variable_part(plugin)}_") for plugin in plugins)


def variable_part(provider: str) -> str:
    """A provider's name as part of a variable's name: `openai-responses` as OPENAI_RESPONSES."""
    return "".join(c if c.isalnum() else "_" for c in provider.upper())
