"""Who calls, as far as that cannot be made up. Knows what gRPC says of a connection, and no message."""

from typing import Any

Context = Any  # grpc.aio.ServicerContext, whose published types know neither kind of identity


def client_identity(context: Context) -> str:
    """Whose calls are counted: the names in the peer's certificate, or else its address.

    `client_id` of a job is not asked: it stands in a message, which would have to be read first, and says what the
    client likes. Callers on this machine, and those behind one tunnel or router, count as one.
    """
    peer: str = context.peer()
    address = peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else "unix"
    return _certificate_names(context) or address


def whose_turn(context: Context, client_id: str) -> str:
    """Between whom turns are taken: the names in the peer's certificate, or else what the client calls itself."""
    return _certificate_names(context) or client_id or str(context.peer())


def _certificate_names(context: Context) -> str:
    names = context.peer_identities()
    return b",".join(names).decode("utf-8", "replace") if names else ""
