"""Ray Serve for tests: one small Ray on this machine, with the service on a free port."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffava_server.engine.protocol import EngineFactory
from diffava_server.scaleout.cluster import serving
from diffava_server.scaleout.config import RayConfig
from support.server import server_config

TESTS = str(Path(__file__).parents[1])


@contextlib.contextmanager
def ray_service(
    directory: Path, engine: EngineFactory, ray_settings: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[str, str]]:
    """Where the service answers, and its token; `settings` are the server's."""
    config = server_config(directory, **settings)
    ray_config = RayConfig(
        **{"port": free_port(), "http_port": free_port(), "cpus_per_replica": 0, **(ray_settings or {})}
    )
    with importable_everywhere(), serving(config, ray_config, engine) as address:
        yield address, config.token_file.read_text().strip()


@contextlib.contextmanager
def importable_everywhere() -> Iterator[None]:
    """Ray's processes unpickle what tests give them, and so must find its modules."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([TESTS, *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return found.getsockname()[1]
