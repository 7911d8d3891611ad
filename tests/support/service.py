"""A running `FoleyService`, known by its address and its token alone: what a test sees of it from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from support.server import Refusal, refusal_of, refusal_seen


@dataclass(frozen=True)
class Service:
    """Where it answers and what it asks for."""

    address: str
    token: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["ServiceCalls"]:
        """Calls with the token, over one channel."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            yield ServiceCalls(foley_pb2_grpc.FoleyServiceStub(channel), self.metadata)


@dataclass(frozen=True)
class ServiceCalls:
    """Calls from this event loop."""

    stub: Any
    metadata: tuple[tuple[str, str], ...]

    async def info(self) -> pb.GetServerInfoResponse:
        return await self.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=self.metadata)

    def open(self, *messages: pb.GenerateRequest, **options: Any) -> Any:
        """A `Generate` call that sends these messages and then closes its side."""
        return self.stub.Generate(iter(messages), metadata=self.metadata, **options)

    def open_unfinished(self, **options: Any) -> Any:
        """A `Generate` call whose messages the test writes itself."""
        return self.stub.Generate(metadata=self.metadata, **options)

    def opened(self, *messages: pb.GenerateRequest) -> Callable[[Any], Any]:
        """Opens such a call with another stub."""
        return lambda stub: stub.Generate(iter(messages), metadata=self.metadata)

    async def answers(self, *messages: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        """All that a call is answered; what says nothing is left out."""
        return [answer async for answer in self.open(*messages) if answer.WhichOneof("event")]

    async def refusal_of(self, call: Any) -> Refusal:
        """How a call that must fail ended; what came before is read and dropped."""
        return await refusal_of(call)


async def refusal(service: Service, make_call: Callable[[Any], Any]) -> Refusal:
    """How a call ended that must fail, opened with a stub of the plain client; see `refusal_seen`."""
    return await asyncio.to_thread(
        refusal_seen, service.address, lambda channel: make_call(foley_pb2_grpc.FoleyServiceStub(channel))
    )
