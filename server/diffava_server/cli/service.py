"""`diffava service`: the file by which this machine starts the server by itself."""

import sys
from pathlib import Path

from diffava_server.operations.service_files import ServiceKind, service_text


def service(kind: ServiceKind, /, *, config: Path = Path("/etc/diffava/server.toml")) -> None:
    """Print what makes this machine start the server by itself; its first lines say where it goes.

    Args:
        kind: systemd (of the machine), systemd-user (of one user), launchd (macOS), windows (Task Scheduler) or
            container (Podman and Docker).
        config: The server's settings, as `diffava serve --print-config` writes them.
    """
    sys.stdout.write(service_text(kind, config.absolute(), Path.home()))
