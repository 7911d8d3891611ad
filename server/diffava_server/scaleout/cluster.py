"""`diffava serve --ray`: Ray on this machine, the application on it, and its end. The one place that starts Ray.

On a cluster, Ray is started on each node by `ray start` and the application by `serve deploy`; see README.md.
"""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version

from diffava_server.config import ENV_PREFIX, ServerConfig
from diffava_server.engine.protocol import EngineFactory
from diffava_server.errors import StartError
from diffava_server.machine.state import ServerState, published
from diffava_server.machine.token import read_or_create_token
from diffava_server.scaleout.config import RayConfig, has_fixed_address

OBJECT_STORE_BYTES = 128 << 20  # answers larger than 100 kB pass through it; a job's are 256 KiB each


def serve_until_stopped(
    config: ServerConfig,
    ray_config: RayConfig,
    engine_factory: EngineFactory,
    announce: Callable[[ServerState], None],
) -> None:
    """Serve until SIGTERM or SIGINT; tell `announce` when the service answers.

    Raises:
        StartError: As `serving`.
    """
    # What Ray prints is no answer of ours.
    with contextlib.redirect_stdout(sys.stderr), serving(config, ray_config, engine_factory) as address:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):  # after Ray, which sets handlers of its own
            signal.signal(number, lambda *_: stop.set())
        state = ServerState(
            address, str(config.token_file.absolute()), os.getpid(), version("diffava-foley"), config.models
        )
        with published(state, config.state_file):
            announce(state)
            while not stop.wait(1.0):  # without a bound, a signal would wait for the lock on some systems
                pass


def environment(config: ServerConfig, ray_config: RayConfig) -> dict[str, str]:
    """What Ray's processes must find in their environment; on a cluster, at `ray start` on each node."""
    names = ("listen", "tls_cert", "tls_key", "tls_client_ca", "max_calls_per_minute", "max_open_calls")
    of_the_proxy = {name: getattr(config, name) for name in names}
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_GRPC_MAX_MESSAGE_SIZE": str(config.max_message_bytes),  # otherwise 2 GiB
        "SERVE_SOCKET_REUSE_PORT_ENABLED": "0",  # or a second proxy would share the port and take half of the calls
        "DIFFAVA_RAY_TRUST_NETWORK": str(ray_config.trust_network),
        **{f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in of_the_proxy.items() if value is not None},
    }


@contextlib.contextmanager
def serving(config: ServerConfig, ray_config: RayConfig, engine_factory: EngineFactory) -> Iterator[str]:
    """Ray and the service on this machine, from the moment that a replica answers; the address for clients.

    Raises:
        StartError: Ray is missing, a port is taken, no replica starts, or a setting is asked for that Ray cannot keep.
    """
    _refuse_unkept(config)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise StartError(
            "Serving on Ray needs Ray, which is not installed here; install it with `pip install 'diffava-foley[ray]'`."
        ) from error
    _check_free(ray_config.port)
    _check_free(ray_config.http_port, "127.0.0.1")
    read_or_create_token(config.token_file)
    from ray import serve

    with _in_environment(environment(config, ray_config)):
        # "local": otherwise it would join whatever Ray runs on this machine already.
        ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, log_to_driver=False)
        try:
            deploy(config, ray_config, engine_factory)
            yield config.listen if has_fixed_address(config.listen) else f"127.0.0.1:{ray_config.port}"
        finally:
            serve.shutdown()
            ray.shutdown()


def _refuse_unkept(config: ServerConfig) -> None:
    """Better no server than one that is watched at a page which never comes."""
    if config.metrics is not None:
        raise StartError(
            "There is no page of metrics on Ray, which has its own for all replicas; leave out metrics.", exit_code=2
        )
    if config.idle_exit_s is not None:
        raise StartError("A server on Ray does not end by itself; leave out idle_exit_s.", exit_code=2)


@contextlib.contextmanager
def _in_environment(variables: dict[str, str]) -> Iterator[None]:
    """Ray's processes, which start meanwhile, find these; what was there before comes back."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if name in variables})


def deploy(config: ServerConfig, ray_config: RayConfig, engine_factory: EngineFactory) -> None:
    """Start Serve's proxy on the Ray that runs, and the application; return once it answers.

    Raises:
        StartError: No replica starts, in the words of the last one that tried.
    """
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation, gRPCOptions

    from diffava_server.scaleout.application import NAME, SERVICER_FUNCTION, application

    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host="127.0.0.1", port=ray_config.http_port),
        grpc_options=gRPCOptions(
            port=ray_config.port,
            grpc_servicer_functions=[SERVICER_FUNCTION],
            enable_reflection=False,  # it would answer without the token
        ),
    )
    try:
        # Ray finds no application for a gRPC call that has no route for HTTP, though nothing of ours answers that.
        serve.run(application(config, ray_config, engine_factory), name=NAME, route_prefix="/")
    except RuntimeError as error:
        raise StartError(f"No replica could be started: {_last_words(NAME) or error}") from error


def _last_words(application_name: str) -> str:
    """Why the last replica did not start: the last line of its traceback."""
    from ray import serve

    status = serve.status().applications.get(application_name)
    lines = [
        line
        for deployment in (status.deployments.values() if status else ())
        for line in deployment.message.strip().splitlines()
        if line.strip()
    ]
    return re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1].strip()) if lines else ""


def _check_free(port: int, host: str = "") -> None:
    family = socket.AF_INET6 if not host and socket.has_dualstack_ipv6() else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise StartError(f"Port {port} is taken by another program; choose another.") from error
