"""The local provider: GGUF files on this machine, one child process each, behind the usual protocol.

Owns the shelf, a keeper for each model that was asked for, and the HTTP client that reaches the children.
The server process never loads llama.cpp itself.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from grantha.chat import Call, Capabilities, ImagePart
from grantha.config import Settings
from grantha.errors import MalformedReply, ModelNotFound, ProviderError, UnknownModel, Unsupported
from grantha.events import UpstreamEvent
from grantha.providers.base import READY, ModelCard, Readiness
from grantha.providers.endpoint import Site
from grantha.providers.http import Exchange, Http, HttpUpstream
from grantha.providers.local import builtin, machine, request_bodies
from grantha.providers.local.gguf import BrokenFile, Header
from grantha.providers.local.model_files import ModelFile, Shelf
from grantha.providers.local.worker_process import Child, NotLoaded
from grantha.providers.local.upstream import LocalUpstream, Seat
from grantha.providers.local.worker_protocol import Order
from grantha.providers.local.worker_supervisor import Keeper
from grantha.wire.lenient_json import dumps
from grantha.wire.upstream.openai_chat_decoder import chat_decoder, chat_reply

DEFAULT = "default"  # the name of whatever model comes first
ENGINE = "xllamacpp"
# A stop, and the next piece of every other answer, wait for the batch of a prompt that is being computed.
# Larger models compute larger batches so much better that this outweighs the waiting.
SMALL_FILE = 512 * 1024 * 1024
SMALL_BATCH, LARGE_BATCH = 16, 64


class Local:
    """See `grantha.providers.base.Provider`."""

    name = "local"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.folder()
        self._shelf = Shelf(self._folder, settings.local_models)
        # No proxy may stand between us and our own child.
        self._http = Http(settings.timeouts)
        self._keepers: dict[str, Keeper] = {}
        self._installed = find_spec(ENGINE) is not None

    async def open(
        self,
        call: Call,
        resume: str | None = None,  # noqa: ARG002  a prefix continues it exactly
    ) -> LocalUpstream:
        """Waits for the model and for a free slot, then sends the call.

        Raises `UnknownModel`, `ModelNotFound` for a file that can't be used, `Unsupported` for images,
        `ContextOverflow`, and what else `grantha.errors` has for an upstream.
        """
        file = self._for(call)
        keeper = self._keeper(file)
        child = await keeper.borrow()
        try:
            slot = await child.slots.take(call.messages)
        except BaseException:
            keeper.give_back()
            raise
        seat = Seat(child, slot, keeper.give_back)
        try:
            return LocalUpstream(await self._send(child, slot, file, call), seat)
        except ProviderError as error:
            seat.leave(idle=False)
            raise await child.explained(error) from error
        except BaseException:
            seat.leave(idle=False)
            raise

    async def count_tokens(self, call: Call) -> int:
        """By the model's own template and vocabulary; loads the model. Raises like `open`."""
        file = self._for(call)
        keeper = self._keeper(file)
        child = await keeper.borrow()
        try:
            named = replace(call, model=file.name)
            body = request_bodies.counted_body(named, self.capabilities(file.name))
            prompt = await self._render(child, body)
            # As the child itself reads a prompt: marks of the template are tokens, not text.
            asked = {"content": prompt, "add_special": True, "parse_special": True}
            found = await child.ask(request_bodies.TOKENS_PATH, asked)
        finally:
            keeper.give_back()
        return len(found["tokens"])

    def readiness(self) -> Readiness:
        """Of the default model: whether there is one, and whether it is being loaded."""
        if not self._installed:
            return Readiness(
                "off",
                "The local model's engine isn't installed",
                'Install it with: pip install "grantha[local]"',
            )
        file = self._find(DEFAULT)
        if file is None:
            return Readiness(
                "off",
                "There is no local model",
                f"Run `grantha models fetch`, or put a GGUF file into {self._models_folder()}.",
            )
        return self._readiness(file)

    async def models(self) -> Sequence[ModelCard]:
        """One card a file, usable or not, the default first."""
        return [await self._card(file) for file in await asyncio.to_thread(self._shelf.files)]

    def capabilities(self, model: str) -> Capabilities:
        """From the file's own description once it was read; until then what all of them can do."""
        file = self._find(model)
        known = self._shelf.known(file) if file is not None else None
        return self._facts(known if isinstance(known, Header) else None)

    def real_name(self, model: str) -> str:
        """The file's name where the default is meant."""
        file = self._find(model)
        return model if file is None else file.name

    def knows(self, model: str) -> bool:
        """Whether there is such a file."""
        return self._find(model) is not None

    async def warm(self, model: str = DEFAULT) -> None:
        """Loads a model ahead of its first use. Raises like `open`; `readiness` tells how it goes."""
        await self._keeper(self._require(model)).warm()

    def child(self, model: str = DEFAULT) -> Child | None:
        """The process that a model runs in now, for health pages; None while it isn't loaded."""
        file = self._find(model)
        keeper = self._keepers.get(file.name) if file is not None else None
        return keeper.child if keeper is not None else None

    async def aclose(self) -> None:
        """Ends all child processes."""
        keepers = list(self._keepers.values())
        self._keepers.clear()
        await asyncio.gather(*(keeper.aclose() for keeper in keepers))
        await self._http.aclose()

    async def _send(self, child: Child, slot: int, file: ModelFile, call: Call) -> HttpUpstream:
        call = replace(call, model=file.name)
        facts = self.capabilities(file.name)
        site = Site(self.name, file.name, child.url(""), child.key, profile=request_bodies.PROFILE)
        error_factory = site.error_factory(call)
        continued = bool(call.prefix)
        body = request_bodies.chat_body(call, facts, slot)
        path = request_bodies.CHAT_PATH
        if continued:
            body = request_bodies.text_body(body, await self._prompt(child, body, call.prefix))
            path = request_bodies.TEXT_PATH

        def whole(reply: bytes) -> list[UpstreamEvent]:
            return chat_reply(reply, request_bodies.PROFILE, error_factory, continued=continued)

        decoder = chat_decoder(request_bodies.PROFILE, error_factory, continued=continued)
        return await self._http.open(
            Exchange(child.url(path), dumps(body), error_factory, decoder, whole, child.headers())
        )

    async def _prompt(self, child: Child, body: dict[str, Any], prefix: str) -> str:
        rendered = await self._render(child, request_bodies.template_body(body, continued=True))
        exact = request_bodies.ending_in(rendered, prefix)
        if exact is None:  # the template rewrites answers; the question's own rendering stands
            question = request_bodies.template_body(body, continued=False)
            exact = await self._render(child, question) + prefix
        return exact

    async def _render(self, child: Child, body: dict[str, Any]) -> str:
        reply = await child.ask(request_bodies.TEMPLATE_PATH, body)
        prompt = reply.get("prompt") if isinstance(reply, dict) else None
        if not isinstance(prompt, str):
            raise MalformedReply("The model's template gave no text", provider=self.name)
        return prompt

    def _for(self, call: Call) -> ModelFile:
        """The file of a call. Raises `Unsupported` for what it holds."""
        file = self._require(call.model)
        if any(isinstance(part, ImagePart) for message in call.messages for part in message.parts):
            raise Unsupported(
                f"The local model {file.name} can't see images",
                advice="Choose a model that can.",
                provider=self.name,
            )
        return file

    def _require(self, model: str) -> ModelFile:
        file = self._find(model)
        if file is None:
            raise UnknownModel(
                f"There is no local model {model!r}",
                advice="Look at the list of models.",
                provider=self.name,
            )
        known = self._shelf.known(file)
        if isinstance(known, BrokenFile):
            raise ModelNotFound(
                f"The local model {file.name} can't be used: {known}",
                advice="Replace its file, or choose another model.",
                provider=self.name,
            )
        return file

    def _find(self, model: str) -> ModelFile | None:
        if model != DEFAULT:
            return self._shelf.find(model)
        files = self._shelf.files()
        usable = (f for f in files if not isinstance(self._shelf.known(f), BrokenFile))
        return next(usable, files[0] if files else None)

    def _keeper(self, file: ModelFile) -> Keeper:
        keeper = self._keepers.get(file.name)
        if keeper is None or keeper.file != file:
            keeper = self._keepers[file.name] = Keeper(
                file,
                lambda: self._order(file),
                machine.environment(self._settings.variables),
                self._http,
                idle=self._settings.local_idle,
                deadline=self._settings.timeouts.first_byte,
            )
        return keeper

    def _order(self, file: ModelFile) -> Order:
        """How to run the model; reads and, for the built-in one, verifies its file. Blocks."""
        if not self._installed:
            raise NotLoaded("the engine isn't installed", final=False)
        described = self._shelf.describe(file)
        if isinstance(described, BrokenFile):
            raise NotLoaded(str(described), final=True)
        published = file.published
        if published is not None and not builtin.verify(file.path, published, self._folder):
            raise NotLoaded("the file isn't the published one (its SHA-256 differs)", final=True)
        settings = self._settings
        slots = max(1, settings.local_slots)
        batch = SMALL_BATCH if described.size < SMALL_FILE else LARGE_BATCH
        return Order(
            path=str(file.path),
            name=file.name,
            key=secrets.token_urlsafe(32),
            parent=os.getpid(),
            threads=settings.local_threads or machine.threads(),
            slots=slots,
            context=self._context(described),
            batch=max(batch, slots),
            sampling=published.sampling if published is not None else {},
        )

    async def _card(self, file: ModelFile) -> ModelCard:
        described = await asyncio.to_thread(self._shelf.describe, file)
        header = described if isinstance(described, Header) else None
        title = builtin.TITLE if file.published is not None else (header and header.name)
        return ModelCard(
            f"{self.name}/{file.name}",
            title or file.name,
            self.name,
            self._facts(header),
            self._readiness(file),
        )

    def _readiness(self, file: ModelFile) -> Readiness:
        if not self._installed:
            return self.readiness()
        known = self._shelf.known(file)
        if isinstance(known, BrokenFile):
            return Readiness("off", f"It can't be used: {known}", "Replace its file.")
        keepers = self._keepers.values()
        # What the engine lacks for one model, it lacks for all.
        hampered = next((keeper for keeper in keepers if keeper.missing_library), None)
        keeper = self._keepers.get(file.name) or hampered
        return keeper.readiness() if keeper is not None else READY

    def _facts(self, header: Header | None) -> Capabilities:
        return Capabilities(
            context_length=self._context(header),
            tools=header.tools if header else False,
            reasoning=header.reasoning if header else False,
            prefix=True,
            input_price=0.0,
            output_price=0.0,
        )

    def _context(self, header: Header | None) -> int:
        trained = header.context_length if header else None
        return min(self._settings.local_context, trained or self._settings.local_context)

    def _models_folder(self) -> str:
        return str(builtin.models_folder(self._settings.data_dir))
