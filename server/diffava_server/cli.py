"""`diffava serve`: reads the settings, starts the server, says where it answers. Knows no gRPC and no torch itself."""

import asyncio
import functools
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from diffava_server.config import read_config
from diffava_server.errors import StartError


def serve(
    *,
    listen: str | None = None,
    model: Annotated[list[str] | None, Parameter(negative=())] = None,
    device: str | None = None,
    precision: str | None = None,
    compile: Annotated[bool, Parameter(negative=())] = False,
    token_file: Path | None = None,
    state_file: Path | None = None,
    idle_exit_s: float | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Serve foley to editors on this machine until it is stopped.

    Every setting may also come from the environment as DIFFAVA_SERVER_NAME.

    Args:
        listen: HOST:PORT on loopback (port 0 takes a free one) or unix:/full/path.
        model: A preset's name or a model's folder; may be given several times, the first is the default.
        device: Where models compute: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        precision: What models compute in: auto (what each wants, if this machine is fast at it), float32 or bfloat16.
        compile: Make CUDA graphs of the denoisers' steps: the first job of each length waits, later ones are faster.
        token_file: Where the secret lives that clients must know; made if absent.
        state_file: Written with the address and the process once the server answers, removed when it ends.
        idle_exit_s: End after this many seconds without a call.
        json: Say where the server answers as one JSON object.
    """
    # The library's own lines about a taken port would stand before our sentence. Read when gRPC is first imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from diffava_server import app
    from diffava_server.engine.local import LocalEngine
    from diffava_server.machine.state import ServerState

    def announce(state: ServerState) -> None:
        line = f"DiffAVA server answers at {state.address} with {', '.join(state.models)}; token in {state.token_file}"
        sys.stdout.write((state.to_json() if json else line) + "\n")
        sys.stdout.flush()

    try:
        config = read_config(
            listen=listen,
            models=tuple(model) if model else None,
            device=device,
            precision=precision,
            compile=compile or None,
            token_file=token_file,
            state_file=state_file,
            idle_exit_s=idle_exit_s,
        )
        engine = functools.partial(LocalEngine, config.models, config.device, config.precision, config.compile)
        asyncio.run(app.serve(config, engine, stderr_log(), announce))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def stderr_log() -> Any:
    """A logger of one line an event on stderr. Prompts and tokens are never given to it."""
    import structlog

    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
