"""Rows, generations and models as the replies of the native API (`docs/protocol.md`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from starlette.responses import Response

from grantha.api.schemas.responses import (
    ConversationListItem,
    ConversationReply,
    GenerationReply,
    MessageReply,
    ModelReply,
    ProviderReply,
    RunningAnswerReply,
    SearchHitReply,
    StopReply,
)
from grantha.chat import FilePart, ImagePart, JsonDict, JsonObject, Part, iso_time, part_to_json
from grantha.engine.commands import StopReceipt
from grantha.engine.snapshot import AnswerSnapshot
from grantha.engine.supervisor import Supervisor
from grantha.events import Event, payload_of
from grantha.providers.base import ModelCard
from grantha.providers.registry import ProviderCard
from grantha.storage.base import (
    ConversationRow,
    GenerationRow,
    MessageRow,
    RunningAnswer,
    SearchHit,
)


def conversation_list_item(row: ConversationRow) -> ConversationListItem:
    """A conversation in a list."""
    return ConversationListItem(**_list_item(row))


async def conversation(
    row: ConversationRow,
    messages: list[MessageRow],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A conversation with its tree, as a reply. It may be large, so it is encoded in a thread."""
    body = await asyncio.to_thread(_conversation_json, row, messages)
    return Response(body, status, headers, "application/json")


def _conversation_json(row: ConversationRow, messages: list[MessageRow]) -> bytes:
    whole = ConversationReply(
        **_list_item(row),
        system_prompt=row.system_prompt,
        options=row.options,
        model=row.model,
        leaf=row.leaf,
        messages=[],  # the last member
    )
    head, _, tail = whole.json_bytes().rpartition(b"[]")
    # Message by message: one call of the encoder holds the interpreter, in a thread too.
    return head + b"[" + b",".join([_message(m).json_bytes() for m in messages]) + b"]" + tail


def _message(row: MessageRow) -> MessageReply:
    """A message; images and documents are given by their URL."""
    return MessageReply(
        id=row.id,
        parent=row.parent,
        role=row.role,
        parts=[part(row.id, number, p) for number, p in enumerate(row.parts)],
        created_at=iso_time(row.created_at),
        model=row.model,
        generation=row.generation,
        status=row.status,
        end=row.end or None,
        seams=list(row.seams),
        citations=list(row.citations),
    )


def part(message_id: str, number: int, value: Part) -> JsonObject:
    """A part; an image, or a document without text, is given by its URL, without its bytes."""
    body = part_to_json(value)
    if isinstance(value, ImagePart | FilePart) and body.pop("data", None) is not None:
        body.setdefault("url", f"/api/messages/{message_id}/parts/{number}")
    return body


async def generation(supervisor: Supervisor, subject: str, row: GenerationRow) -> GenerationReply:
    """A snapshot: the parts folded so far, and the id after which the tail continues."""
    return _snapshot(await supervisor.snapshot(subject, row))


def running_answer(answer: RunningAnswer) -> RunningAnswerReply:
    """An answer that is running."""
    row = answer.row
    return RunningAnswerReply(
        id=row.id,
        conversation=row.conversation,
        title=answer.title,
        origin=answer.origin,
        message=row.message,
        model=row.model,
        created_at=iso_time(row.created_at),
    )


def search_hit(hit: SearchHit) -> SearchHitReply:
    """A hit of a search."""
    return SearchHitReply(
        conversation=hit.conversation,
        title=hit.title,
        origin=hit.origin,
        created_at=iso_time(hit.created_at),
        message=hit.message,
        role=hit.role,
        model=hit.model,
        snippet=hit.snippet,
    )


def stop_reply(row: GenerationRow, receipt: StopReceipt | None) -> StopReply:
    """The result of a stop, over HTTP and WebSocket alike; `receipt` is None if nothing was running."""
    measured = receipt.to_json() if receipt else dict.fromkeys(("closed_ms", "confirmed", "deltas"))
    return StopReply(generation=row.id, status=row.status, stopped=receipt is not None, **measured)


def model_card(card: ModelCard) -> ModelReply:
    """A model, usable or not."""
    return ModelReply(
        id=card.id,
        name=card.name,
        provider=card.provider,
        capabilities=card.capabilities,
        readiness=card.readiness.to_json(),
    )


def provider_card(card: ProviderCard) -> ProviderReply:
    """A provider, usable or not."""
    return ProviderReply(
        name=card.name,
        title=card.title,
        dialect=card.dialect,
        readiness=card.readiness.to_json(),
    )


# ---- helpers below -------------------------------------------------------------------------------


def _list_item(row: ConversationRow) -> JsonDict:
    return {
        "id": row.id,
        "title": row.title,
        "pinned": row.pinned,
        "origin": row.origin,
        "created_at": iso_time(row.created_at),
        "updated_at": iso_time(row.updated_at),
        "status": row.status,
        "generation": row.generation,
        "snippet": row.snippet,
    }


def _snapshot(snapshot: AnswerSnapshot) -> GenerationReply:
    row, folded = snapshot.row, snapshot.folded
    parts = folded.parts()
    end = _plain(folded.end) if folded.end is not None else row.end or {}
    usage = folded.usage.to_json() if folded.usage else None
    return GenerationReply(
        id=row.id,
        conversation=row.conversation,
        message=row.message,
        parent=row.parent,
        status=row.status,
        model=snapshot.model,
        options=snapshot.options.to_json(),
        last_id=str(row.last_id),
        text="".join(p.text for p in parts if p.type == "text"),
        parts=[part(row.message, number, p) for number, p in enumerate(parts)],
        seams=[_plain(seam) for seam in folded.seams],
        citations=[_plain(citation) for citation in folded.citations],
        usage=end.get("usage") if end else usage,
        timings=end.get("timings"),
        error=end.get("error"),
        created_at=iso_time(row.created_at),
        end=end or None,
    )


def _plain(event: Event) -> JsonObject:
    body: JsonObject = json.loads(payload_of(event))
    return body
