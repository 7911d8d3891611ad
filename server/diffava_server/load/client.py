"""One played editor: sends its requests one after the other, and again where the server says that it may.

Holds every answer to the contract: each take's samples in order, as many as were asked for, with the hash that `Done`
tells. What ends without a result and without a refusal of the server's own is lost.
"""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.load.outcomes import TORN, UNTYPED, Outcome, Refusal, Tally
from diffava_server.load.plan import Ask, LoadPlan
from diffava_server.operations.probe import ProbeTls, credentials_for

CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # or all clients of this process would share one connection
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 4 << 20),
)
# grpc.aio's client says so instead of the status that it was sent, where a write of its own fails in the same moment.
_TORN = "Internal error from Core"
# Nobody told a client that these may pass, yet a connection that broke is worth another try.
_MAY_PASS = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL}


@dataclass(frozen=True)
class Target:
    """The server that is loaded."""

    address: str
    token: str = field(repr=False)
    tls: ProbeTls = ProbeTls()  # noqa: RUF009  frozen

    def channel(self) -> grpc.aio.Channel:
        """A connection of one's own.

        Raises:
            StartError: A file for TLS cannot be read.
        """
        credentials = credentials_for(self.address, self.tls)
        if credentials is None:
            return grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What lets a call in."""
        return (("authorization", f"Bearer {self.token}"),)


async def play(target: Target, plan: LoadPlan, asks: Iterator[Ask], begin_s: float, end_s: float, tally: Tally) -> None:
    """One client from `begin_s` to `end_s` of the loop's clock; a request that is under way then is ended."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, begin_s - loop.time()))
    async with target.channel() as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        with contextlib.suppress(TimeoutError):  # the first request then tells what is wrong
            # An editor's connection stands before the first job, whose times begin with it.
            await asyncio.wait_for(channel.channel_ready(), plan.hung_after_s)
        for number, ask in enumerate(islice(asks, plan.requests_per_client)):
            if loop.time() >= end_s:
                return
            tally.begun += 1
            outcome = await _request(stub, target, plan, ask, end_s + plan.last_try_s)
            tally.outcomes.append(replace(outcome, name=f"{ask.header.client_id}/{number}"))
            await asyncio.sleep(min(ask.pause_s, max(0.0, end_s - loop.time())))


async def _request(stub: Any, target: Target, plan: LoadPlan, ask: Ask, last_try_s: float) -> Outcome:
    """One request with its attempts, none of which begins after `last_try_s` of the loop's clock."""
    loop = asyncio.get_running_loop()
    refusals: list[Refusal] = []
    while True:
        ended = await _Attempt(stub, target, ask, plan.hung_after_s).run()
        if isinstance(ended, Outcome):
            return replace(ended, refusals=tuple(refusals))
        refusals.append(ended)
        # Spread, or all that were refused together would come again together.
        delay_s = ended.delay_s * random.uniform(1.0, 1.5)
        if ended.is_retryable and len(refusals) < plan.attempt_count and loop.time() + delay_s < last_try_s:
            await asyncio.sleep(delay_s)
        elif ended.is_typed:
            return Outcome("refused", tuple(refusals))
        else:
            return Outcome("lost", tuple(refusals), fault=f"{ended.reason}: {ended.sentence}")


class _Attempt:
    """One call, from its header to its end."""

    def __init__(self, stub: Any, target: Target, ask: Ask, hung_after_s: float) -> None:
        self._ask = ask
        self._hung_after_s = hung_after_s
        self._begun_s = time.monotonic()
        self._call = stub.Generate(metadata=target.metadata)
        self._upload: asyncio.Task[None] | None = None
        self._takes = _Takes(ask.header)
        self._first_s: dict[str, float] = {}

    async def run(self) -> Outcome | Refusal:
        """Send, and read to the end."""
        try:
            return await self._run()
        except TimeoutError:
            return Outcome("hung", fault=f"nothing came for {self._hung_after_s:g} s after {list(self._first_s)}")
        except grpc.aio.AioRpcError as error:
            return _refusal(error, self._passed_s())
        except asyncio.InvalidStateError:
            return await self._refusal_before_a_write()
        except _BrokenError as broken:
            return Outcome("lost", fault=str(broken))
        finally:
            self._call.cancel()
            if self._upload is not None:
                await asyncio.wait([self._upload])

    async def _run(self) -> Outcome | Refusal:
        async with asyncio.timeout(self._hung_after_s):
            await self._call.write(pb.GenerateRequest(header=self._ask.header))
            if self._ask.film is None:
                await self._call.done_writing()
        if self._ask.cancel_at == "header":
            return Outcome("cancelled")
        outcome = None
        while (response := await self._next()) is not grpc.aio.EOF:
            kind = response.WhichOneof("event")
            self._first_s.setdefault(kind, self._passed_s())
            if kind == self._ask.cancel_at:
                return Outcome("cancelled")
            self._follow(kind, response)
            if kind == "done":
                outcome = self._outcome(response.done)
        if outcome is None:
            raise _BrokenError(f"the call ended well and without its result, after {list(self._first_s)}")
        return outcome

    async def _next(self) -> Any:
        async with asyncio.timeout(self._hung_after_s):
            return await self._call.read()

    def _follow(self, kind: str, response: pb.GenerateResponse) -> None:
        if kind == "audio":
            self._takes.add(response.audio)
        elif self._ask.film is not None and self._upload is None and kind in ("queued", "started"):
            wanted = not (kind == "started" and response.started.has_frames)
            self._upload = asyncio.create_task(self._send_frames(wanted))

    async def _send_frames(self, are_wanted: bool) -> None:
        try:
            for message in self._ask.frames() if are_wanted else ():
                await self._call.write(message)
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
            return  # the call is over; whoever reads it is told why

    async def _refusal_before_a_write(self) -> Refusal:
        """A call that was ended before anything of it was written tells its status only when asked."""
        code, details = await self._call.code(), await self._call.details()
        trailing = await self._call.trailing_metadata()
        error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing or grpc.aio.Metadata(), details)
        return _refusal(error, self._passed_s())

    def _outcome(self, done: pb.Done) -> Outcome:
        self._takes.check(done)
        return Outcome(
            "done",
            audio_s=len(self._ask.header.seeds) * self._ask.header.sample_count / self._ask.header.sample_rate_hz,
            queue_s=self._first_s.get("started"),
            first_audio_s=self._first_s.get("audio"),
            whole_s=self._first_s["done"],
            take_sha256=tuple(done.take_sha256),
        )

    def _passed_s(self) -> float:
        return time.monotonic() - self._begun_s


class _BrokenError(Exception):
    """The server's answer is not what the contract says."""


class _Takes:
    """The audio of one call, as it must come."""

    def __init__(self, header: pb.GenerateHeader) -> None:
        self._hashes = [hashlib.sha256() for _ in header.seeds]
        self._sample_count = header.sample_count
        self._next = (0, 0)

    def add(self, chunk: pb.AudioChunk) -> None:
        if (chunk.take, chunk.first_sample) != self._next:
            raise _BrokenError(f"sample {chunk.first_sample} of take {chunk.take} came where {self._next} was due")
        self._hashes[chunk.take].update(chunk.pcm_f32le)
        sample = chunk.first_sample + len(chunk.pcm_f32le) // 4
        self._next = (chunk.take, sample) if sample < self._sample_count else (chunk.take + 1, 0)

    def check(self, done: pb.Done) -> None:
        if self._next != (len(self._hashes), 0):
            raise _BrokenError(f"the result is whole, it says, and {self._next} was due")
        if [each.hexdigest() for each in self._hashes] != list(done.take_sha256):
            raise _BrokenError("the samples are not those whose hashes the result tells")


def _refusal(error: grpc.aio.AioRpcError, latency_s: float) -> Refusal:
    """What a failed call says, in the server's words where there are any."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    status = rpc_status.from_call(error)
    kinds = [detail.Unpack(info) or detail.Unpack(retry) for detail in status.details] if status is not None else []
    sentence = error.details() or ""
    if not any(kinds):
        reason = TORN if sentence == _TORN else f"{UNTYPED}:{error.code().name}"
        return Refusal(reason, error.code() in _MAY_PASS, 1.0, latency_s, sentence)
    is_retryable = info.metadata.get("retryable") == "true"
    delay_s = retry.retry_delay.ToTimedelta().total_seconds() or 1.0
    return Refusal(info.reason, is_retryable, delay_s, latency_s, sentence)
