"""Search queries: words, "exact words" and -words, for the full-text index and for titles.

The index splits text at spaces and punctuation, which Chinese, Japanese, Korean, Thai and others don't
put between words. Texts of these scripts are indexed by character, so that any part of them is found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

SEPARATOR = "\x1f"  # stands around each such character in the stored text; the index splits there
# Scripts without spaces between words, and Hangul, whose words carry their particles.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff"
    "\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9d"
    "\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_TOKEN = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f]")
_TYPOGRAPHIC = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "\u2212": "-"})
_MIN_PREFIX = 3  # characters: shorter beginnings would match almost everything
_FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


def index_text(text: str) -> str:
    """A text as it is stored for the index; without `SEPARATOR` it is the original, in NFC."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text.replace(SEPARATOR, ""))
    return _RUN.sub(lambda run: SEPARATOR + SEPARATOR.join(run[0]) + SEPARATOR, composed)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or several in this order. As a `prefix`, the last word may be longer in the text."""

    tokens: tuple[str, ...]  # as `index_text` splits them, case and accents as typed
    prefix: bool

    def fts5(self) -> str:
        """As FTS5 takes it: in each of the forms in which texts write it."""
        star = "*" if self.prefix else ""
        forms = dict.fromkeys(
            " ".join(form(token) for token in self.tokens)
            for form in (str, _narrow, _with_ss, _with_sharp_s, _full_width)
        )
        phrases = [f'"{words}"{star}' for words in forms]
        return phrases[0] if len(phrases) == 1 else f"({' OR '.join(phrases)})"

    def title_pattern(self) -> re.Pattern[str]:
        """For titles as `_fold` returns them. Words that aren't quoted match anywhere in them."""
        words = r"[\W_]+".join(re.escape(_fold(token)) for token in self.tokens)
        return re.compile(words if self.prefix else rf"(?<![^\W_]){words}(?![^\W_])")


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """A parsed query. Without `required` terms it matches nothing."""

    required: tuple[Term, ...]
    excluded: tuple[Term, ...]

    def fts5(self) -> str:
        """The query of the full-text index. Valid only with `required` terms."""
        wanted = " AND ".join(term.fts5() for term in self.required)
        unwanted = " OR ".join(term.fts5() for term in self.excluded)
        return f"({wanted}) NOT ({unwanted})" if unwanted else wanted

    def title_matcher(self) -> Callable[[str], bool]:
        """A predicate of titles: whether one has all required terms and no excluded one."""
        required = [term.title_pattern() for term in self.required]
        excluded = [term.title_pattern() for term in self.excluded]

        def matches(title: str) -> bool:
            folded = _fold(index_text(title))
            return all(pattern.search(folded) for pattern in required) and not any(
                pattern.search(folded) for pattern in excluded
            )

        return matches

    @property
    def unspaced(self) -> bool:
        """Whether a term is of a script whose characters are tokens of their own."""
        return any(_RUN.search(token) for term in self.required for token in term.tokens)


def parse_query(query: str) -> SearchTerms:
    """Takes any text; what has no letter and no digit is left out."""
    # A NUL would end the query, and lone surrogates can't be encoded.
    query = "".join(char if char.isprintable() else " " for char in query)
    required: list[Term] = []
    excluded: list[Term] = []
    for match in _TERM.finditer(query.translate(_TYPOGRAPHIC)):
        minus, quoted, word = match.groups()
        tokens = tuple(_TOKEN.findall(index_text(quoted if word is None else word)))
        if tokens:
            prefix = word is not None and not minus and len(tokens[-1]) >= _MIN_PREFIX
            (excluded if minus else required).append(Term(tokens, prefix))
    return SearchTerms(tuple(required), tuple(excluded))


# ---- helpers below -------------------------------------------------------------------------------

# The index folds case and accents of single characters only. What has another width, or is one letter here
# and two there, is looked up in every form instead.


def _narrow(token: str) -> str:
    return unicodedata.normalize("NFKC", token)


def _with_ss(token: str) -> str:
    return _narrow(token).replace("ß", "ss").replace("ẞ", "ss")


def _with_sharp_s(token: str) -> str:
    return re.sub("ss", "ß", _narrow(token), flags=re.IGNORECASE)


def _full_width(token: str) -> str:
    return _narrow(token).translate(_FULL_WIDTH)


def _fold(text: str) -> str:
    """Without case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    # Composed again: Hangul and the voiced kana are decomposed as well.
    return unicodedata.normalize("NFC", _MARKS.sub("", decomposed))
