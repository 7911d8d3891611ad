"""A launcher in a thread, for tests of the other side of its pipes."""

import os
import threading
from typing import Any

from diffava_launcher.host import Host
from diffava_launcher.window import Window


class Launched:
    """A launcher, its companion's ends of the pipes, and what it said."""

    def __init__(self, resolve: Any) -> None:
        to_host, from_companion = os.pipe()
        to_companion, from_host = os.pipe()
        self.said: list[str] = []
        self.reader = os.fdopen(to_companion, "rb")
        self.writer = os.fdopen(from_companion, "wb")
        self.ended: bool | None = None
        host = Host(resolve, Window(resolve, None, None), self.said.append, version="0.0.0")

        def serve() -> None:
            with os.fdopen(to_host, "rb") as reader, os.fdopen(from_host, "wb") as writer:
                self.ended = host.serve(reader, writer)

        self.thread = threading.Thread(target=serve)
        self.thread.start()

    def dies(self) -> None:
        """The companion's end is closed, as the system does for a killed process; returns once the launcher is done."""
        self.writer.close()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()
