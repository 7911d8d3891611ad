"""Telling systemd that the server answers, where systemd started it (`Type=notify`). Elsewhere nothing happens."""

import os
import socket
import sys


def notify(state: str) -> None:
    """Say "READY=1" or "STOPPING=1" to whoever waits at `NOTIFY_SOCKET`, if that is set; a deaf one is no failure.

    Source: sd_notify(3). A name that begins with `@` is in the abstract namespace.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or sys.platform == "win32":
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError:
            return
