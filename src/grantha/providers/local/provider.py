"""The local provider: GGUF files on this machine, one child process each, behind the usual protocol.

Owns the model files, a supervisor for each requested model, and the HTTP client that reaches the
children. The server process never loads llama.cpp itself.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grantha.chat import Call, Capabilities, ImagePart
from grantha.config import Settings
from grantha.embedding import EmbeddingCall, Embeddings, joined
from grantha.errors import MalformedReply, ModelNotFound, ProviderError, UnknownModel, Unsupported
from grantha.events import UpstreamEvent
from grantha.providers.base import READY, LoadedModel, ModelCard, Readiness
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import HttpPool, HttpUpstream, UpstreamRequest
from grantha.providers.local import builtin, machine, request_bodies
from grantha.providers.local.gguf import GgufHeader, InvalidModelFile
from grantha.providers.local.installed import curated_of, title_of
from grantha.providers.local.model_files import ModelFile, ModelFiles
from grantha.providers.local.upstream import LocalUpstream, SlotLease
from grantha.providers.local.worker_process import LoadFailed, Worker
from grantha.providers.local.worker_protocol import WorkerConfig
from grantha.providers.local.worker_supervisor import WorkerSupervisor
from grantha.wire.lenient_json import InvalidJson, dumps
from grantha.wire.upstream.embeddings import openai_body, parse_openai
from grantha.wire.upstream.openai_chat_decoder import chat_decoder, parse_chat_body

DEFAULT = "default"  # an alias of the first model that answers
EMBEDDING_BATCH = 16  # texts that are computed before the next request gets its turn
# A stop, and the next delta of every other answer, wait for the batch of a prompt that is being computed.
# Larger models compute larger batches so much better that this outweighs the waiting.
SMALL_FILE = 512 * 1024 * 1024
SMALL_BATCH, LARGE_BATCH = 16, 64


class LocalProvider:
    """See `grantha.providers.base.Provider`."""

    name = "local"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.folder()
        self._model_files = ModelFiles(self._folder, settings.local_models)
        # Calls to our own child process must not go through a proxy.
        self._http = HttpPool(settings.timeouts)
        self._supervisors: dict[str, WorkerSupervisor] = {}
        self._installed = machine.has_engine()

    async def open(
        self,
        call: Call,
        resume: str | None = None,  # noqa: ARG002  a prefix continues it exactly
    ) -> LocalUpstream:
        """Waits for the model and for a free slot, then sends the call.

        Raises `UnknownModel`, `ModelNotFound` for a file that can't be used, `Unsupported` for images,
        `ContextOverflow`, and what else `grantha.errors` has for an upstream.
        """
        file = self._file_for(call)
        supervisor = self._supervisor(file)
        worker = await supervisor.acquire()
        try:
            slot = await worker.slots.acquire(call.messages)
        except BaseException:
            supervisor.release()
            raise
        lease = SlotLease(worker, slot, supervisor.release)
        try:
            return LocalUpstream(await self._send(worker, slot, file, call), lease)
        except ProviderError as error:
            lease.release(idle=False)
            raise await worker.explain_error(error) from error
        except BaseException:
            lease.release(idle=False)
            raise

    async def count_tokens(self, call: Call) -> int:
        """By the model's own template and vocabulary; loads the model. Raises like `open`."""
        file = self._file_for(call)
        supervisor = self._supervisor(file)
        worker = await supervisor.acquire()
        try:
            named = replace(call, model=file.name)
            body = request_bodies.counted_body(named, self.capabilities(file.name))
            prompt = await self._render(worker, body)
            # As the child itself reads a prompt: control markers of the template are tokens, not text.
            request = {"content": prompt, "add_special": True, "parse_special": True}
            found = await worker.fetch(request_bodies.TOKENS_PATH, request)
        finally:
            supervisor.release()
        return len(found["tokens"])

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """One vector for each text, by a model made for it; loads the model. Raises like `open`."""
        file = self._required_file(call.model)
        described = await asyncio.to_thread(self._model_files.describe, file)
        if isinstance(described, GgufHeader) and not described.embeds:
            raise Unsupported(
                f"The local model {file.name} makes no embeddings",
                advice="Choose a model that was made for it, such as nomic-embed-text or embeddinggemma.",
                provider=self.name,
            )
        if call.dimensions is not None or len(call.texts) < len(call.inputs):
            raise Unsupported(
                "Local models take texts, not tokens, and don't shorten their vectors",
                advice="Send the texts, without 'dimensions'.",
                provider=self.name,
            )
        supervisor = self._supervisor(file)
        worker = await supervisor.acquire()
        try:
            named = replace(call, model=file.name)
            batches = named.batches(EMBEDDING_BATCH)
            return joined([await self._embed_batch(worker, batch) for batch in batches])
        finally:
            supervisor.release()

    def readiness(self) -> Readiness:
        """The readiness of the default model: whether it exists, and whether it is being loaded."""
        if not self._installed:
            return Readiness(
                "off",
                "The local model's engine isn't installed",
                'Install it with: pip install "grantha[local]"',
            )
        file = self._file(DEFAULT)
        if file is None:
            return Readiness(
                "off",
                "There is no local model",
                f"Run `grantha models fetch`, or put a GGUF file into {self._models_folder()}.",
            )
        return self._readiness(file)

    async def models(self) -> Sequence[ModelCard]:
        """One card a file, usable or not, the default first."""
        return [await self._card(file) for file in await asyncio.to_thread(self._model_files.files)]

    def capabilities(self, model: str) -> Capabilities:
        """From the file's own description once it was read; until then what all of them can do."""
        file = self._file(model)
        known = self._model_files.known(file) if file is not None else None
        return self._facts(known if isinstance(known, GgufHeader) else None)

    def canonical_name(self, model: str) -> str:
        """The file's name where the default is meant."""
        file = self._file(model)
        return model if file is None else file.name

    def has_model(self, model: str) -> bool:
        """Whether a file for this model exists."""
        return self._file(model) is not None

    async def warm(self, model: str = DEFAULT) -> None:
        """Loads a model ahead of its first use. Raises like `open`; `readiness` shows the progress."""
        await self._supervisor(self._required_file(model)).warm()

    def loaded_models(self) -> Sequence[LoadedModel]:
        """The models that run in a process now."""
        return [
            LoadedModel(
                f"{self.name}/{name}",
                (supervisor.file.state or (0, 0))[0],
                self.capabilities(name).context_length or 0,
                supervisor.idle_left(),
            )
            for name, supervisor in self._supervisors.items()
            if supervisor.worker is not None
        ]

    def unload_removed(self) -> None:
        """Unloads models whose files are gone, each after its last running answer."""
        for supervisor in self._supervisors.values():
            supervisor.unload_if_removed()

    def worker(self, model: str = DEFAULT) -> Worker | None:
        """The process that a model runs in now, for health pages; None while it isn't loaded."""
        file = self._file(model)
        supervisor = self._supervisors.get(file.name) if file is not None else None
        return supervisor.worker if supervisor is not None else None

    async def aclose(self) -> None:
        """Ends all child processes."""
        supervisors = list(self._supervisors.values())
        self._supervisors.clear()
        await asyncio.gather(*(supervisor.aclose() for supervisor in supervisors))
        await self._http.aclose()

    async def _send(self, worker: Worker, slot: int, file: ModelFile, call: Call) -> HttpUpstream:
        call = replace(call, model=file.name)
        facts = self.capabilities(file.name)
        endpoint = Endpoint(
            self.name, file.name, worker.url(""), worker.key, profile=request_bodies.PROFILE
        )
        error_factory = endpoint.error_factory(call)
        continued = bool(call.prefix)
        body = request_bodies.chat_body(call, facts, slot)
        path = request_bodies.CHAT_PATH
        if continued:
            body = request_bodies.text_body(body, await self._prompt(worker, body, call.prefix))
            path = request_bodies.TEXT_PATH

        def parse_body(reply: bytes) -> list[UpstreamEvent]:
            return parse_chat_body(
                reply, request_bodies.PROFILE, error_factory, continued=continued
            )

        decoder = chat_decoder(request_bodies.PROFILE, error_factory, continued=continued)
        return await self._http.open(
            UpstreamRequest(
                worker.url(path), dumps(body), error_factory, decoder, parse_body, worker.headers()
            )
        )

    async def _embed_batch(self, worker: Worker, call: EmbeddingCall) -> Embeddings:
        slot = await worker.slots.acquire(())
        idle = False
        endpoint = Endpoint(self.name, call.model, worker.url(""), worker.key)
        error_factory = endpoint.error_factory(call)
        try:
            body = openai_body(call, packed=True)
            raw = await worker.post(request_bodies.EMBEDDINGS_PATH, body, error_factory)
            idle = True
            return parse_openai(raw, len(call.inputs))
        except InvalidJson as error:
            raise error_factory.malformed(str(error)) from error
        except ProviderError as error:
            raise await worker.explain_error(error) from error
        finally:
            worker.release(slot, idle=idle)

    async def _prompt(self, worker: Worker, body: dict[str, Any], prefix: str) -> str:
        rendered = await self._render(worker, request_bodies.template_body(body, continued=True))
        exact = request_bodies.with_exact_prefix(rendered, prefix)
        if exact is None:  # the template rewrites answers; use the rendering of the question
            question = request_bodies.template_body(body, continued=False)
            exact = await self._render(worker, question) + prefix
        return exact

    async def _render(self, worker: Worker, body: dict[str, Any]) -> str:
        reply = await worker.fetch(request_bodies.TEMPLATE_PATH, body)
        prompt = reply.get("prompt") if isinstance(reply, dict) else None
        if not isinstance(prompt, str):
            raise MalformedReply("The model's template gave no text", provider=self.name)
        return prompt

    def _file_for(self, call: Call) -> ModelFile:
        """The file of a call. Raises `Unsupported` for what it holds."""
        file = self._required_file(call.model)
        if any(isinstance(part, ImagePart) for message in call.messages for part in message.parts):
            raise Unsupported(
                f"The local model {file.name} can't see images",
                advice="Choose a model that can.",
                provider=self.name,
            )
        known = self._model_files.known(file)
        if isinstance(known, GgufHeader) and known.embeds:
            raise Unsupported(
                f"The local model {file.name} makes embeddings, no answers",
                advice="Choose another model.",
                provider=self.name,
            )
        return file

    def _required_file(self, model: str) -> ModelFile:
        file = self._file(model)
        if file is None:
            raise UnknownModel(
                f"There is no local model {model!r}",
                advice="Look at the list of models.",
                provider=self.name,
            )
        known = self._model_files.known(file)
        if isinstance(known, InvalidModelFile):
            raise ModelNotFound(
                f"The local model {file.name} can't be used: {known}",
                advice="Replace its file, or choose another model.",
                provider=self.name,
            )
        return file

    def _file(self, model: str) -> ModelFile | None:
        if model != DEFAULT:
            return self._model_files.find(model)
        files = self._model_files.files()
        return next(filter(self._may_answer, files), files[0] if files else None)

    def _may_answer(self, file: ModelFile) -> bool:
        known = self._model_files.known(file)
        return not (isinstance(known, InvalidModelFile) or (known is not None and known.embeds))

    def _supervisor(self, file: ModelFile) -> WorkerSupervisor:
        supervisor = self._supervisors.get(file.name)
        if supervisor is None or supervisor.file != file:
            supervisor = self._supervisors[file.name] = WorkerSupervisor(
                file,
                lambda: self._config(file),
                machine.environment(self._settings.variables),
                self._http,
                idle=self._settings.local_idle,
                deadline=self._settings.timeouts.first_byte,
            )
        return supervisor

    def _config(self, file: ModelFile) -> WorkerConfig:
        """How to run the model; reads and, for the built-in one, verifies its file. Blocks."""
        if not self._installed:
            raise LoadFailed("the engine isn't installed", final=False)
        described = self._model_files.describe(file)
        if isinstance(described, InvalidModelFile):
            raise LoadFailed(str(described), final=True)
        published = file.published
        if published is not None and not builtin.verify(file.path, published, self._folder):
            raise LoadFailed("the file isn't the published one (its SHA-256 differs)", final=True)
        settings = self._settings
        slots = max(1, settings.local_slots)
        context = self._context(described)
        batch = SMALL_BATCH if described.size < SMALL_FILE else LARGE_BATCH
        if described.embeds:
            batch = context  # a text is read at once, from both its ends
        return WorkerConfig(
            path=str(file.path),
            name=file.name,
            key=secrets.token_urlsafe(32),
            parent=os.getpid(),
            threads=settings.local_threads or machine.threads(),
            slots=slots,
            context=context,
            batch=max(batch, slots),
            embedding=described.embeds,
            sampling=published.sampling if published is not None else {},
        )

    async def _card(self, file: ModelFile) -> ModelCard:
        described = await asyncio.to_thread(self._model_files.describe, file)
        header = described if isinstance(described, GgufHeader) else None
        return ModelCard(
            f"{self.name}/{file.name}",
            title_of(file, described, curated_of(self._settings, file)),
            self.name,
            self._facts(header),
            self._readiness(file),
        )

    def _readiness(self, file: ModelFile) -> Readiness:
        if not self._installed:
            return self.readiness()
        known = self._model_files.known(file)
        if isinstance(known, InvalidModelFile):
            return Readiness("off", f"It can't be used: {known}", "Replace its file.")
        supervisors = self._supervisors.values()
        # A library that is missing for one model is missing for all.
        hampered = next(
            (supervisor for supervisor in supervisors if supervisor.missing_library), None
        )
        supervisor = self._supervisors.get(file.name) or hampered
        return supervisor.readiness() if supervisor is not None else READY

    def _facts(self, header: GgufHeader | None) -> Capabilities:
        return Capabilities(
            context_length=self._context(header),
            chat=not (header and header.embeds),
            tools=header.tools if header else False,
            reasoning=header.reasoning if header else False,
            prefix=True,
            input_price=0.0,
            output_price=0.0,
        )

    def _context(self, header: GgufHeader | None) -> int:
        trained = header.context_length if header else None
        return min(self._settings.local_context, trained or self._settings.local_context)

    def _models_folder(self) -> str:
        return str(builtin.models_folder(self._settings.data_dir))
