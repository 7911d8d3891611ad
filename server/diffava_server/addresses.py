"""Where a server may listen: addresses as people write them, checked before anything is bound. Knows no settings."""

import ipaddress
import os
import sys
from pathlib import Path

UNIX_PREFIX = "unix:"
MAX_UNIX_PATH_BYTES = 103 if sys.platform == "darwin" else 107  # sun_path less its final zero
_LARGEST_PORT = 65_535


def is_unix(address: str) -> bool:
    """Whether it names a Unix socket."""
    return address.startswith(UNIX_PREFIX)


def is_local(address: str) -> bool:
    """Whether only this machine can reach it: a Unix socket or a loopback address. Names are not resolved."""
    host = address.rpartition(":")[0].strip("[]")
    if is_unix(address) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked(address: str) -> str:
    """The address, if it is HOST:PORT or unix:/full/path.

    Raises:
        ValueError: It is neither; says what to give.
    """
    if is_unix(address):
        return _checked_unix(address)
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > _LARGEST_PORT:
        raise ValueError(f"'{address}' is not an address; give HOST:PORT or unix:PATH")
    if not host:
        raise ValueError(f"'{address}' names no host; give 127.0.0.1{address}, or 0.0.0.0{address} for every network")
    return address


def checked_loopback_port(address: str) -> str:
    """The address, if it is HOST:PORT on this machine's loopback.

    Raises:
        ValueError: Others could reach it, or it is no such address.
    """
    if is_unix(checked(address)) or not is_local(address):
        raise ValueError(f"'{address}' is not on this machine's loopback; give 127.0.0.1:PORT")
    return address


def _checked_unix(address: str) -> str:
    path = address.removeprefix(UNIX_PREFIX)
    if sys.platform == "win32":
        raise ValueError("Unix sockets are not offered on Windows; give 127.0.0.1:0")
    if not Path(path).is_absolute():
        raise ValueError(f"the socket's path '{path}' is not absolute; give unix:/full/path")
    if len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise ValueError(
            f"the socket's path has {len(os.fsencode(path))} bytes and the system takes {MAX_UNIX_PATH_BYTES}; "
            "choose a shorter one"
        )
    return address
