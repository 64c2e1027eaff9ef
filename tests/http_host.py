"""An HTTP server in threads, for servers under test that run as processes of their own."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def serving_http(
    handler: Callable[..., http.server.BaseHTTPRequestHandler], address: str = "127.0.0.1"
) -> Iterator[int]:
    """Serves on a free port of an address of this machine, and gives the port.

    The end waits for the requests that are being answered.
    """
    with http.server.ThreadingHTTPServer((address, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
