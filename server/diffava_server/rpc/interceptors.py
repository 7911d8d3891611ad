"""Who may call: every method but the health check wants the server's token. Knows no method by its contents."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from diffava_server.errors import UnauthenticatedError
from diffava_server.rpc.status import abort_with

HEALTH_PREFIX = "/grpc.health.v1.Health/"


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls whose `authorization` metadata is not `Bearer <token>`, before anything of them is read.

    The time a comparison takes says nothing about how much of the token was right.
    """

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        # One kind serves for calls of every kind: it answers at once, without waiting for a message.
        self._refusal: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """As `grpc.aio.ServerInterceptor`."""
        method = handler_call_details.method
        if method.startswith(HEALTH_PREFIX) or self._is_known(handler_call_details.invocation_metadata):
            return await continuation(handler_call_details)
        return self._refusal

    def _is_known(self, metadata: Any) -> bool:
        given = [value for key, value in metadata or () if key == "authorization"]
        value = given[0] if len(given) == 1 else ""
        return hmac.compare_digest(value if isinstance(value, bytes) else value.encode(), self._expected)


async def _refuse(_requests: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    await abort_with(
        context,
        UnauthenticatedError(
            "The server's token is missing or wrong; give the one in the token file that the server named at its start."
        ),
    )
