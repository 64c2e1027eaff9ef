"""Compression of event streams: one compressor a stream, flushed after every frame, never buffering.

A frame repeats almost all of the frame before, so even a small one pays: a word of 100 bytes takes 24
with gzip, 29 with zstd, 45 with brotli, for 2 to 3 µs. Windows are small, because a stream's memory
counts a thousand times. Where two are equally welcome the cheaper one wins.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable
from typing import Protocol

_GZIP_BITS = 16 + 12  # gzip's envelope, a window of 4 kB
_GZIP_MEMORY = 5
_ZSTD_WINDOW = 14
_ZSTD_TABLES = 12
_BROTLI_WINDOW = 14


class Compressor(Protocol):
    """The compressor of one stream. Everything that `frame` returns can be decoded immediately."""

    def frame(self, body: bytes) -> bytes:
        """A frame, flushed."""
        ...

    def finish(self) -> bytes:
        """What ends the stream."""
        ...


def negotiate(accept: str) -> tuple[str, Callable[[], Compressor]] | None:
    """The content coding for an Accept-Encoding header and what makes its compressors, or None."""
    name = best_coding(accept, _MAKERS)
    return (name, _MAKERS[name]) if name is not None else None


def best_coding(accept: str, offered: Iterable[str]) -> str | None:
    """The most welcome of some content codings, the first of equals; None for none of them."""
    wanted = _qualities(accept)
    best, name = 0.0, None
    for coding in offered:
        quality = wanted.get(coding, wanted.get("*", 0.0))
        if quality > best:
            best, name = quality, coding
    return None if best < wanted.get("identity", 0.0) else name


# ---- helpers below -------------------------------------------------------------------------------


class _Gzip:
    def __init__(self) -> None:
        self._flate = zlib.compressobj(1, zlib.DEFLATED, _GZIP_BITS, _GZIP_MEMORY)

    def frame(self, body: bytes) -> bytes:
        return self._flate.compress(body) + self._flate.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._flate.flush(zlib.Z_FINISH)


class _Zstd:
    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {
            parameter.compression_level: 1,
            parameter.window_log: _ZSTD_WINDOW,
            parameter.hash_log: _ZSTD_TABLES,
            parameter.chain_log: _ZSTD_TABLES,
        }
        self._zstd = zstd.ZstdCompressor(options=options)

    def frame(self, body: bytes) -> bytes:
        return self._zstd.compress(body, mode=self._zstd.FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._zstd.flush(mode=self._zstd.FLUSH_FRAME)


class _Brotli:
    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped]  # it has no types

        self._brotli = brotli.Compressor(quality=2, lgwin=_BROTLI_WINDOW)

    def frame(self, body: bytes) -> bytes:
        done: bytes = self._brotli.process(body) + self._brotli.flush()
        return done

    def finish(self) -> bytes:
        done: bytes = self._brotli.finish()
        return done


_MAKERS: dict[str, Callable[[], Compressor]] = {"zstd": _Zstd, "gzip": _Gzip, "br": _Brotli}


def _qualities(accept: str) -> dict[str, float]:
    """Content codings with their q; one without is fully welcome, an unreadable q isn't at all."""
    found: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, _, rest = item.partition(";")
        weight = rest.replace(" ", "").removeprefix("q=")
        try:
            found[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            found[name.strip()] = 0.0
    return found
