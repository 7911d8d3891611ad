"""Asking a server how it is, as whatever watches over services does: no token, and a bound on the time."""

from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava_server.addresses import is_local
from diffava_server.errors import StartError
from diffava_server.rpc.names import SERVICE_NAME


@dataclass(frozen=True)
class ProbeTls:
    """What a server with TLS wants of who asks; without `ca` public authorities are trusted."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def probe(address: str, tls: ProbeTls, timeout_s: float) -> str:
    """The health of the service at HOST:PORT or unix:PATH: "SERVING", "NOT_SERVING", or "UNREACHABLE: why".

    Raises:
        StartError: A file for TLS cannot be read.
    """
    with channel_to(address, credentials_for(address, tls)) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=timeout_s
            )
        except grpc.RpcError as error:
            return f"UNREACHABLE: {error.code().name}, {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def credentials_for(address: str, tls: ProbeTls) -> grpc.ChannelCredentials | None:
    """What a channel to this address is secured with; None for one in the clear.

    Raises:
        StartError: A file cannot be read.
    """
    if tls.ca is None and is_local(address):
        return None
    return grpc.ssl_channel_credentials(_read(tls.ca), _read(tls.key), _read(tls.cert))


def channel_to(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """A connection that no proxy for the web stands in."""
    options = [("grpc.enable_http_proxy", 0)]
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError as error:
        raise StartError(f"The file {path} cannot be read: {error.strerror}.", exit_code=2) from error
