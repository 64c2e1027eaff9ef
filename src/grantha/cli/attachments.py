"""Files for `grantha chat`: images as they are, everything that is text as text, and documents, which the
server converts to text.

What can't be sent is refused, with the reason, before a message is sent.
"""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from grantha.chat import FilePart, ImagePart, Part
from grantha.cli.runner import notify
from grantha.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from grantha.client import Client

_MAX_IMAGE = 5 * 1024 * 1024  # bytes; the server's own limit
_MAX_TEXT = 4 * 1024 * 1024  # characters; likewise
_IMAGES = {  # what their bytes begin with
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
# What PDFs, present and old office files begin with. A PDF may be ASCII, and is no text all the same.
_DOCUMENTS = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


async def read_attachment(client: Client, path: Path) -> Part:
    """The file as a part of a message. Raises `BadRequest`, `TooLarge` or `Unsupported`, which name it."""
    content = _read(path)
    media_type = _image_type(content)
    if media_type is not None:
        return _image(path, media_type, content)
    if content.startswith(_DOCUMENTS):
        found = await client.document_text(path.name, content)
        if found.truncated:
            notify(f"{path} is long: its first {len(found.part.text):,} characters are sent.")
        return found.part
    text = _decode(content)
    if text is None:
        raise BadRequest(f"{path} is neither text nor an image.", advice=_conversion_advice(path))
    if len(text) > _MAX_TEXT:
        raise TooLarge(
            f"{path} has {len(text):,} characters, and a file may have {_MAX_TEXT:,}.",
            advice="Attach a part of it.",
        )
    return FilePart(path.name, mimetypes.guess_type(path.name)[0] or "text/plain", text)


def _read(path: Path) -> bytes:
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} can't be read: {error.strerror}.") from error
    if not content:
        raise BadRequest(f"{path} is empty.")
    return content


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
    if kind.startswith("image/") or path.suffix.lower() in {".heic", ".heif", ".avif"}:
        return "Convert it to PNG or JPEG."
    return "Attach its text, in UTF-8."
