"""Grantha: chat with language models whose answers are durable logs on the server.

This package root owns nothing but the version. It imports no submodule, so that asking for the
version, or for one small module, never pays for the rest.
"""

__version__ = "0.1.0"
