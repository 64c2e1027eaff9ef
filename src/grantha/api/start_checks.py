"""What the settings must agree on before the server starts: who could reach it, and what they name.

Each check raises `CannotStart` with the setting, its value and what to do. No provider is called: a
model that only its vendor knows passes.
"""

from __future__ import annotations

import logging
from pathlib import Path

from grantha.api.http.security import LOOPBACK
from grantha.config import Settings
from grantha.errors import (
    CallerError,
    GranthaError,
    MissingKey,
    UnknownModel,
    UnknownProvider,
    Unsupported,
)
from grantha.providers.registry import Registry
from grantha.setting_problems import nearest, shown
from grantha.tls_errors import missing_certificates

_MIN_TOKEN_LENGTH = 16  # characters; `openssl rand -hex 32` gives 64
_MAGIC = b"GGUF"
_log = logging.getLogger(__name__)


class CannotStart(CallerError):
    """The server can't start; message and advice are the one line that a person gets."""

    code = "cannot_start"


def check_exposure(settings: Settings, host: str) -> None:
    """Refuses to be reachable by others without a token that can't be guessed."""
    if "*" in settings.cors_origins and not settings.token:
        raise CannotStart(
            f"{settings.label('cors_origins')} is '*': pages of any origin could call this server, "
            "and no token is set.",
            advice="Set GRANTHA_TOKEN to a long secret, or name the origins you trust.",
        )
    if host in LOOPBACK and not settings.allowed_hosts:
        return
    if settings.token is None:
        # A proxy that authenticates users may be in front of a server on this machine.
        if host not in LOOPBACK:
            raise CannotStart(
                f"{settings.label('host')} is {shown(host)}: others could reach this server, "
                "and no token is set.",
                advice="Set GRANTHA_TOKEN to a long secret, or serve on 127.0.0.1.",
            )
    elif len(settings.token) < _MIN_TOKEN_LENGTH:
        raise CannotStart(
            f"{settings.label('token')} has {len(settings.token)} characters, and others can reach "
            "this server: it could be guessed.",
            advice="Set it to a long random secret, as from `openssl rand -hex 32`.",
        )


def check_references(settings: Settings, registry: Registry) -> None:
    """Refuses models and files that don't exist."""
    if problem := missing_certificates(settings.variables):
        _log.warning("%s", problem)  # not one of our settings, and possibly unused
    for path in settings.local_models if settings.local_enabled else ():
        _check_model_file(settings, path.expanduser())
    if settings.scripted and settings.script_dir is not None:
        folder = settings.script_dir.expanduser()
        if not folder.is_dir():
            raise CannotStart(
                f"{settings.label('script_dir')} is {shown(str(folder))}, and there is no such folder.",
                advice="Create it, or correct the path.",
            )
    named = [("default_model", settings.default_model)] if settings.default_model else []
    for model, chain in settings.fallbacks.items():
        named += [("fallbacks", model), *(("fallbacks", other) for other in chain)]
    unusable = [_check_model(registry, settings.label(name), model) for name, model in named]
    for problem in filter(None, unusable):
        _log.warning("%s", problem)


def _check_model_file(settings: Settings, path: Path) -> None:
    label = settings.label("local_models")
    if path.is_dir():
        return  # models may be put there later
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise CannotStart(
            f"{label} names {shown(str(path))}, which can't be read: {error.strerror}.",
            advice="Correct the path, or remove it from the list.",
        ) from error
    if magic != _MAGIC:
        raise CannotStart(
            f"{label} names {shown(str(path))}, which isn't a GGUF file.",
            advice="Name GGUF files or folders of them.",
        )


def _check_model(registry: Registry, label: str, model: str) -> str | None:
    """Why a model that exists can't be used. Raises `CannotStart` for one that doesn't."""
    try:
        registry.resolve(model)
    except (UnknownProvider, UnknownModel) as error:
        raise CannotStart(
            f"{label} names the model {shown(model)}, and {_lower_first(error.message)}.",
            advice=_suggestion(registry, model),
        ) from error
    except (MissingKey, Unsupported) as error:
        return f"{label} names the model {shown(model)}, which can't be used: {error.message}"
    except GranthaError as error:  # a plug-in's own
        raise CannotStart(f"{label}: {error.message}", advice=error.advice) from error
    return None


def _suggestion(registry: Registry, model: str) -> str:
    provider, slash, name = model.partition("/")
    near = nearest(provider, [card.name for card in registry.providers()])
    if slash and near and near != provider:
        return f"Did you mean {near}/{name}?"
    return "Name one that `grantha models` lists, as provider/model, or unset it."


def _lower_first(message: str) -> str:
    """The message as part of a sentence."""
    message = message.removesuffix(".")
    return message[:1].lower() + message[1:] if message.startswith("There ") else message
