"""What stands before Ray's gRPC proxy, inside its process: who may call, and how a call ends. Knows no job.

Ray calls `add_services` where its proxy starts, and routes each call through handlers of its own. Around each of them
stands one of ours, since Ray 2.60 leaves three things open:

- It listens at every address, in the clear. Only calls from this machine are let in there, unless the settings say that
  the network is private; others come through the address that the server's settings name, over TLS where it is wide.
- A cancellation that arrives while the proxy sends is forgotten, and the replica works on for nobody.
- What Ray itself says (a replica died, all queues are full) has a status for programs of Ray, and no reason.

This is the one place that knows Ray's insides: `service_handler_factory` by way of `_override_method_handler`.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status

from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.config import read_config
from diffava_server.errors import NotEncryptedError, QueueFullError, ReplicaLostError, ServerError
from diffava_server.listening import open_door
from diffava_server.rpc.call_limits import CallLimits
from diffava_server.rpc.identity import client_identity
from diffava_server.rpc.status import abort_with, status_of
from diffava_server.rpc.whole_operations import WholeOperations
from diffava_server.scaleout.config import has_fixed_address, read_ray_config

DETAILS_KEY = "grpc-status-details-bin"
SECURITY_KEY, TLS = "transport_security_type", [b"ssl"]

log = logging.getLogger(__name__)
Context = Any  # grpc.aio.ServicerContext
Handle = Callable[[Any, Context], Any]


def add_services(servicer: Any, server: Any) -> None:
    """Register the service and gRPC's health check, and open the settings' address if they name one.

    Args:
        servicer: A stand-in of Ray's, whose methods are never called.
        server: Ray's `gRPCGenericServer`, not started yet.

    Raises:
        StartError: The address is taken, or a certificate or a setting is wrong.
    """
    config, ray_config = read_config(), read_ray_config()
    limits = CallLimits(config.max_calls_per_minute, config.max_open_calls)
    gate = Gate(trusts_network=ray_config.trust_network, limits=limits)
    foley_pb2_grpc.add_FoleyServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
        servicer, _Guarded(server, gate, "calls", _said_in_our_words)
    )
    health_pb2_grpc.add_HealthServicer_to_server(servicer, _Guarded(server, gate, "health", _said_as_it_is))
    if has_fixed_address(config.listen):
        open_door(server, config, log.warning)


class Gate:
    """Whether a call may come in: by the way that it came, and by how often its client calls."""

    def __init__(self, *, trusts_network: bool, limits: CallLimits) -> None:
        self._trusts_network = trusts_network
        self._limits = limits

    @contextlib.contextmanager
    def entered(self, context: Context, kind: str) -> Iterator[None]:
        """Let a call in for as long as it lasts, or say why not. Calls of one `kind` are counted together.

        Raises:
            NotEncryptedError: It comes from another machine, in the clear, and nobody said that the network is private.
            RateLimitError: Its client has called too often, or has too many calls open.
        """
        is_encrypted = context.auth_context().get(SECURITY_KEY) == TLS
        if not (is_encrypted or self._trusts_network or is_of_this_machine(context.peer())):
            raise NotEncryptedError(
                "This port is for this machine alone, since nothing is encrypted here; use the server's TLS address, "
                "or the TLS proxy in front of it."
            )
        with self._limits.entered((client_identity(context), kind)):
            yield


def is_of_this_machine(peer: str) -> bool:
    """Whether a peer, as gRPC names it, is on this machine: `unix:`, `ipv4:127.0.0.1:50000`, `ipv6:%5B::1%5D:50000`."""
    kind, _, address = peer.partition(":")
    if kind == "unix":
        return True
    host = address.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


class _Guarded:
    """A server as generated code sees one, which puts our handler around each of Ray's."""

    def __init__(self, server: Any, gate: Gate, kind: str, end: Callable[[Context], None]) -> None:
        self._server, self._gate, self._kind, self._end = server, gate, kind, end

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Nothing: generated code registers each method a second time, below."""

    def add_registered_method_handlers(self, service_name: str, handlers: dict[str, Any]) -> None:
        """Register the service's methods."""
        guarded = {name: self._guarded(f"/{service_name}/{name}", handler) for name, handler in handlers.items()}
        # Past Ray's own class, which would put its handlers in the place of ours.
        plain: Any = super(type(self._server), self._server)
        plain.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_name, guarded),))
        plain.add_registered_method_handlers(service_name, guarded)

    def _guarded(self, method: str, handler: Any) -> Any:
        rays = self._server._override_method_handler(method, handler)
        if handler.response_streaming:
            kind = "stream_stream" if handler.request_streaming else "unary_stream"
            return rays._replace(**{kind: self._streamed(getattr(rays, kind))})
        return rays._replace(unary_unary=self._unary(rays.unary_unary))

    def _unary(self, rays: Handle) -> Handle:
        async def unary(request: Any, context: Context) -> bytes:
            async with self._admitted(context):
                answer: bytes = await rays(request, context)
                self._end(context)
                return answer

        return unary

    def _streamed(self, rays: Handle) -> Handle:
        # It writes by itself: of a generator, gRPC would drop what is left when a cancellation meets its writing, and
        # the end of Ray's part would come when the call is gone already, which crashes the process.
        async def streamed(request: Any, context: Context) -> None:
            whole = WholeOperations(context)
            async with self._admitted(context), _cancelled_on_leaving(rays(request, context)) as answers:
                async for answer in answers:
                    if answer:  # one that says nothing only carried the status
                        await whole.write(answer)
            self._end(context)

        return streamed

    @contextlib.asynccontextmanager
    async def _admitted(self, context: Context) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._gate.entered(context, self._kind))
            except ServerError as error:
                await abort_with(context, error)
            yield


@contextlib.asynccontextmanager
async def _cancelled_on_leaving(answers: AsyncGenerator[bytes, None]) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Ray's answers; left before their end, they are waited for once more and cancelled there.

    Ray cancels the replica's work only where a cancellation meets its own waiting for the next answer.
    """
    is_left = True
    try:
        yield answers
        is_left = False
    finally:
        while is_left:
            following = asyncio.ensure_future(_next(answers))
            await asyncio.sleep(0)  # so that it begins, and waits
            following.cancel()
            try:
                await following
            except (StopAsyncIteration, asyncio.CancelledError):
                is_left = False


async def _next(answers: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(answers)


def _said_as_it_is(context: Context) -> None:
    """How a health check ended."""


def _said_in_our_words(context: Context) -> None:
    """Give a status that is Ray's own the reason and the details that clients know."""
    code = context.code()
    if not code or code is grpc.StatusCode.OK or DETAILS_KEY in dict(context.trailing_metadata() or ()):
        return
    error = _error_for(code)
    if error is None:
        return
    log.warning("Ray ended a call with %s: %s", code, context.details())
    status = rpc_status.to_status(status_of(error))
    context.set_code(status.code)
    context.set_details(status.details)
    context.set_trailing_metadata(status.trailing_metadata)


def _error_for(code: grpc.StatusCode) -> ServerError | None:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return QueueFullError("Every replica is busy and enough calls wait already; please try again in a moment.")
    # NOT_FOUND: Ray knows of no application, because none has been started yet, or none is any more.
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
        return ReplicaLostError("The replica that did this job was lost; please send the job again.")
    return None
