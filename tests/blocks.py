"""The code blocks of a document, so that tests can run what it tells people to run."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
ADDRESS = "http://127.0.0.1:8000"  # what documents say; tests put their own server's there
_BLOCK = re.compile(r"^(<!-- not run: [^\n]+ -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str, url: str) -> list[str]:
    """The blocks of a language that aren't marked `<!-- not run: why -->`, with our server's address."""
    text = (DOCS / document).read_text(encoding="utf-8")
    return [
        code.replace(ADDRESS, url)
        for not_run, found, code in _BLOCK.findall(text)
        if found == language and not not_run
    ]
