"""An HTTP server of images, in threads, for servers under test that run as processes of their own.

Replies below `/held` wait until `open` is called, so that a test decides what is being loaded.
"""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.http_host import serving_http

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Reply:
    """What a path answers. Without a length the body ends with the connection."""

    body: bytes = PNG
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    with_length: bool = True


@dataclass
class ImageHost:
    """`requests` are the path and the headers, names in lower case, of each request."""

    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    most_at_once: int = 0
    address: str = ""
    port: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opened: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://{self.address}:{self.port}"

    @property
    def paths(self) -> list[str]:
        """Of the requests so far."""
        return [path for path, _ in self.requests]

    def open(self) -> None:
        """Lets the replies go that are held, and all later ones."""
        self._opened.set()

    def reply_to(self, path: str, headers: dict[str, str]) -> Reply:
        """The reply of a path, once it may go."""
        with self._lock:
            self.requests.append((path, headers))
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        if path.startswith("/held"):
            self._opened.wait()
        with self._lock:
            self._now -= 1
        return self.replies.get(path, Reply())


class _Handler(http.server.BaseHTTPRequestHandler):
    host: ImageHost

    def do_GET(self) -> None:
        """The reply of the path."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.host.reply_to(self.path, headers)
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.with_length:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            pass  # the client has left

    def log_message(self, *_: object) -> None:
        """Nothing: tests read `requests`."""


@contextmanager
def serving_images(address: str = "127.0.0.1") -> Iterator[ImageHost]:
    """The host on a free port of an address of this machine."""
    host = ImageHost(address=address)
    with serving_http(type("Handler", (_Handler,), {"host": host}), address) as host.port:
        try:
            yield host
        finally:
            host.open()
