"""Files for `grantha chat`: images as they are, everything that is text as text.

What can't be sent is refused here, with the reason, before anything is sent.
"""

from __future__ import annotations

import base64
import mimetypes
import shlex
from pathlib import Path

from grantha.chat import FilePart, ImagePart, Part
from grantha.errors import BadRequest, TooLarge

_MAX_IMAGE = 5 * 1024 * 1024  # bytes; the server's own limit
_MAX_TEXT = 4 * 1024 * 1024  # characters; likewise
_IMAGES = {  # what their bytes begin with
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_DOCUMENTS = frozenset(
    {".doc", ".docx", ".odt", ".ods", ".odp", ".xls", ".xlsx", ".ppt", ".pptx", ".epub", ".pages"}
)
_PDF = b"%PDF-"  # some consist of ASCII, and are no text all the same
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_attachment(path: Path) -> Part:
    """The file as a part of a message. Raises `BadRequest` or `TooLarge`, which name the file."""
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} can't be read: {error.strerror}.") from error
    if not content:
        raise BadRequest(f"{path} is empty.")
    media_type = _image_type(content)
    if media_type is not None:
        return _image(path, media_type, content)
    if content.startswith(_PDF):
        name, converted = (shlex.quote(n) for n in (path.name, path.with_suffix(".txt").name))
        raise BadRequest(
            f"{path} is a PDF, and only text and images can be sent.",
            advice=f"Convert it with `pdftotext {name}`, and attach {converted}.",
        )
    text = _decode(content)
    if text is None:
        raise BadRequest(f"{path} is neither text nor an image.", advice=_conversion_advice(path))
    if len(text) > _MAX_TEXT:
        raise TooLarge(
            f"{path} has {len(text):,} characters, and a file may have {_MAX_TEXT:,}.",
            advice="Attach a part of it.",
        )
    return FilePart(path.name, mimetypes.guess_type(path.name)[0] or "text/plain", text)


def _image(path: Path, media_type: str, content: bytes) -> ImagePart:
    if len(content) > _MAX_IMAGE:
        raise TooLarge(
            f"{path} has {len(content) / 1024**2:.1f} MB, and an image may have "
            f"{_MAX_IMAGE // 1024**2} MB.",
            advice="Scale it down.",
        )
    return ImagePart(media_type, base64.b64encode(content).decode())


def _image_type(content: bytes) -> str | None:
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _IMAGES.items() if content.startswith(start)), None)


def _decode(content: bytes) -> str | None:
    """The text of a file; None for what isn't text."""
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def _conversion_advice(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or ""
    if path.suffix.lower() in _DOCUMENTS:
        return "Export it as text or Markdown, and attach that."
    if kind.startswith("image/") or path.suffix.lower() in {".heic", ".heif", ".avif"}:
        return "Convert it to PNG or JPEG."
    return "Attach its text, in UTF-8."
