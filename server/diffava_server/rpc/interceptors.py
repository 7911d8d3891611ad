"""Who may call, how often, and until when: decided before anything of a call is read. Knows no method by its contents.

The token is looked at where a call arrives. What else is decided needs to know who calls, which gRPC tells only to the
handler; hence each handler runs inside one of ours, which reads nothing before it lets the call in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import grpc

from diffava_server.errors import InvalidRequestError, ServerError, UnauthenticatedError, UploadTimeoutError
from diffava_server.rpc.call_limits import CallLimits
from diffava_server.rpc.drain import Drain
from diffava_server.rpc.identity import client_identity
from diffava_server.rpc.names import HEALTH_PREFIX, JOB_METHOD
from diffava_server.rpc.status import abort_with
from diffava_server.rpc.whole_operations import WholeOperations

Context = Any  # grpc.aio.ServicerContext, whose published types know neither `read`'s end nor `auth_context`'s values
Handle = Callable[[Any, Context], Coroutine[Any, Any, None]]
OnRefusal = Callable[[ServerError, str], None]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls whose `authorization` metadata is not `Bearer <token>`, before anything of them is read.

    Only the standard health check is answered without: whatever watches over services has no token.

    Args:
        accepts: Whether a token is good, in a time that says nothing about how much of it was right.
        on_refusal: Told of each refusal, and whom it met.
    """

    def __init__(self, accepts: Callable[[str], bool], on_refusal: OnRefusal) -> None:
        self._accepts = accepts
        self._on_refusal = on_refusal
        # One kind serves for calls of every kind: it answers at once, without waiting for a message.
        self._refusal: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(self._refuse)

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """As `grpc.aio.ServerInterceptor`."""
        is_health = handler_call_details.method.startswith(HEALTH_PREFIX)
        if is_health or self._accepts(bearer_token(handler_call_details.invocation_metadata)):
            return await continuation(handler_call_details)
        return self._refusal

    async def _refuse(self, _requests: Any, context: Context) -> None:
        error = UnauthenticatedError(
            "The server's token is missing or wrong; give the one in the token file that the server named at its start."
        )
        self._on_refusal(error, client_identity(context))
        await abort_with(context, error)


class AdmissionInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls of a client that asks too often, new jobs while the server drains, and all calls until it is ready.

    Args:
        refusal: Why nothing is answered yet, if so.
        limits: How often and how much at once.
        drain: Whether new jobs are taken.
        read_idle_s: How long the one message of a unary call may take.
        on_refusal: Told of each refusal, and whom it met.
    """

    def __init__(
        self,
        refusal: Callable[[], ServerError | None],
        limits: CallLimits,
        drain: Drain,
        read_idle_s: float,
        on_refusal: OnRefusal,
    ) -> None:
        self._refusal = refusal
        self._limits = limits
        self._drain = drain
        self._read_idle_s = read_idle_s
        self._on_refusal = on_refusal

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """As `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None  # no such method
        method, handle = handler_call_details.method, _streamed(handler, self._read_idle_s)

        async def admitted(requests: Any, grpc_context: Context) -> None:
            context: Context = WholeOperations(grpc_context)
            # Probes are counted apart: a client that asks too often must not make the server look dead.
            is_health = method.startswith(HEALTH_PREFIX)
            try:
                with self._limits.entered((client_identity(context), "health" if is_health else "calls")):
                    if not is_health and (refusal := self._refusal()) is not None:
                        raise refusal
                    if method == JOB_METHOD:
                        await self._drain.run(handle(requests, context))
                    else:
                        await handle(requests, context)
            except ServerError as error:
                self._on_refusal(error, client_identity(context))
                await abort_with(context, error)

        return grpc.stream_stream_rpc_method_handler(
            admitted, handler.request_deserializer, handler.response_serializer
        )


def bearer_token(metadata: Any) -> str:
    """What a call gives as its token; empty if it gives none, or more than one."""
    given = [value for key, value in metadata or () if key == "authorization"]
    value = given[0] if len(given) == 1 else ""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return text.removeprefix("Bearer ") if text.startswith("Bearer ") else ""


def _streamed(handler: Any, read_idle_s: float) -> Handle:
    """A handler of any kind as one that reads and writes its messages itself."""
    behaviour = handler.stream_stream or handler.stream_unary or handler.unary_stream or handler.unary_unary

    async def handle(requests: Any, context: Context) -> None:
        argument = requests if handler.request_streaming else await _only_message(context, read_idle_s)
        answer = behaviour(argument, context)
        if hasattr(answer, "__aiter__"):
            async for message in answer:
                await context.write(message)
        elif handler.response_streaming:
            await answer  # it writes by itself
        else:
            await context.write(await answer)

    return handle


async def _only_message(context: Context, idle_s: float) -> Any:
    try:
        # `asyncio.wait_for` of Python 3.11 would now and then lose a cancellation that comes with the message.
        async with asyncio.timeout(idle_s):
            message = await context.read()
    except TimeoutError as error:
        raise UploadTimeoutError(f"The client sent nothing for {idle_s:g} s; please call again.") from error
    if message is grpc.aio.EOF:
        raise InvalidRequestError("The call ended without a message; send one.")
    return message
