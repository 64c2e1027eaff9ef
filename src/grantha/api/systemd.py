"""The interface to systemd: an inherited listening socket, and the socket for readiness messages.

Follows sd_listen_fds(3) and sd_notify(3) without their library: two environment variables and one
datagram. Outside of systemd both do nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from grantha.errors import CallerError

_FIRST_FD = 3  # SD_LISTEN_FDS_START


class UnusableSocket(CallerError):
    """systemd passed something that can't be served on."""

    code = "cannot_start"


def inherited_socket(variables: Mapping[str, str]) -> socket.socket | None:
    """The socket of the socket unit that started this process; None when there is none.

    Raises `UnusableSocket` when it isn't exactly one listening TCP socket.
    """
    # The variables are inherited by our children too, for whom the sockets are not meant.
    if variables.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = variables.get("LISTEN_FDS", "")
    if count != "1":
        raise UnusableSocket(
            f"systemd passed {count or 'no'} sockets, and Grantha serves on one.",
            advice="Leave one ListenStream= in the socket unit.",
        )
    try:
        found = socket.socket(fileno=_FIRST_FD)
    except OSError as error:
        raise UnusableSocket(f"The socket from systemd can't be used: {error.strerror}.") from error
    found.set_inheritable(False)
    if found.family not in {socket.AF_INET, socket.AF_INET6} or not _is_listening(found):
        found.close()
        raise UnusableSocket(
            "The socket from systemd isn't a listening TCP socket.",
            advice="Set ListenStream= in the socket unit to an address and a port.",
        )
    return found


def notify(variables: Mapping[str, str], state: str) -> None:
    """Reports a state such as `READY=1` to systemd, if it listens for one."""
    address = variables.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reporting:
        # A leading @ means the abstract namespace, whose names begin with a NUL.
        reporting.connect("\0" + address[1:] if address.startswith("@") else address)
        reporting.sendall(state.encode())


def _is_listening(found: socket.socket) -> bool:
    return (
        found.type == socket.SOCK_STREAM
        and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    )
