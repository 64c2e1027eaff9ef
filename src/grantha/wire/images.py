"""Checks images before they are sent: base64, type by its first bytes, size. Knows no vendor."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from grantha.chat import ImagePart
from grantha.errors import BadRequest, TooLarge

MAX_SIZE = 20 * 1024 * 1024  # bytes, decoded; the largest that any of our endpoints accepts
MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
HEAD = 16  # bytes that show the type


def check(image: ImagePart, limit: int) -> ImagePart:
    """The image, with the media type that its bytes show. `limit` is in bytes once decoded.

    Raises `BadRequest` for anything but PNG, JPEG, GIF or WebP, and for an image by URL; `TooLarge` above
    the limit.
    """
    if image.url is not None:
        raise BadRequest(
            "This model's provider doesn't fetch images by URL.",
            advice="Send the image itself as base64.",
        )
    size = len(image.data) * 3 // 4
    if size > limit + 2:
        raise TooLarge(
            f"An image of {size // 1024} kB is above the limit of {limit // 1024} kB",
            advice="Send a smaller one.",
        )
    try:
        # The whole text is checked, though only the first bytes are looked at.
        raw = base64.b64decode(image.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("An image isn't valid base64") from error
    media_type = media_type_of(raw[:HEAD])
    if media_type is None:
        raise BadRequest(
            f"An image of type {image.media_type!r} can't be sent",
            advice="Send PNG, JPEG, GIF or WebP.",
        )
    return image if media_type == image.media_type else replace(image, media_type=media_type)


def media_type_of(head: bytes) -> str | None:
    """The type of an image by its first `HEAD` bytes; None unless it is one of `MEDIA_TYPES`."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None
