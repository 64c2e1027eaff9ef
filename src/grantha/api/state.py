"""What every route needs: the components that `create_app` built, and the caller."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field

from pydantic import BaseModel
from starlette.requests import HTTPConnection

from grantha.api.access import Access
from grantha.api.client_address import TrustedProxies
from grantha.api.logins import Logins
from grantha.api.reader_limits import ReaderLimits
from grantha.api.remote_images import RemoteImages
from grantha.api.wrong_tokens import WrongTokens
from grantha.chat import JsonObject
from grantha.config import Settings
from grantha.documents.converter import DocumentConverter
from grantha.engine.feed import Feed
from grantha.engine.supervisor import Supervisor
from grantha.errors import BadRequest
from grantha.providers.model_downloads import ModelDownloads
from grantha.providers.registry import Registry
from grantha.storage.base import LOCAL_SUBJECT, Store

_MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class AppState:
    """Built once, in `create_app`; routes get it from the app's state."""

    settings: Settings
    store: Store
    registry: Registry
    supervisor: Supervisor
    feed: Feed
    readers: ReaderLimits
    instance_id: str  # of this process; the store knows it as the owner of running generations
    proxies: TrustedProxies
    logins: Logins
    access: Access
    wrong_tokens: WrongTokens
    images: RemoteImages
    documents: DocumentConverter
    downloads: ModelDownloads | None  # None where there are no local models
    # Held by the one import at a time, since its file is in memory.
    importing: asyncio.Lock = field(default_factory=asyncio.Lock)


def app_state(connection: HTTPConnection) -> AppState:
    """The components of the app that serves a request."""
    found: AppState = connection.app.state.app_state
    return found


def subject_of(_connection: HTTPConnection) -> str:
    """The subject that calls: the one local owner, until there are accounts."""
    return LOCAL_SUBJECT


def idempotency(request: HTTPConnection, body: BaseModel | JsonObject) -> tuple[str | None, str]:
    """The `Idempotency-Key` and a fingerprint of path and body. Raises `BadRequest`."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None, ""
    if not 1 <= len(key) <= _MAX_KEY or not key.isprintable():
        raise BadRequest(f"An Idempotency-Key has 1 to {_MAX_KEY} printable characters.")
    plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
    whole = json.dumps([request.url.path, plain], sort_keys=True, ensure_ascii=False)
    return key, hashlib.sha256(whole.encode()).hexdigest()
