"""Markdown in a terminal: Rich's, with plain headings, indented code in four colours, and no HTML.

Also finds how much of a growing answer is stable: its last block may still change, those before it won't.
"""

from __future__ import annotations

from functools import cache
from itertools import dropwhile
from typing import ClassVar

from markdown_it import MarkdownIt
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.table import Table
from rich.theme import Theme
from typing_extensions import override

# Only the terminal's own colours, so that light and dark palettes both stay readable.
THEME = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
        "markdown.code": "cyan",
        "markdown.link": "cyan underline",
        "markdown.link_url": "cyan underline",
        "markdown.item.bullet": "cyan",
        "markdown.item.number": "cyan",
        "markdown.block_quote": "dim",
        "markdown.hr": "dim",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
        "muted": "dim",
        "accent": "cyan",
        "seam": "blue",
        "warning": "yellow",
        "error": "red",
        "interrupted": "magenta",
    },
    inherit=True,
)
_SYNTAX_THEME = ANSISyntaxTheme(
    {
        ("Token",): Style(),
        ("Token", "Comment"): Style(dim=True),
        ("Comment",): Style(dim=True),
        ("Keyword",): Style(bold=True),
        ("Literal", "String"): Style(color="green"),
        ("Literal", "Number"): Style(color="yellow"),
        ("Name", "Function"): Style(color="blue"),
        ("Name", "Class"): Style(color="blue"),
        ("Name", "Decorator"): Style(color="blue"),
        ("Generic", "Deleted"): Style(color="red"),
        ("Generic", "Inserted"): Style(color="green"),
    }
)


@cache
def _parser() -> MarkdownIt:
    # HTML stays text: `List<String>` in an answer must not lose its second half.
    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar = {}  # left-aligned at every level


class _Table(TableElement):
    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                table.box = box.SIMPLE_HEAD
                table.show_edge = False  # its edges are blank lines
            yield table


class _Code(CodeBlock):
    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        # Wrapped lines can be copied whole; a background would end up in the clipboard as spaces.
        yield Padding(
            Syntax(code, self.lexer_name, theme=_SYNTAX_THEME, word_wrap=True), (0, 0, 0, 2)
        )


class AnswerMarkdown(Markdown):
    """One or more blocks of an answer."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "table_open": _Table,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, markup: str) -> None:
        super().__init__("")
        self.markup = markup
        self.parsed = _parser().parse(markup)

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Rich pads lines to the window's width and starts some blocks with a blank line; both would
        # end up in copied text, and double the gaps when printing block by block.
        rendered = super().__rich_console__(console, options)
        lines = Segment.split_lines(item for item in rendered if isinstance(item, Segment))
        for line in dropwhile(_is_blank, lines):
            yield from _trimmed(line)
            yield Segment.line()


def _is_blank(line: list[Segment]) -> bool:
    return not any(segment.text.strip() for segment in line)


def _trimmed(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].text.strip():
        line = line[:-1]
    if not line:
        return line
    last = line[-1]
    return [*line[:-1], Segment(last.text.rstrip(), last.style, last.control)]


def stable_length(text: str) -> int:
    """How many leading characters belong to blocks that further text can't change.

    Only whole lines count: "2" may yet become "2. next item" of the list above it.
    """
    whole = text[: text.rfind("\n") + 1]
    tokens = _parser().parse(whole)
    starts = [t.map[0] for t in tokens if t.level == 0 and t.map and t.nesting >= 0]
    if len(starts) < 2:
        return 0
    return sum(len(line) + 1 for line in whole.split("\n")[: starts[-1]])


def strip_controls(text: str) -> str:
    """The text without control characters: a model must not control the terminal."""
    return text.translate(_CONTROLS)


_CONTROLS = dict.fromkeys(n for n in [*range(32), *range(127, 160)] if n not in {9, 10})
