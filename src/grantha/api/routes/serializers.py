"""JSON of rows, generations and models as the native API gives them (`docs/protocol.md`)."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

from grantha.api.answers import frames_so_far
from grantha.chat import ImagePart, JsonDict, Part, part_to_json
from grantha.engine.supervisor import Supervisor
from grantha.events import Event, payload_of
from grantha.fold import Fold, fold
from grantha.providers.base import ModelCard
from grantha.storage.base import ConversationRow, GenerationRow, MessageRow


def iso_time(ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def conversation_row(row: ConversationRow) -> JsonDict:
    """One line of the list."""
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


def conversation(row: ConversationRow, messages: list[MessageRow]) -> JsonDict:
    """A conversation with its tree."""
    return {
        **conversation_row(row),
        "system_prompt": row.system_prompt,
        "options": dict(row.options),
        "model": row.model,
        "leaf": row.leaf,
        "messages": [message(m) for m in messages],
    }


def message(row: MessageRow) -> JsonDict:
    """A message; images are given by address."""
    return {
        "id": row.id,
        "parent": row.parent,
        "role": row.role,
        "parts": [part(row.id, number, p) for number, p in enumerate(row.parts)],
        "created_at": iso_time(row.created_at),
        "model": row.model,
        "generation": row.generation,
        "status": row.status,
        "end": dict(row.end) if row.end else None,
        "seams": [dict(seam) for seam in row.seams],
        "citations": [dict(citation) for citation in row.citations],
    }


def part(message_id: str, number: int, value: Part) -> JsonDict:
    """A part; the bytes of an image stay behind."""
    if isinstance(value, ImagePart):
        return {
            "type": "image",
            "media_type": value.media_type,
            "url": f"/api/messages/{message_id}/parts/{number}",
        }
    return part_to_json(value)


async def generation(supervisor: Supervisor, subject: str, row: GenerationRow) -> JsonDict:
    """A snapshot: the parts as they are folded so far, and the id that the tail goes on from."""
    frames = await frames_so_far(supervisor.store, subject, row)
    folded = fold(frame.event for frame in frames)
    if frames:
        row = dataclasses.replace(row, last_id=frames[-1].id)
    if folded.end is not None:
        row = dataclasses.replace(row, status=folded.end.ending)
    return _snapshot(supervisor, row, folded)


def model_card(card: ModelCard) -> JsonDict:
    """A model as it is offered."""
    return {
        "id": card.id,
        "name": card.name,
        "provider": card.provider,
        "capabilities": dataclasses.asdict(card.capabilities),
        "readiness": card.readiness.to_json(),
    }


def _snapshot(supervisor: Supervisor, row: GenerationRow, folded: Fold) -> JsonDict:
    parts = folded.parts()
    current = supervisor.current(row.id)
    model, options = current or (row.model, row.options)
    if current is None and folded.seams:
        model = folded.seams[-1].model
    end = _plain(folded.end) if folded.end is not None else row.end
    usage = folded.usage.to_json() if folded.usage else None
    return {
        "id": row.id,
        "conversation": row.conversation,
        "message": row.message,
        "parent": row.parent,
        "status": row.status,
        "model": model,
        "options": options.to_json(),
        "last_id": str(row.last_id),
        "text": "".join(p.text for p in parts if p.type == "text"),
        "parts": [part(row.message, number, p) for number, p in enumerate(parts)],
        "seams": [_plain(seam) for seam in folded.seams],
        "citations": [_plain(citation) for citation in folded.citations],
        "usage": end.get("usage") if end else usage,
        "timings": end.get("timings") if end else None,
        "error": end.get("error") if end else None,
        "created_at": iso_time(row.created_at),
        "end": dict(end) if end else None,
    }


def _plain(event: Event) -> JsonDict:
    body: JsonDict = json.loads(payload_of(event))
    return body
