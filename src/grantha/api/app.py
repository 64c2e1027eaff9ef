"""The composition root: builds every component from the settings and wires them together."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from grantha import __version__
from grantha.api.access import Access
from grantha.api.client_address import TrustedProxies
from grantha.api.fast_path import FastPath
from grantha.api.http import problems
from grantha.api.http.cut_requests import CutRequests
from grantha.api.http.page import Page
from grantha.api.http.security import SecurityMiddleware
from grantha.api.logins import Logins
from grantha.api.openapi import description
from grantha.api.reader_limits import ReaderLimits
from grantha.api.remote_images import RemoteImages
from grantha.api.route_table import RouteTable, include_routes
from grantha.api.routes.metrics import Metrics
from grantha.api.schemas.requests import MAX_TEXT
from grantha.api.state import AppState
from grantha.api.tracing import GenerationTracer, tracer_for
from grantha.api.wrong_tokens import WrongTokens
from grantha.config import Settings
from grantha.documents.converter import DocumentConverter
from grantha.engine.answer_length import AnswerLimits
from grantha.engine.call_budget import CallLimits
from grantha.engine.feed import Change, Feed
from grantha.engine.ids import new_id
from grantha.engine.observer import Observers
from grantha.engine.recovery import Recovery
from grantha.engine.supervisor import Supervisor
from grantha.engine.tuning import Tuning
from grantha.errors import GranthaError, StorageFailed, StorageFull
from grantha.providers.local import create_downloads
from grantha.providers.model_downloads import ModelDownloads
from grantha.providers.registry import Registry
from grantha.storage.base import FILE_NAME, LOCAL_SUBJECT
from grantha.storage.connect import full_disk, migrate, prepare_folder, writing_engine
from grantha.storage.sql import SqlStore

STATIC = Path(__file__).parent.parent / "static"
_log = logging.getLogger(__name__)
_HOUR_MS = 3_600_000
_MIN_FREE = 256 * 1024  # bytes: an empty database and its log
_MAX_BATCHES = 100  # in one go
_CLEANUP_INTERVAL = 10.0  # seconds: an ephemeral answer is gone a minute after its end


def create_app(settings: Settings, registry: Registry | None = None) -> ASGIApp:
    """The whole server as an ASGI app. Its lifespan opens the store and recovers; then it serves.

    Pass a `registry` to use custom providers.
    """
    return assemble(settings, registry)[0]


def assemble(settings: Settings, registry: Registry | None) -> tuple[ASGIApp, Supervisor]:
    """The app, and its supervisor, which must be drained before the server stops."""
    instance_id = new_id("i")
    store = SqlStore(settings.folder(), instance_id, settings.synchronous)
    known = registry or Registry(settings)
    feed = Feed()
    metrics = Metrics()
    spans = tracer_for(settings)
    observer = Observers(metrics, spans) if spans else metrics
    supervisor = Supervisor(store, known, feed, _tuning(settings), observer=observer)
    readers = ReaderLimits(settings.max_readers)
    metrics.watch(supervisor, readers, lambda: store.health().ok)
    proxies = TrustedProxies(settings.trusted_proxies)
    logins = Logins(settings.token, store)
    downloads = _downloads(settings, feed, known)
    state = AppState(
        settings=settings,
        store=store,
        registry=known,
        supervisor=supervisor,
        feed=feed,
        readers=readers,
        instance_id=instance_id,
        proxies=proxies,
        logins=logins,
        access=Access(settings.token, logins),
        wrong_tokens=WrongTokens(proxies),
        images=RemoteImages(settings.image_networks),
        documents=DocumentConverter(MAX_TEXT, settings.variables),
        downloads=downloads,
    )

    app = FastAPI(
        title="Grantha",
        version=__version__,
        summary="Chat with language models; every answer is a durable log.",
        lifespan=_lifespan(state, spans),
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.app_state = state
    app.state.metrics = metrics
    return _secured(app, state), supervisor


def _lifespan(
    state: AppState, spans: GenerationTracer | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Opens what the server serves from, runs its background tasks, and closes everything in order."""
    store, supervisor, downloads = state.store, state.supervisor, state.downloads

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await store.open()
        await state.logins.load()
        supervisor.start_flushing()
        background_tasks = [
            asyncio.create_task(_recover(state)),
            asyncio.create_task(_clean(state)),
            asyncio.create_task(_watch_storage(state)),
            asyncio.create_task(_warm(state.registry)),
            *([asyncio.create_task(downloads.open())] if downloads is not None else []),
            # The HTTP client takes a tenth of a second: too long before the server is ready, or within the
            # first question.
            asyncio.create_task(asyncio.to_thread(import_module, "aiohttp")),
        ]
        try:
            yield
        finally:
            for task in background_tasks:
                task.cancel()
            await asyncio.gather(*background_tasks, return_exceptions=True)
            state.images.close()
            if downloads is not None:
                await downloads.aclose()
            await supervisor.aclose(state.settings.drain)
            await state.registry.aclose()
            await store.aclose()
            if spans is not None:
                await asyncio.to_thread(spans.close)

    return lifespan


def _secured(app: FastAPI, state: AppState) -> ASGIApp:
    """The app with its routes, its page and its description, behind the checks of every request."""
    problems.install(app)
    include_routes(app)
    page = Page(STATIC)
    app.router.default = page
    routes = RouteTable(state.settings, page)
    description.install(app, routes)
    secured = SecurityMiddleware(
        CutRequests(FastPath(app)), state.settings, routes, state.access, state.wrong_tokens
    )
    return _with_cors(secured, state.settings)


def _downloads(settings: Settings, feed: Feed, registry: Registry) -> ModelDownloads | None:
    if not settings.local_enabled:
        return None

    def changed() -> None:
        registry.unload_removed()
        feed.publish(Change("models", LOCAL_SUBJECT))

    return create_downloads(settings, changed)


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Location"],
    )


def prepared_folder(settings: Settings) -> Path:
    """The data folder, made if it wasn't there. Raises `StorageFailed` when it can't be used."""
    folder = settings.folder()
    prepare_folder(folder)
    return folder


def check_database(settings: Settings) -> None:
    """Brings the database up to date before anything serves. Raises `StorageFailed` or `StorageFull`."""
    engine = writing_engine(settings.folder() / FILE_NAME, settings.synchronous)
    try:
        migrate(engine)
    except StorageFailed as error:
        # SQLite calls it an I/O error where its shared memory finds no room.
        if shutil.disk_usage(settings.folder()).free < _MIN_FREE:
            raise full_disk(settings.folder()) from error
        path = repr(str(settings.folder() / FILE_NAME))
        if path in error.message:
            raise
        raise StorageFailed(f"{path}: {error.message}", advice=error.advice) from error
    except StorageFull as error:
        raise full_disk(settings.folder()) from error
    finally:
        engine.dispose()


def _tuning(settings: Settings) -> Tuning:
    return Tuning(
        window=settings.flush_ms / 1000,
        window_behind=settings.flush_ms_behind / 1000,
        flush_bytes=settings.flush_bytes,
        tail_bytes=settings.tail_bytes,
        titles=settings.titles,
        limits=CallLimits(
            calls=settings.max_calls,
            resent=settings.max_resent,
            seconds=settings.max_writing_time,
        ),
        answer_limits=AnswerLimits(settings.max_answer, settings.max_answer_tokens),
        fallbacks=settings.fallbacks,
    )


async def _recover(state: AppState) -> None:
    recovery = Recovery(state.supervisor, state.store, state.registry, state.instance_id)
    found = await recovery.run()
    if found:
        _log.info("recovered %d answers that were cut off when the server stopped", found)


async def _watch_storage(state: AppState) -> None:
    state.supervisor.lose_storage(await state.store.until_lost())


async def _clean(state: AppState) -> None:
    """Deletes old records, hidden and ephemeral conversations and old keys, and prepares the analytics of
    what an older version stored, in small transactions."""
    store = state.store
    while True:
        now = time.time_ns() // 1_000_000
        trim = partial(store.trim, now - round(state.settings.record_ttl * 1000))
        purge = partial(store.purge, now - _HOUR_MS)
        for batch in (trim, purge, store.shrink, store.roll_up):
            with suppress(GranthaError):  # `/readyz` reports it already; the others may still work
                await _repeat(batch)
        await asyncio.sleep(_CLEANUP_INTERVAL)


async def _repeat(batch: Callable[[], Awaitable[int]]) -> None:
    for _ in range(_MAX_BATCHES):
        if not await batch():
            break


async def _warm(known: Registry) -> None:
    """Loads the local model before its first use, if there is one."""
    with suppress(GranthaError):
        provider = known.provider("local")
        warm = getattr(provider, "warm", None)
        if warm is not None:
            await warm()
