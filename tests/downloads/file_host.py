"""An HTTP server of one file, in threads, for servers under test that run as processes of their own.

It answers ranges rightly, and holds back what lies behind `allowed` bytes, so that a test decides how much
of a download has arrived.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.http_host import serving_http


@dataclass
class FileHost:
    """`requests` are the `Range` headers received, "" where there was none."""

    content: bytes
    status: int = 200  # 200: the file, or the requested part of it
    redirect: str | None = None
    requests: list[str] = field(default_factory=list)
    address: str = ""
    port: int = 0
    _allowed: int | None = None  # None: everything
    _moved: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    @property
    def url(self) -> str:
        """Of the file."""
        return f"http://{self.address}:{self.port}/models/own.gguf"

    def allow(self, size: int | None) -> None:
        """Lets so many bytes of the file pass; None is all."""
        with self._moved:
            self._allowed = size
            self._moved.notify_all()

    def close(self) -> None:
        """Ends the requests that wait."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()

    def next_end(self, start: int) -> int:
        """Up to where may be sent; waits until it is further than `start`. `start` itself: the end."""
        with self._moved:
            self._moved.wait_for(lambda: self._closed or self._end() > start)
            return start if self._closed else self._end()

    def _end(self) -> int:
        return len(self.content) if self._allowed is None else min(self._allowed, len(self.content))


class _Handler(http.server.BaseHTTPRequestHandler):
    host: FileHost

    def do_GET(self) -> None:
        """The file or a part of it."""
        host, size = self.host, len(self.host.content)
        wanted = self.headers.get("Range", "")
        host.requests.append(wanted)
        if host.redirect is not None:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", host.redirect)
            self.end_headers()
            return
        if host.status != HTTPStatus.OK:
            self.send_error(host.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.send_header("ETag", '"1"')
        self.end_headers()
        while start < size and (end := host.next_end(start)) > start:
            try:
                self.wfile.write(host.content[start:end])
            except OSError:  # the client has left
                return
            start = end

    def log_message(self, *_: object) -> None:
        """Nothing: tests read `requests`."""


@contextmanager
def serving(host: FileHost, address: str = "127.0.0.1") -> Iterator[FileHost]:
    """The host on a free port of an address of this machine."""
    host.address = address
    with serving_http(type("Handler", (_Handler,), {"host": host}), address) as host.port:
        try:
            yield host
        finally:
            host.close()
