"""A server process for load: `python -m support.serving.loaded_server FIELDS`, settings from the environment.

Its engine is the fake one with these FIELDS (JSON), which sleeps where a real one computes; or, with
`{"model": "nano"}`, a real one with random weights.
"""

import asyncio
import functools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from diffava_server.app import serve
from diffava_server.config import read_config
from diffava_server.engine.fake import FakeEngine
from diffava_server.load.client import Target
from diffava_server.operations.logs import logged, server_log
from support.server import started_process


@dataclass(frozen=True)
class LoadedServer:
    """A server that answers, in a process of its own."""

    target: Target
    pid: int

    def engine(self) -> psutil.Process | None:
        """The engine's process, or None between two of them."""
        # Beside it there is multiprocessing's resource tracker.
        for child in psutil.Process(self.pid).children():
            if _is_engine(child):
                return child
        return None

    def kill_engine(self) -> bool:
        """Kill the engine as the system would, without a word; False where there was none."""
        engine = self.engine()
        if engine is not None:
            engine.kill()
        return engine is not None


def _is_engine(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in argument for argument in process.cmdline())
    except psutil.Error:
        return False


@contextmanager
def loaded_server(directory: Path, engine: dict[str, Any], **settings: Any) -> Iterator[LoadedServer]:
    """A server on a free loopback port; its log is `directory / "log"`."""
    directory.mkdir(parents=True, exist_ok=True)
    arguments = ["-m", "support.serving.loaded_server", json.dumps(engine)]
    # All clients come from this machine, and count as one where calls are limited.
    given = {name: str(value) for name, value in {"max_calls_per_minute": 1_000_000, **settings}.items()}
    with (
        (directory / "log").open("wb") as log,
        started_process(arguments, directory, stderr=log, **given) as process,
    ):
        state = json.loads(process.stdout.readline())
        yield LoadedServer(Target(state["address"], Path(state["token_file"]).read_text().strip()), state["pid"])


def main() -> None:
    fields = json.loads(sys.argv[1])
    if "model" in fields:
        from diffava_server.engine.local import LocalEngine

        factory: Any = functools.partial(LocalEngine, (fields["model"],))
    else:
        factory = functools.partial(FakeEngine, **fields)
    config = read_config()
    engine, log = logged(factory, config.log_format), server_log(config.log_format)
    asyncio.run(serve(config, engine, log, lambda state: print(state.to_json(), flush=True)))


if __name__ == "__main__":
    main()
