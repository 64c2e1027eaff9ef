"""Conversations as files: our own export, Markdown, and what other programs export."""
