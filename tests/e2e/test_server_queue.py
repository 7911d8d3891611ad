"""Several clients at one server: turns, a full queue, cancellation, a lost engine, and answers while it computes."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.engine.fake import FakeEngine
from support.server import Gate, Refusal, frame_messages, header, refusal_of, running_server, until


async def next_kind(call):
    return (await call.read()).WhichOneof("event")


async def finish(call):
    """The kinds of events that are left, without repetition."""
    kinds = []
    while (response := await call.read()) is not grpc.aio.EOF:
        if response.WhichOneof("event") not in kinds:
            kinds.append(response.WhichOneof("event"))
    return kinds


async def test_waiting_jobs_are_told_their_place_and_served_in_turn(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        first = calls.open(header(client_id="ada"))
        assert await next_kind(first) == "started"
        await gate.reached()
        second = calls.open(header(client_id="bob"))
        assert (await second.read()).queued.position == 1
        third = calls.open(header(client_id="cy"))
        assert (await third.read()).queued.position == 2
        gate.let_on()
        assert (await finish(first))[-1] == "done"
        assert await next_kind(second) == "started"
        assert (await third.read()).queued.position == 1
        gate.let_on(2)
        assert (await finish(second))[-1] == "done"
        assert (await finish(third)) == ["started", "progress", "audio", "done"]


async def test_a_full_queue_is_refused_with_the_reason_and_when_to_ask_again(tmp_path):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=1)
    async with running_server(tmp_path, engine, max_queued_jobs=0) as calls:
        first = calls.open(header())
        await gate.reached()
        refusal = await calls.refusal_of(header())
        assert refusal == Refusal("RESOURCE_EXHAUSTED", "QUEUE_FULL", refusal.sentence, is_retryable=True)
        assert "try again" in refusal.sentence
        gate.let_on()
        assert (await finish(first))[-1] == "done"


async def test_a_cancelled_job_begins_no_further_step_and_the_next_one_runs(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate)) as calls:
        call = calls.open(header())
        await gate.reached()
        call.cancel()
        await until(lambda: calls.server.engine.is_cancelling)
        gate.let_on()
        await until(lambda: not calls.server.jobs.is_busy)
        assert gate.steps_reached() == 0
        gate.let_on(4)
        assert (await finish(calls.open(header())))[-1] == "done"


async def test_a_waiting_job_that_is_cancelled_leaves_the_queue(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        first = calls.open(header())
        await gate.reached()
        waiting = calls.open(header())
        assert await next_kind(waiting) == "queued"
        waiting.cancel()
        await until(lambda: calls.server.jobs.waiting_count == 0)
        gate.let_on()
        assert (await finish(first))[-1] == "done"


VANISHING_CLIENT = """
import sys, grpc
from support.server import header
from diffava_proto.v1 import foley_pb2_grpc
address, token = sys.argv[1:]
stub = foley_pb2_grpc.FoleyServiceStub(grpc.insecure_channel(address))
call = stub.Generate(iter([header()]), metadata=[("authorization", f"Bearer {token}")])
print(next(call).WhichOneof("event"), flush=True)
next(call)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process without a chance to say goodbye")
async def test_a_client_that_is_killed_gives_the_engine_back_within_one_step(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate)) as calls:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        arguments = [sys.executable, "-c", VANISHING_CLIENT, calls.server.state.address, calls.server.token]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment) as client:
            await gate.reached()
            client.kill()
            await until(lambda: calls.server.engine.is_cancelling)
        gate.let_on()
        await until(lambda: not calls.server.jobs.is_busy)
        assert gate.steps_reached() == 0


async def test_a_killed_engine_is_retryable_and_the_next_job_runs(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate)) as calls:
        call = calls.open(header())
        await gate.reached()
        os.kill(calls.server.engine.pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        refusal = await refusal_of(call)
        assert refusal == Refusal("UNAVAILABLE", "ENGINE_LOST", refusal.sentence, is_retryable=True)
        gate.let_on(4)
        assert (await finish(calls.open(header())))[-1] == "done"


async def test_health_and_info_are_answered_while_the_engine_computes(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        call = calls.open(header())
        await gate.reached()
        health = await health_pb2_grpc.HealthStub(calls.channel).Check(
            health_pb2.HealthCheckRequest(service="diffava.v1.FoleyService")
        )
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        info = await calls.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=calls.metadata)
        assert info.models
        gate.let_on()
        assert (await finish(call))[-1] == "done"


async def test_a_waiting_clients_frames_are_held_back_by_flow_control(tmp_path):
    gate = Gate()
    frame_count = 8 * 3600
    engine = partial(FakeEngine, before_step=gate, step_count=1, frame_width_pixels=128, frame_height_pixels=128)
    async with running_server(tmp_path, engine) as calls:
        first = calls.open(header())
        await gate.reached()
        written_bytes = 0

        async def upload(call):
            nonlocal written_bytes
            for message in frame_messages(frame_count, chunk_frames=16, frame_bytes=128 * 128 * 3):
                await call.write(message)
                written_bytes += len(message.frames.rgb24)

        waiting = calls.open_unfinished()
        await waiting.write(header(3600 * 48_000, frame_count=frame_count))
        assert await next_kind(waiting) == "queued"
        uploading = asyncio.create_task(upload(waiting))
        before = -1
        while written_bytes != before:
            before = written_bytes
            for _ in range(20):  # round trips on the same connection: whatever could still move, moves
                await calls.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=calls.metadata)
        assert not uploading.done()
        assert written_bytes < 16 << 20, "of 1.4 GB"
        waiting.cancel()
        uploading.cancel()
        await asyncio.wait([uploading])
        gate.let_on()
        assert (await finish(first))[-1] == "done"


async def test_a_client_that_takes_nothing_gives_the_engine_back(tmp_path):
    async with running_server(tmp_path, download_idle_s=0.1) as calls:
        stuck = calls.open(header(3600 * 48_000))
        assert await next_kind(stuck) == "started"
        assert (await finish(calls.open(header())))[-1] == "done"
        refusal = await refusal_of(stuck)
        assert (refusal.code, refusal.reason) == ("DEADLINE_EXCEEDED", "DOWNLOAD_IDLE")


async def test_a_job_past_its_clients_deadline_gives_the_engine_back(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate)) as calls:
        refusal = await refusal_of(calls.open(header(), timeout=0.3))
        assert refusal.code == "DEADLINE_EXCEEDED"
        await until(lambda: calls.server.engine.is_cancelling)
        gate.let_on()
        await until(lambda: not calls.server.jobs.is_busy)


async def test_a_server_that_stops_takes_no_new_job_and_lets_the_running_one_end(tmp_path):
    gate = Gate()
    stack = contextlib.AsyncExitStack()
    engine = partial(FakeEngine, before_step=gate, step_count=1)
    calls = await stack.enter_async_context(running_server(tmp_path, engine, drain_s=30))
    async with grpc.aio.insecure_channel(calls.server.state.address) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        call = stub.Generate(iter([header()]), metadata=calls.metadata)
        await gate.reached()
        stopping = asyncio.create_task(stack.aclose())
        await until(lambda: not calls.server.health.is_serving)
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="diffava.v1.FoleyService")
        )
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        refusal = await refusal_of(stub.Generate(iter([header()]), metadata=calls.metadata))
        assert (refusal.code, refusal.reason, refusal.is_retryable) == ("UNAVAILABLE", "DRAINING", True)
        gate.let_on()
        assert (await finish(call))[-1] == "done"
        await stopping


async def test_a_job_that_outlasts_the_drain_ends_with_a_typed_error_at_once(tmp_path):
    gate = Gate()
    stack = contextlib.AsyncExitStack()
    calls = await stack.enter_async_context(running_server(tmp_path, partial(FakeEngine, before_step=gate)))
    async with grpc.aio.insecure_channel(calls.server.state.address) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        running = stub.Generate(iter([header()]), metadata=calls.metadata)
        await gate.reached()  # and is never let on: no step ends
        waiting = stub.Generate(iter([header()]), metadata=calls.metadata)
        assert await next_kind(waiting) == "queued"
        stopping = asyncio.create_task(stack.aclose())
        for call in (running, waiting):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason, refusal.is_retryable) == ("UNAVAILABLE", "DRAINING", True)
            assert "send it again" in refusal.sentence
        await stopping
