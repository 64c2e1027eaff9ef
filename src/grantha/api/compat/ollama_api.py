"""`/ollama/api/…`, for Ollama's clients: set their host to `http://…/ollama`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from grantha import __version__
from grantha.api.compat import base, embeddings
from grantha.api.state import app_state
from grantha.chat import JsonObject
from grantha.embedding import Embeddings
from grantha.wire.compat import ollama_embeddings_view, ollama_view
from grantha.wire.compat.view import ParsedRequest, member

if TYPE_CHECKING:
    from grantha.wire.compat.ollama_replies import OllamaRunningModels, OllamaVersion

API_VERSION = "0.12.0"  # of Ollama; some clients ask for at least 0.6.4
router = APIRouter(prefix="/ollama", tags=["Ollama"])
_MEDIA = {
    "content-type": ollama_view.MEDIA_TYPE,
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


@router.post(
    "/api/chat",
    openapi_extra=base.operation_doc(
        "OllamaChatRequest", "OllamaChatReply", lines=["OllamaChatReply", "OllamaError"]
    ),
)
async def chat(request: Request) -> Response:
    """Ollama's chat, streaming (its default) and not."""
    body = await base.body_of(request)
    if body.get("messages") == []:
        return await _loaded(request, body, ollama_view.ChatLines)
    return await _answer(request, ollama_view.parse_request(body), body, ollama_view.ChatLines)


@router.post(
    "/api/generate",
    openapi_extra=base.operation_doc(
        "OllamaGenerateRequest", "OllamaGenerateReply", lines=["OllamaGenerateReply", "OllamaError"]
    ),
)
async def generate(request: Request) -> Response:
    """Ollama's completion of one prompt. Without a prompt it only reports that the model is available."""
    body = await base.body_of(request)
    parsed = ollama_view.parse_completion(body)
    if parsed is None:
        return await _loaded(request, body, ollama_view.CompletionLines)
    return await _answer(request, parsed, body, ollama_view.CompletionLines)


@router.post(
    "/api/embed", openapi_extra=base.operation_doc("OllamaEmbedRequest", "OllamaEmbedReply")
)
async def embed(request: Request) -> Response:
    """One vector for each input. Nothing is stored."""
    call = ollama_embeddings_view.parse_request(await base.body_of(request))
    started = time.perf_counter_ns()

    def encode(model: str, found: Embeddings) -> bytes:
        took = time.perf_counter_ns() - started
        return ollama_embeddings_view.encode_response(model, found, took)

    if not call.inputs:  # clients load models with it
        return Response(
            encode(await _usable(request, call.model), Embeddings(())),
            media_type="application/json",
        )
    return await embeddings.embed(request, call, encode)


@router.post(
    "/api/embeddings",
    openapi_extra=base.operation_doc("OllamaEmbeddingRequest", "OllamaEmbeddingReply"),
)
async def embed_prompt(request: Request) -> Response:
    """The vector of one prompt, in the older form."""
    call = ollama_embeddings_view.parse_prompt(await base.body_of(request))
    if not call.inputs:
        await _usable(request, call.model)
        return Response(
            ollama_embeddings_view.encode_vector(Embeddings(())), media_type="application/json"
        )
    return await embeddings.embed(
        request, call, lambda _model, found: ollama_embeddings_view.encode_vector(found)
    )


@router.get("/api/tags", openapi_extra=base.operation_doc(None, "OllamaModels"))
async def tags(request: Request) -> Response:
    """The models that can be used."""
    return JSONResponse(ollama_view.model_list(await base.usable_models(request)))


@router.get("/api/ps", openapi_extra=base.operation_doc(None, "OllamaRunningModels"))
async def running(request: Request) -> Response:
    """The local models that are loaded. Those of other providers are never loaded here."""
    now = time.time()
    loaded = app_state(request).registry.loaded_models()
    found: OllamaRunningModels = {
        "models": [
            ollama_view.running_model(
                model.id, model.size, model.context_length, round((now + model.idle) * 1000)
            )
            for model in loaded
        ]
    }
    return JSONResponse(found)


@router.post("/api/show", openapi_extra=base.operation_doc("OllamaShowRequest", "OllamaShowReply"))
async def show(request: Request) -> Response:
    """What is known about a model; only Ollama has the details of its file."""
    body = await base.body_of(request)
    named = member(body, "model", str) or member(body, "name", str)
    model = await base.model_of(request, named)
    provider, name = app_state(request).registry.resolve(model)
    owner = model.partition("/")[0]
    return JSONResponse(ollama_view.model_info(model, owner, provider.capabilities(name)))


@router.get("/api/version", openapi_extra=base.operation_doc(None, "OllamaVersion"))
async def version() -> Response:
    """The version of Ollama whose API this is: clients want a newer version than Grantha's own."""
    found: OllamaVersion = {"version": API_VERSION, "grantha": __version__}
    return JSONResponse(found)


@router.get("/", response_class=PlainTextResponse)
@router.head("/", include_in_schema=False)
async def alive() -> Response:
    """For clients that check whether a server is running."""
    return PlainTextResponse("This is Grantha's Ollama API.")


# ---- helpers below -------------------------------------------------------------------------------


async def _usable(request: Request, named: str | None) -> str:
    """The id of a model that can be used. Raises like an answer would."""
    model = await base.model_of(request, named)
    app_state(request).registry.resolve(model)
    return model


async def _loaded(
    request: Request, body: JsonObject, lines: type[ollama_view.ChatLines]
) -> Response:
    model = await _usable(request, member(body, "model", str))
    return JSONResponse(ollama_view.load_response(model, int(time.time()), body, lines))


async def _answer(
    request: Request, parsed: ParsedRequest, body: JsonObject, lines: type[ollama_view.ChatLines]
) -> Response:
    row = await base.start_generation(request, parsed, body)
    if parsed.stream:
        # NDJSON has no comments: while a provider is silent, so is the stream, as with Ollama itself.
        return await base.stream(
            request, row, lines(base.response_meta(row)), media=_MEDIA, beat=b""
        )
    return await base.reply(request, row, partial(ollama_view.response_body, lines=lines))
