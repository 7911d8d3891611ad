"""The engine's process from the parent's side, with the fake engine in it."""

import asyncio
import multiprocessing
import os
import signal
from functools import partial

import pytest

from diffava_server.app import running
from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.process import EngineProcess
from diffava_server.engine.protocol import Audio, FrameBlock, Job
from diffava_server.errors import (
    EngineFailedError,
    EngineLostError,
    InvalidRequestError,
    OutOfMemoryError,
    UnknownModelError,
)
from support.server import Gate, quiet_log, server_config, until

JOB = Job(model="fake", prompt="a door", sample_count=4800, seeds=(1,), step_count=4)


async def no_frames():
    return
    yield


@pytest.fixture
async def started():
    processes = []

    async def start(**script):
        factory = partial(FakeEngine, **script)
        processes.append(EngineProcess(factory, cancel_grace_s=30))
        await processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        await process.close()


async def samples_of(engine, job=JOB, frames=None):
    events = [event async for event in engine.run(job, frames or no_frames())]
    return sum(len(event.pcm_f32le) // 4 for event in events if isinstance(event, Audio))


async def test_a_job_runs_in_another_process(started):
    engine = await started()
    assert engine.pid != os.getpid()
    assert await samples_of(engine) == 4800


async def test_frames_are_pulled_one_block_at_a_time_as_the_engine_asks(started):
    gate = Gate()
    engine = await started(before_step=gate)
    pulled = []

    async def frames():
        for k in range(3):
            pulled.append(k)
            yield FrameBlock(k, 1, bytes(32 * 18 * 3))

    events = engine.run(Job(**{**vars(JOB), "frame_count": 3}), frames())
    progress = await anext(events)
    assert (progress.completed, pulled) == (1, [0])
    progress = await anext(events)
    assert (progress.completed, pulled) == (2, [0, 1])
    gate.let_on(4)
    async for _ in events:
        pass


async def test_a_cancelled_job_ends_before_its_next_step_and_the_engine_is_free(started):
    gate = Gate()
    engine = await started(before_step=gate)

    async def consume():
        async for _ in engine.run(JOB, no_frames()):
            pass

    running = asyncio.create_task(consume())
    await gate.reached()
    running.cancel()
    await until(lambda: engine.is_cancelling)
    pid = engine.pid
    gate.let_on()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gate.steps_reached() == 0, "no step was begun after the cancellation"
    gate.let_on(4)
    assert await samples_of(engine) == 4800
    assert engine.pid == pid, "the same process, without loading the model again"


async def test_a_job_cancelled_twice_still_leaves_the_engine_usable(started):
    gate = Gate()
    engine = await started(before_step=gate)
    running = asyncio.create_task(samples_of(engine))
    await gate.reached()
    running.cancel()
    await until(lambda: engine.is_cancelling)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.let_on(5)
    assert await samples_of(engine) == 4800


async def test_an_engine_that_does_not_listen_to_a_cancellation_is_replaced(started):
    gate = Gate()
    engine = EngineProcess(partial(FakeEngine, before_step=gate), cancel_grace_s=0.01)
    running = asyncio.create_task(samples_of(engine))
    await gate.reached()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert engine.pid is None
    gate.let_on(4)
    assert await samples_of(engine) == 4800
    await engine.close()


async def test_a_job_cancelled_while_its_frames_are_awaited_leaves_the_engine_usable(started):
    engine = await started()
    asked = asyncio.Event()

    async def never():
        asked.set()
        await asyncio.Event().wait()
        yield

    running = asyncio.create_task(samples_of(engine, Job(**{**vars(JOB), "frame_count": 3}), never()))
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await samples_of(engine) == 4800


async def test_an_error_of_the_frames_reaches_the_caller_and_leaves_the_engine_usable(started):
    engine = await started()

    async def broken():
        raise InvalidRequestError("The picture is torn.")
        yield

    with pytest.raises(InvalidRequestError, match="torn"):
        await samples_of(engine, Job(**{**vars(JOB), "frame_count": 3}), broken())
    assert await samples_of(engine) == 4800


async def test_a_killed_engine_is_said_and_replaced_for_the_next_job(started):
    gate = Gate()
    engine = await started(before_step=gate)
    running = asyncio.create_task(samples_of(engine))
    await gate.reached()
    os.kill(engine.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    with pytest.raises(EngineLostError, match="try again"):
        await running
    gate.let_on(4)
    assert await samples_of(engine) == 4800


async def test_an_engine_that_died_between_two_jobs_costs_neither(started):
    engine = await started()
    assert await samples_of(engine) == 4800
    pid = engine.pid
    os.kill(pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    (worker,) = multiprocessing.active_children()
    await asyncio.to_thread(worker.join)
    assert await samples_of(engine) == 4800
    assert engine.pid != pid


async def test_an_engine_that_crashes_in_a_step_is_said(started):
    engine = await started(crash_at_step=1)
    with pytest.raises(EngineLostError):
        await samples_of(engine)


async def test_an_engines_own_error_crosses_the_border_with_its_class_and_sentence(started):
    engine = await started(fail_with=OutOfMemoryError("Too long."))
    with pytest.raises(OutOfMemoryError, match=r"Too long\."):
        await samples_of(engine)


def divide(step):
    return step / 0


async def test_a_defect_of_the_engine_gets_an_id_and_does_not_cost_the_process(started):
    engine = await started(before_step=divide)
    pid = engine.pid
    with pytest.raises(EngineFailedError, match=r"ZeroDivisionError, error id [0-9a-f]{8}"):
        await samples_of(engine)
    assert engine.pid == pid


def refuse_to_load():
    raise UnknownModelError("There is no model 'x'.")


async def test_an_engine_that_cannot_be_built_says_why():
    engine = EngineProcess(refuse_to_load, cancel_grace_s=1)
    with pytest.raises(UnknownModelError, match="no model 'x'"):
        await engine.start()
    assert engine.pid is None


def die_while_loading():
    os._exit(9)


async def test_an_engine_that_dies_while_it_loads_is_not_said_to_come_back():
    engine = EngineProcess(die_while_loading, cancel_grace_s=1)
    with pytest.raises(EngineLostError, match=r"ended while it loaded its models.* log"):
        await engine.start()
    assert engine.pid is None


def load_forever(gate):
    gate(0)


async def test_a_start_that_is_given_up_ends_the_loading_engine(tmp_path):
    gate = Gate()
    config = server_config(tmp_path)

    async def start():
        async with running(config, partial(load_forever, gate), quiet_log()):
            raise AssertionError("it cannot have loaded")

    starting = asyncio.create_task(start())
    await gate.reached()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not multiprocessing.active_children()
