"""Conversations as files: Grantha's own export, Markdown, and the exports of other programs."""
