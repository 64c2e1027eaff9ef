"""A typed, asynchronous client of a Grantha server.

Knows the wire and the values, nothing of the server's inside. See `docs/client.md`.
"""

from grantha.client.client import Client
from grantha.client.generation import Generation
from grantha.client.problems import BrokenLog, ServerAway, StrangeReply

__all__ = ["BrokenLog", "Client", "Generation", "ServerAway", "StrangeReply"]
