"""The messages of `WS /api/live`: built, parsed, serialised and described as these models.

OpenAPI has no WebSockets: `LiveMessage`, from the server, and `LiveClientMessage` stand among its schemas,
from which the page's types are written.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from grantha.api.schemas.requests import Body
from grantha.api.schemas.responses import ConversationListItem, ErrorJson, ResponseModel, StopReply
from grantha.chat import JsonObject, Status
from grantha.engine.feed import ChangeKind


class LiveHello(ResponseModel):
    """The first message. `heartbeat` is in seconds; `instance_id` changes when the server restarts."""

    type: Literal["hello"]
    protocol: int
    heartbeat: float
    instance_id: str


class LiveSubscribed(ResponseModel):
    """The generation's log is read from here on; a snapshot may have come before."""

    type: Literal["subscribed"]
    generation: str
    status: Status


class LiveFrame(ResponseModel):
    """A frame of a subscribed generation."""

    type: Literal["frame"]
    generation: str
    frame: JsonObject  # `values` describes it; for speed the socket writes it as text


class LiveGone(ResponseModel):
    """The generation can't be read: there is none of this id, or its records are gone."""

    type: Literal["gone"]
    generation: str
    code: str


class LiveStopped(StopReply):
    """The receipt of a stop."""

    type: Literal["stopped"]


class LiveChange(ResponseModel):
    """Something changed, in any tab. `row` is the conversation as it is listed, unless it was deleted."""

    type: Literal["change"]
    change: ChangeKind
    conversation: str | None = None
    generation: str | None = None
    row: ConversationListItem | None = None


class LiveError(ResponseModel):
    """A message was invalid, or a generation's log can't be read any further; the socket stays open."""

    type: Literal["error"]
    generation: str | None = None
    error: ErrorJson


class LivePong(ResponseModel):
    """The answer to a ping."""

    type: Literal["pong"]


class LiveHeartbeat(ResponseModel):
    """The connection is alive."""

    type: Literal["heartbeat"]


LiveMessage: TypeAlias = (
    LiveHello
    | LiveSubscribed
    | LiveFrame
    | LiveGone
    | LiveStopped
    | LiveChange
    | LiveError
    | LivePong
    | LiveHeartbeat
)


class LiveSubscribe(Body):
    """Reads a generation's log after a record id; from a snapshot on if there is none."""

    type: Literal["subscribe"]
    generation: str
    after: str | None = None


class LiveUnsubscribe(Body):
    """Reads it no longer."""

    type: Literal["unsubscribe"]
    generation: str


class LiveStop(Body):
    """Stops a generation; the receipt is the answer."""

    type: Literal["stop"]
    generation: str


class LivePing(Body):
    """Asks for a pong."""

    type: Literal["ping"]


LiveClientMessage: TypeAlias = LiveSubscribe | LiveUnsubscribe | LiveStop | LivePing
