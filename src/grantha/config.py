"""Settings, read once at start. Nothing else reads the environment.

Order of precedence: command line, environment (`GRANTHA_…`), `grantha.toml` in the working folder
or the data folder, defaults. Vendor variables such as OPENAI_API_KEY are kept in `variables`, which
is never shown in a repr. Refuses to know what providers do with them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from grantha.errors import BadRequest

PREFIX = "GRANTHA_"
_ONLY_IN_FILE = frozenset({"variables", "providers", "timeouts", "fallbacks"})


def _none_for_never(value: object) -> object:
    return None if value == "never" else value  # TOML and the environment have no null


class ProviderSettings(BaseModel):
    """One `[providers.NAME]` table: a further compatible host, or changes to a known provider.

    `api_key_variable` names the environment variable with the key; a key itself may stand in
    `api_key`, though the environment is the better place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: str | None = None
    base_url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    api_key_variable: str | None = None
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)  # id -> capability overrides
    enabled: bool = True


class Timeouts(BaseModel):
    """Upstream deadlines, in seconds. Reasoning models are silent for minutes at first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect: float = 10.0
    first_byte: float = 300.0
    between_chunks: float = 90.0


class Settings(BaseModel):
    """Everything that can be set. Sizes in bytes, times in seconds unless named otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("~/.local/share/grantha")
    token: str | None = Field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    default_model: str | None = None
    fallbacks: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # model id -> chain
    titles: bool = True

    # upstream calls of one answer, counted over restarts (engine/call_budget.py)
    max_calls: int = Field(default=20, ge=1)
    max_resent: int = Field(default=400_000, ge=0)  # characters of prompt and answer sent again
    max_writing_time: float = Field(default=7200.0, gt=0)

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
    record_ttl: float = 3600.0
    tail_bytes: int = 64 * 1024
    heartbeat: float = 10.0
    drain: float = 5.0

    # limits on requests
    max_body: int = 8 * 1024 * 1024
    max_import: int = 64 * 1024 * 1024  # a file of conversations
    max_json_depth: int = 64
    max_connections: int = 4096
    max_readers: int = 4096
    header_timeout: float = 10.0
    body_timeout: float = 60.0

    # the local model
    local_enabled: bool = True
    local_models: tuple[Path, ...] = ()  # GGUF files or folders of them
    local_threads: int | None = None
    local_slots: int = 4
    local_context: int = 2048  # tokens a slot
    local_idle: float = 600.0

    # the scripted provider, for tests and tutorials
    scripted: bool = False
    script_dir: Path | None = None

    timeouts: Timeouts = Timeouts()
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    log_level: str = "info"
    pad_frames: int = Field(default=0, ge=0, le=65536)  # 0 is off
    compression: bool = True

    # the command line as a client; without `url` it is the server of these same settings
    url: str | None = None

    variables: Mapping[str, str] = Field(default_factory=dict, repr=False, exclude=True)

    def folder(self) -> Path:
        """The data folder, expanded."""
        return self.data_dir.expanduser()


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings of this process. `overrides` (from the command line) win; None doesn't count.

    Raises `BadRequest` with one line that names the setting, what was wrong and what is allowed.
    """
    environ = dict(os.environ)
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    from_environ = _from_environ(environ)
    folder = Path(given.get("data_dir") or from_environ.get("data_dir") or Settings().data_dir)
    values = {**_from_file(environ, folder.expanduser()), **from_environ, **given}
    try:
        return Settings(**values, variables=MappingProxyType(environ))
    except ValidationError as error:
        raise BadRequest(_first_problem(error)) from error


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        text = environ.get(PREFIX + name.upper())
        if not text or name in _ONLY_IN_FILE:
            continue
        is_list = "tuple" in str(field.annotation)
        values[name] = tuple(p for p in text.split(",") if p) if is_list else text
    return values


def _from_file(environ: Mapping[str, str], data_dir: Path) -> dict[str, Any]:
    named = environ.get(PREFIX + "CONFIG")
    candidates = [Path(named)] if named else [Path("grantha.toml"), data_dir / "grantha.toml"]
    for path in candidates:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue  # what is wrong with the folder itself is reported where the folder is opened
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"{path} isn't valid TOML: {error}") from error
        except OSError as error:
            raise BadRequest(f"{path} can't be read: {error.strerror}") from error
    if named:
        raise BadRequest(f"{named}, named by GRANTHA_CONFIG, doesn't exist")
    return {}


def _first_problem(error: ValidationError) -> str:
    # Only the place and the rule: the input itself may be a key.
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(item) for item in first["loc"])
    return f"The setting {place!r} can't be used: {first['msg']}"
