"""One call through Ray Serve as `rpc.service` sees a call of `grpc.aio`. Knows no job and starts nothing.

Ray hands a deployment the client's messages as an iterator and takes its answers from a generator; the service reads
and writes. Ray drops what a deployment adds to an exception, and carries a status with its details only beside a
message: so a call that is refused ends with one message that says nothing, which every client skips.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

import grpc

from diffava_proto.v1 import foley_pb2 as pb

Metadata = Sequence[tuple[str, str | bytes]]
Answer = TypeVar("Answer")


class ReplicaContext(Protocol):
    """What is used of `ray.serve.grpc_util.RayServegRPCContext`, which travels with each answer to Ray's proxy."""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """What the client sent with the call."""
        ...

    def peer(self) -> str:
        """Where it came from."""
        ...

    def peer_identities(self) -> Any:
        """Whom its certificate names, if it has shown one."""
        ...

    def set_code(self, code: grpc.StatusCode) -> None:
        """End the call so."""
        ...

    def set_details(self, details: str) -> None:
        """With this sentence."""
        ...

    def set_trailing_metadata(self, trailing_metadata: list[tuple[str, str | bytes]]) -> None:
        """And these details."""
        ...


class RayCall:
    """As much of `grpc.aio.ServicerContext` as the servicers use.

    Args:
        context: Ray's context of the call.
        messages: The client's messages; None for a call of one message, which is not read from here.
    """

    def __init__(self, context: ReplicaContext, messages: AsyncIterator[pb.GenerateRequest] | None = None) -> None:
        self._context = context
        self._messages = messages
        self._answers: asyncio.Queue[pb.GenerateResponse | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(1)
        self._is_left = False

    def invocation_metadata(self) -> Metadata:
        """What the client sent with the call."""
        return self._context.invocation_metadata()

    def peer(self) -> str:
        """Where the call came from: the client, or the proxy in front of Ray's."""
        return self._context.peer()

    def peer_identities(self) -> Any:
        """Whom the peer's certificate names, where it has shown one to our door in Ray's proxy."""
        return self._context.peer_identities()

    def time_remaining(self) -> None:
        """Ray does not pass a deadline on; its proxy cancels the call once the deadline has passed."""

    async def read(self) -> Any:
        """The client's next message, or `grpc.aio.EOF`."""
        if self._messages is None:
            return grpc.aio.EOF
        try:
            return await anext(self._messages)
        except StopAsyncIteration:
            # Ray ends the messages of a client that is gone, too; that is no end of an upload.
            if getattr(self._messages, "is_cancelled", bool)():
                raise asyncio.CancelledError from None
            return grpc.aio.EOF

    async def write(self, message: pb.GenerateResponse) -> None:
        """Answer; returns once the answer before this one was taken."""
        await self._room.acquire()
        if self._is_left:  # the handler was cancelled, and something in it swallowed that
            raise asyncio.CancelledError
        self._answers.put_nowait(message)

    async def abort(self, code: grpc.StatusCode, details: str = "") -> NoReturn:
        """End the call with a code and a sentence."""
        self._context.set_code(code)
        self._context.set_details(details or code.name)
        raise grpc.aio.AbortError

    async def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with a `grpc.Status`."""
        self._context.set_trailing_metadata(list(status.trailing_metadata or ()))
        await self.abort(status.code, status.details)

    async def answer(self, handle: Callable[["RayCall"], Awaitable[Answer]], nothing: Answer) -> Answer:
        """What a unary method returns; `nothing` if it refuses, since the status travels beside a message."""
        try:
            return await handle(self)
        except grpc.aio.AbortError:
            return nothing

    async def answers(
        self, handle: Callable[["RayCall"], Awaitable[None]]
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """What `handle` writes, as it writes it. Closing the generator cancels it and returns once it has ended."""
        handling = asyncio.create_task(self._handled(handle))
        try:
            while (answer := await self._answers.get()) is not None:
                yield answer
                self._room.release()
            await handling
        except grpc.aio.AbortError:
            yield pb.GenerateResponse()  # the status travels beside it
        finally:
            self._is_left = True
            self._room.release()
            handling.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await handling

    async def _handled(self, handle: Callable[["RayCall"], Awaitable[None]]) -> None:
        try:
            await handle(self)
        finally:
            self._answers.put_nowait(None)
