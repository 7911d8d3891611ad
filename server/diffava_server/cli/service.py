"""`diffava service`: the file by which this machine starts the server by itself."""

import json as json_format
import sys
from pathlib import Path

from diffava_server.operations.service_files import FILES, ServiceKind, service_text


def service(kind: ServiceKind, /, *, config: Path = Path("/etc/diffava/server.toml"), json: bool = False) -> None:
    """Print what makes this machine start the server by itself; its first lines say where it goes.

    Args:
        kind: systemd (of the machine), systemd-user (of one user), launchd (macOS), windows (Task Scheduler) or
            container (Podman and Docker).
        config: The server's settings, as `diffava serve --print-config` writes them.
        json: Print one JSON object, with the file's usual name and its text.
    """
    text = service_text(kind, config.absolute(), Path.home())
    sys.stdout.write(json_format.dumps({"name": FILES[kind], "text": text}) + "\n" if json else text)
