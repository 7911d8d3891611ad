"""Opening the server's door: the port or the socket, TLS, and what gRPC bounds before our code runs. Knows no jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from diffava_server.config import ServerConfig
from diffava_server.errors import StartError
from diffava_server.machine.certificates import CertificateFiles, Certificates, Identity
from diffava_server.machine.unix_socket import claimed

CHANNEL_OPTIONS = (
    # By default the kernel would let a second server share the port, and take half of the first one's calls.
    ("grpc.so_reuseport", 0),
    # By default a stream may have megabytes in our memory before anybody reads it. Without the probe it is 64 KiB, and
    # more only for a message that is being read: with 200 editors who send 5 MiB each, 74 MiB instead of 225.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    ("grpc.server_handshake_timeout_ms", 5_000),
    # A client whose cable was pulled is noticed after 8 + 5 s; without ping_timeout gRPC waits a minute more.
    ("grpc.keepalive_time_ms", 8_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    # The default counts a client's own keepalive as abuse and hangs up in the middle of a job.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
)


def build_server(config: ServerConfig, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> grpc.aio.Server:
    """A server that is not bound yet. A message is measured unpacked, before it is read."""
    limits = (
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_concurrent_streams", config.max_open_calls),
        ("grpc.max_allowed_incoming_connections", config.max_connections),
    )
    return grpc.aio.server(interceptors=tuple(interceptors), options=(*CHANNEL_OPTIONS, *limits))


@dataclass(frozen=True)
class Door:
    """Where the server can be reached, and what it shows there."""

    address: str
    certificates: Certificates | None


def open_door(server: grpc.aio.Server, config: ServerConfig, complain: Callable[[str], None]) -> Door:
    """Bind the configured address.

    Args:
        server: Not started yet.
        config: Where, and with which certificate.
        complain: Told in a sentence when a renewed certificate cannot be used.

    Raises:
        StartError: The address is taken, or a certificate cannot be used.
    """
    certificates = _certificates(config, complain)
    credentials = _credentials(certificates, is_mutual=config.tls_client_ca is not None) if certificates else None
    if config.unix_path is not None:
        with claimed(config.unix_path):
            _add_port(server, config.listen, credentials)
        return Door(config.listen, certificates)
    port = _add_port(server, config.listen, credentials)
    return Door(f"{config.listen.rpartition(':')[0]}:{port}", certificates)


def _certificates(config: ServerConfig, complain: Callable[[str], None]) -> Certificates | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    return Certificates(CertificateFiles(config.tls_cert, config.tls_key, config.tls_client_ca), complain)


def _credentials(certificates: Certificates, *, is_mutual: bool) -> grpc.ServerCredentials:
    """TLS whose certificate is asked for anew at each handshake, so that a renewed one needs no restart."""

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        identity = certificates.renewed()
        return _configuration(identity) if identity is not None else None

    return grpc.dynamic_ssl_server_credentials(
        _configuration(certificates.identity),
        renewed,  # type: ignore[arg-type]  # None means no change, which the published types forget
        require_client_authentication=is_mutual,
    )


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key_pem, identity.chain_pem)], root_certificates=identity.client_ca_pem
    )


def _add_port(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is not None:
            return server.add_secure_port(address, credentials)
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartError(
            f"The server cannot listen at {address}: another program has it, or it is not an address of this machine; "
            "choose another (port 0 takes a free one)."
        ) from error
