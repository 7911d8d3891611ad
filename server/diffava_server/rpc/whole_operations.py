"""Reads and writes that come to their end even if nobody waits for them any more. Knows no message.

What grpc.aio sets aside for a read or a write it frees after it has waited for it; where that waiting is cancelled, it
never does (grpcio 1.85, `_cygrpc/aio/callback_common.pyx.pxi`, `execute_batch`). Each call that a client gives up would
so leave some 200 bytes behind, and a whole message if one was on its way. The end of a call ends what is still open.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Context = Any  # grpc.aio.ServicerContext, whose published types know neither `read`'s end nor rich status
Given = TypeVar("Given")


class WholeOperations:
    """A call's context, of which a read or a write that is left goes on alone."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """As `grpc.aio.ServicerContext.read`."""
        return await _whole(self._context.read())

    async def write(self, message: Any) -> None:
        """As `grpc.aio.ServicerContext.write`."""
        await _whole(self._context.write(message))


async def _whole(operation: Coroutine[Any, Any, Given]) -> Given:
    task = asyncio.ensure_future(operation)  # gRPC holds what it waits for, and so the task
    task.add_done_callback(_looked_at)
    return await asyncio.shield(task)


def _looked_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # or asyncio would complain of a write that met the end of its call
