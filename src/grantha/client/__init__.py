"""A typed, asynchronous client of a Grantha server.

Uses only the HTTP API, none of the server's internals. See `docs/client.md`. The classes that callers
construct are exported here; event classes are in `grantha.events`, error classes in `grantha.errors`.
"""

from grantha.chat import FilePart, ImagePart, Options, TextPart
from grantha.client.client import Client
from grantha.client.errors import BrokenLog, ServerUnavailable, UnexpectedResponse
from grantha.client.generation import Generation
from grantha.fold import Fold

__all__ = [
    "BrokenLog",
    "Client",
    "FilePart",
    "Fold",
    "Generation",
    "ImagePart",
    "Options",
    "ServerUnavailable",
    "TextPart",
    "UnexpectedResponse",
]
