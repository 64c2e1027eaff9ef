"""Finds house words: dialect where the field has a term, or plain English a better word.

    python tools/check_words.py [FILE …]     # all tracked files without arguments

Names are checked in Python by token and in the page by declaration; prose is checked everywhere else:
comments, docstrings, messages, Markdown. Each rule carries its reason and what to write instead. A new
rule is added when a review has had to say the same thing twice.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import token
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A part of a name (`asked_before`, `toldOf`) → what the field calls it.
NAMES = {
    "asked": "a participle isn't a noun: request, question, requested",
    "told": "a participle isn't a noun: message, reply, reported",
    "heard": "a participle isn't a noun: received, text",
    "spoken": "a participle isn't a noun: sent, announced",
    "door": "API, endpoint or view",
    "shelf": "model_files, folder",
    "keeper": "supervisor, owner",
    "joint": "overlap",
    "aside": "background_task",
    "asides": "background_tasks",
    "farewell": "exit_reason",
    "ledger": "verifier, record",
    "talk": "conversation",
    "talks": "conversations",
    "piece": "delta, chunk or part",
    "pieces": "deltas, chunks or parts",
    "whoever": "name who: the caller, the client, the owner",
    "anew": "again, from scratch",
}

# Prose, without regard to case → what an engineer would write.
PROSE = {
    r"(?<!next )(?<!out )\bdoors?\b": "an endpoint, a view or an API is meant",
    r"\bwhoever\b": "name who: the caller, the client, the owner",
    r"\b(?:shelf|shelves|keepers?)\b": "the folder of models, the supervisor",
    r"\b(?:be|is|are|was|were) told (?:by|as|of|in|at)\b": "reported, shown",
    r"\btells? of\b": "reports, shows",
    r"\b(?:can(?:'t|not)?|could(?:n't)?) be asked\b(?! (?:for|to)\b)": "available, reachable",
    r"\b(?:is|are|was|were) asked[,.;:]": "say what is requested, and by whom",
    r"\basked in words\b": "by instruction",
    r"\banew\b": "again, from scratch",
    r"\bfrom (?:the )?outside are\b": "name the client or API",
    r"\bvouch(?:es)? for\b": "trusts, signs",
    r"\bmakes? it good\b": "repairs, retries",
}

SUFFIXES = {".md", ".py", ".ts", ".svelte", ".js", ".mjs", ".css", ".html", ".toml", ""}
FOLDERS = ("src/", "web/src/", "docs/", "tests/", "bench/", "tools/")
TOP = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile"}
EXEMPT = (
    "tools/check_words.py",  # this list
    "tests/api/exports/",  # exports of other products
    "web/src/lib/strings/de.ts",
    "web/src/lib/strings/es.ts",
    "web/src/lib/strings/fr.ts",
)
DECLARED = re.compile(r"\b(?:const|let|function|class|type|interface)\s+([A-Za-z_$][\w$]*)")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def main(names: list[str]) -> int:
    """Prints `file:line: what: why` for every finding; the exit status is 1 if there is any."""
    found = [line for path in _files(names) for line in _findings(path)]
    print("\n".join(found) or "No dialect found.")
    return bool(found)


def _files(names: list[str]) -> Iterator[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", *names], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listing.split("\0")):
        ours = name in TOP or name.startswith(FOLDERS)
        path = ROOT / name
        if ours and path.suffix in SUFFIXES and path.is_file() and not name.startswith(EXEMPT):
            yield path


def _findings(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    where = path.relative_to(ROOT)
    declared = _python_names(text) if path.suffix == ".py" else _page_names(text)
    for number, name in declared:
        for word in WORD.findall(name):
            if why := NAMES.get(word.lower()):
                yield f"{where}:{number}: name {name!r}: {why}"
    for pattern, why in PROSE.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield f"{where}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}: {why}"


def _python_names(text: str) -> Iterator[tuple[int, str]]:
    for found in tokenize.generate_tokens(io.StringIO(text).readline):
        if found.type == token.NAME:
            yield found.start[0], found.string


def _page_names(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        yield from ((number, name) for name in DECLARED.findall(line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
