"""What `grantha doctor` learns from a running server, through routes that require the access token.

The server says whether a provider works and why not, never with which key.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grantha.cli.check_results import CheckResult, folder_result, page_result, provider_results
from grantha.cli.runner import server_url
from grantha.config import Settings
from grantha.errors import GranthaError
from grantha.tls_errors import describe_tls_error, missing_certificates

if TYPE_CHECKING:
    from grantha.client import Client
    from grantha.client.responses import ProviderStatus

_TIMEOUT = 5.0  # seconds for a server to answer
_USABLE = frozenset({"ready", "loading"})


@dataclass(frozen=True, slots=True)
class _ReadyResponse:
    """The response of `/readyz`. `body` is None where it isn't Grantha's."""

    status: int
    body: dict[str, Any] | None


async def check_server(settings: Settings) -> tuple[CheckResult, list[CheckResult]]:
    """The server's own result, `off` where none runs, and what a running one sees."""
    try:
        url = server_url(settings)
    except GranthaError as error:
        return CheckResult("off", "server", error.message, error.advice), []
    try:
        found = await asyncio.to_thread(_readyz, url, settings.token)
    except OSError as error:
        return _unreachable(settings, url, error), []
    if found.status == 401:
        advice = "GRANTHA_TOKEN holds a different one." if settings.token else "Set GRANTHA_TOKEN."
        wants = f"Grantha serves on {url} and requires its access token."
        return CheckResult("error", "server", wants, advice), []
    if found.body is None:
        strange = f"Something that isn't Grantha answers at {url}."
        return CheckResult("error", "server", strange, "Set GRANTHA_PORT to a free port."), []
    serves = CheckResult(
        "ok", "server", f"Grantha serves on {url}, version {found.body['version']}"
    )
    try:
        return serves, [
            *_folder(found.body["storage"]),
            _storage(found.body),
            await asyncio.to_thread(_page, url),
            *await _providers(url, settings.token),
        ]
    except GranthaError as error:
        return CheckResult("error", "server", error.message, error.advice), []


def _readyz(url: str, token: str | None) -> _ReadyResponse:
    status, body = _get(f"{url}/readyz", {"Authorization": f"Bearer {token}"} if token else {})
    return _ReadyResponse(status, _ready_body(body))


def _get(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Asks the server directly, not through a proxy of this shell. Raises OSError.

    Returns the status, 0 for an answer that isn't HTTP, and the beginning of the body.
    """
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  a checked URL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            return response.status, response.read(65536)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(65536)
    except urllib.error.URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else OSError(str(error)) from error
    except ValueError:
        return 0, b""


def _ready_body(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    ours = isinstance(found, dict) and {"durability", "storage", "version"} <= found.keys()
    return found if ours else None


def _unreachable(settings: Settings, url: str, error: OSError) -> CheckResult:
    if isinstance(error, ssl.SSLError):
        what, advice = describe_tls_error(error)
        advice = missing_certificates(settings.variables) or advice
        return CheckResult("error", "server", f"The server at {url} {what}.", advice)
    if isinstance(error, TimeoutError):
        slow = f"The server at {url} takes longer than {_TIMEOUT:.0f} s to answer."
        return CheckResult(
            "error", "server", slow, "Look at its log and at the load of its machine."
        )
    if settings.url is not None:
        label = settings.label("url")
        return CheckResult("error", "server", f"Nothing answers at {url}.", f"Look at {label}.")
    return CheckResult("off", "server", "isn't running", "Start it with `grantha serve`.")


def _folder(storage: dict[str, Any]) -> list[CheckResult]:
    """Nothing from a server of an older version, which doesn't report it."""
    folder, free = storage.get("folder"), storage.get("free")
    return [folder_result(str(folder), int(free))] if folder and free is not None else []


def _page(url: str) -> CheckResult:
    try:
        status, _ = _get(f"{url}/", {"Accept": "text/html"})
    except OSError as error:
        return CheckResult("error", "page", f"{url} doesn't answer any more.", str(error))
    return page_result(built=status == 200)


def _storage(ready: dict[str, Any]) -> CheckResult:
    error = ready["storage"].get("error")
    if error:
        return CheckResult("error", "storage", str(error), "Look at the disk of its data folder.")
    return CheckResult(
        "ok", "storage", f"writes, durability {ready['durability']}, {ready['storage']['version']}"
    )


async def _providers(url: str, token: str | None) -> list[CheckResult]:
    from grantha.client import Client

    async with Client(url, token, retry_timeout=0) as client:
        known = await client.providers()
        usable = [provider for provider in known if provider.readiness.state in _USABLE]
        found = await asyncio.gather(*(_provider(client, provider) for provider in usable))
    others = [provider.name for provider in known if provider.readiness.state not in _USABLE]
    return provider_results(list(found), others)


async def _provider(client: Client, provider: ProviderStatus) -> CheckResult:
    found = await client.check_provider(provider.name)
    if found.ok:
        model = (found.model or "").removeprefix(f"{provider.name}/")
        spoke = f"{model} answered after {(found.ttft_ms or 0) / 1000:.2f} s"
        return CheckResult("ok", provider.name, spoke)
    return CheckResult("warning", provider.name, found.error or "", found.advice or "")
