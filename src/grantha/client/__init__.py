"""A typed, asynchronous client of a Grantha server.

Knows the wire and the values, nothing of the server's inside. See `docs/client.md`. What a program makes
itself is named here; the kinds of events are in `grantha.events`, errors in `grantha.errors`.
"""

from grantha.chat import FilePart, ImagePart, Options, TextPart
from grantha.client.client import Client
from grantha.client.generation import Generation
from grantha.client.problems import BrokenLog, ServerAway, StrangeReply
from grantha.fold import Fold

__all__ = [
    "BrokenLog",
    "Client",
    "FilePart",
    "Fold",
    "Generation",
    "ImagePart",
    "Options",
    "ServerAway",
    "StrangeReply",
    "TextPart",
]
