"""`diffava serve`: reads the settings, starts the server, says where it answers. Knows no gRPC and no torch itself."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from diffava_server.config import LogFormat, Precision, ServerConfig, read_with_origins
from diffava_server.errors import StartError

_REACHED = Group.create_ordered("Where editors reach it")
_COMPUTES = Group.create_ordered("What computes")
_RUNS = Group.create_ordered(
    "How it is run",
    help="There are more settings than options: --print-config shows all, with what they are. Each may stand in a file "
    "(--config) or in the environment as DIFFAVA_SERVER_NAME; options win, then the environment, then the file. "
    "Ctrl-C or SIGTERM lets the jobs in the house end; a second one does not wait.",
)
_SPREADS = Group.create_ordered("Over several GPUs")


def serve(
    *,
    listen: Annotated[str | None, Parameter(group=_REACHED)] = None,
    token_file: Annotated[Path | None, Parameter(group=_REACHED)] = None,
    tls_cert: Annotated[Path | None, Parameter(group=_REACHED)] = None,
    tls_key: Annotated[Path | None, Parameter(group=_REACHED)] = None,
    tls_client_ca: Annotated[Path | None, Parameter(group=_REACHED)] = None,
    model: Annotated[list[str] | None, Parameter(group=_COMPUTES, negative=())] = None,
    device: Annotated[str | None, Parameter(group=_COMPUTES)] = None,
    precision: Annotated[Precision | None, Parameter(group=_COMPUTES)] = None,
    compile: Annotated[bool, Parameter(group=_COMPUTES, negative=())] = False,
    memory_gb: Annotated[float | None, Parameter(group=_COMPUTES)] = None,
    config: Annotated[Path | None, Parameter(group=_RUNS)] = None,
    print_config: Annotated[bool, Parameter(group=_RUNS, negative=())] = False,
    metrics: Annotated[str | None, Parameter(group=_RUNS)] = None,
    log_format: Annotated[LogFormat | None, Parameter(group=_RUNS)] = None,
    log_prompts: Annotated[bool, Parameter(group=_RUNS, negative=())] = False,
    drain_s: Annotated[float | None, Parameter(group=_RUNS)] = None,
    state_file: Annotated[Path | None, Parameter(group=_RUNS)] = None,
    idle_exit_s: Annotated[float | None, Parameter(group=_RUNS)] = None,
    json: Annotated[bool, Parameter(group=_RUNS, negative=())] = False,
    ray: Annotated[bool, Parameter(group=_SPREADS, negative=())] = False,
    ray_port: Annotated[int | None, Parameter(group=_SPREADS)] = None,
    replicas: Annotated[int | None, Parameter(group=_SPREADS)] = None,
    gpus_per_replica: Annotated[float | None, Parameter(group=_SPREADS)] = None,
) -> None:
    """Serve foley to editors until stopped.

    Args:
        listen: HOST:PORT (port 0 takes a free one) or unix:/full/path. Beyond loopback only with a certificate.
        token_file: Where the secret lives that clients must know; made if absent. See `diffava token --help`.
        tls_cert: The server's certificate with those that signed it, PEM. Read anew when it changes.
        tls_key: Its private key, PEM.
        tls_client_ca: Who signs the editors' certificates, PEM. If given, nobody is served without one.
        model: A preset's name or a model's folder; may be given several times, the first is the default.
        device: Where models compute: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        precision: What models compute in: auto (what each wants, if this machine is fast at it), float32 or bfloat16.
        compile: Make CUDA graphs of the denoisers' steps: the first job of each length waits, later ones are faster.
        memory_gb: For the weights of all models; whichever waited longest is let go for another. Without it all stay.
        config: A TOML file of settings.
        print_config: Show every setting as such a file, and where it came from, and end.
        metrics: HOST:PORT on loopback, where Prometheus finds /metrics; /healthz is there too.
        log_format: The log on stderr: logfmt (key=value) or json, a line an event.
        log_prompts: Write what is asked for into the log, too.
        drain_s: How long jobs may take to end once the server is told to stop.
        state_file: Written with the address and the process once the server answers, removed when it ends.
        idle_exit_s: End after this many seconds without a call.
        json: Say where the server answers as one JSON object.
        ray: Serve by Ray Serve, with several engines; takes the extra `ray`. On a cluster, see the server's README.
        ray_port: Of Ray's proxy, which answers this machine's own calls there; others come by --listen and TLS.
        replicas: The most engines at once; one runs always, others come and go with the jobs.
        gpus_per_replica: 1, or 0.5 to have two engines share a GPU; 0 computes on the CPU.
    """
    given: dict[str, Any] = {
        "listen": listen,
        "token_file": token_file,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "models": tuple(model) if model else None,
        "device": device,
        "precision": precision,
        "compile": compile or None,
        "memory_gb": memory_gb,
        "metrics": metrics,
        "log_format": log_format,
        "log_prompts": log_prompts or None,
        "drain_s": drain_s,
        "state_file": state_file,
        "idle_exit_s": idle_exit_s,
    }
    try:
        settings, origins = read_with_origins(config, given)
        if print_config:
            from diffava_server.operations.settings_text import settings_text

            sys.stdout.write(settings_text(settings, origins))
        elif ray:
            run_on_ray(settings, json=json, port=ray_port, max_replicas=replicas, gpus_per_replica=gpus_per_replica)
        else:
            run(settings, json=json)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run(settings: ServerConfig, *, json: bool) -> None:
    """Serve with these settings until stopped.

    Raises:
        StartError: It cannot start.
    """
    # The library's own lines about a taken port would stand before our sentence. Read when gRPC is first imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from diffava_server import app
    from diffava_server.operations.logs import server_log, take_over_libraries

    take_over_libraries(settings.log_format)
    asyncio.run(app.serve(settings, _engine(settings), server_log(settings.log_format), _announcer(json=json)))


def run_on_ray(settings: ServerConfig, *, json: bool, **ray_settings: Any) -> None:
    """The same with Ray Serve; `ray_settings` are those of `scaleout.config`, None where not given.

    Raises:
        StartError: It cannot start.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from diffava_server.scaleout.cluster import serve_until_stopped
    from diffava_server.scaleout.config import read_ray_config

    serve_until_stopped(settings, read_ray_config(**ray_settings), _engine(settings), _announcer(json=json))


def _engine(settings: ServerConfig) -> Any:
    from diffava_server.engine.local import local_engine
    from diffava_server.operations.logs import logged

    return logged(local_engine(settings), settings.log_format)


def _announcer(*, json: bool) -> Any:
    out = sys.stdout

    def announce(state: Any) -> None:
        line = f"DiffAVA server answers at {state.address} with {', '.join(state.models)}; token in {state.token_file}"
        out.write((state.to_json() if json else line) + "\n")
        out.flush()

    return announce
