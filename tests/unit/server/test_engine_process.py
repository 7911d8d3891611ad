"""One life of the engine's process from the parent's side, with the fake engine in it."""

import asyncio
import hashlib
import multiprocessing
import os
import signal
from dataclasses import replace
from functools import partial

import pytest

from diffava_server.app import running
from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.process import EngineProcess
from diffava_server.engine.protocol import FrameBlock, Job, picture_key
from diffava_server.errors import (
    EngineFailedError,
    EngineHungError,
    EngineLostError,
    InvalidRequestError,
    JobCancelledError,
    OutOfMemoryError,
    PictureForgottenError,
    UnknownModelError,
)
from support.seats import AwaitedSeat
from support.server import Gate, quiet_log, server_config, until

JOB = Job(model="fake", prompt="a door", sample_count=4800, seeds=(1,), step_count=4)
KILL = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM


@pytest.fixture
async def started():
    processes = []

    async def start(step_timeout_s=60, cancel_grace_s=30, **script):
        processes.append(
            EngineProcess(partial(FakeEngine, **script), step_timeout_s=step_timeout_s, cancel_grace_s=cancel_grace_s)
        )
        await processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        await process.close()


async def ended(engine, *seats):
    """How each seat of a batch ended."""
    await engine.run(seats)
    assert [len(seat.errors) for seat in seats] == [1] * len(seats), "each seat ends once"
    return [seat.errors[0] for seat in seats]


async def samples_of(engine, job=JOB, blocks=None):
    seat = AwaitedSeat(job, blocks)
    (error,) = await ended(engine, seat)
    if error is not None:
        raise error
    return seat.samples


async def blocks_of(*pictures, pulled=None):
    for number, picture in enumerate(pictures):
        if pulled is not None:
            pulled.append(number)
        yield FrameBlock(number, 1, picture)


BLACK, WHITE = bytes(32 * 18 * 3), b"\xff" * (32 * 18 * 3)


async def test_a_job_runs_in_another_process(started):
    engine = await started()
    assert engine.pid != os.getpid()
    assert await samples_of(engine) == 4800


async def test_jobs_of_a_batch_run_together_and_say_the_same_as_alone(started):
    sizes = multiprocessing.get_context("spawn").SimpleQueue()
    engine = await started(on_batch=sizes.put)
    jobs = [replace(JOB, frame_count=2, seeds=seeds) for seeds in ((1,), (2, 3))]
    pictures = [(BLACK, WHITE), (WHITE, BLACK)]
    together = [AwaitedSeat(job, blocks_of(*shown)) for job, shown in zip(jobs, pictures, strict=True)]
    assert await ended(engine, *together) == [None, None]
    for job, shown, seat in zip(jobs, pictures, together, strict=True):
        alone = AwaitedSeat(job, blocks_of(*shown))
        await ended(engine, alone)
        assert alone.events == seat.events
    assert [sizes.get() for _ in range(3)] == [2, 1, 1]


async def test_frames_are_pulled_one_block_at_a_time_as_the_engine_asks(started):
    gate = Gate()
    engine = await started(before_step=gate)
    pulled = []
    held = asyncio.Event()

    async def blocks():
        async for block in blocks_of(BLACK, BLACK, BLACK, pulled=pulled):
            if block.first_frame == 2:
                await held.wait()
            yield block

    seat = AwaitedSeat(replace(JOB, frame_count=3), blocks())
    running_batch = asyncio.create_task(ended(engine, seat))
    await until(lambda: pulled == [0, 1, 2])
    assert [event.completed for event in seat.events] == [1, 2], "the third was asked for and has not come"
    held.set()
    gate.let_on(4)
    assert await running_batch == [None]


async def test_a_cancelled_batch_ends_before_its_next_step_and_the_process_stays(started):
    gate = Gate()
    engine = await started(before_step=gate)
    seat = AwaitedSeat(JOB)
    running_batch = asyncio.create_task(ended(engine, seat))
    await gate.reached()
    pid = engine.pid
    engine.cancel(seat)
    engine.cancel(seat)
    assert engine.is_cancelling
    gate.let_on()
    (error,) = await running_batch
    assert isinstance(error, JobCancelledError)
    assert gate.steps_reached() == 0, "no step was begun after the cancellation"
    gate.let_on(4)
    assert await samples_of(engine) == 4800
    assert engine.pid == pid, "the same process, without loading the model again"


async def test_a_cancelled_seat_leaves_the_others_of_its_batch_alone(started):
    gate = Gate()
    engine = await started(before_step=gate)
    given_up, stays = AwaitedSeat(JOB), AwaitedSeat(replace(JOB, seeds=(2,)))
    running_batch = asyncio.create_task(ended(engine, given_up, stays))
    await gate.reached()
    engine.cancel(given_up)
    assert not engine.is_cancelling
    gate.let_on(4)
    first, second = await running_batch
    assert isinstance(first, JobCancelledError)
    assert second is None
    assert (given_up.samples, stays.samples) == (0, 4800)


async def test_a_word_left_from_an_earlier_batch_cancels_nothing(started):
    gate = Gate()
    engine = await started(before_step=gate)
    gate.let_on(1000)
    seat = AwaitedSeat(JOB)
    running_batch = asyncio.create_task(ended(engine, seat))
    await until(lambda: seat.events)
    engine.cancel(seat)
    await running_batch
    engine.cancel(seat)
    for _ in range(70):  # more than there are words
        assert await samples_of(engine) == 4800


async def test_an_engine_that_does_not_listen_to_a_cancellation_is_ended(started):
    gate = Gate()
    engine = await started(before_step=gate, cancel_grace_s=0.01)
    seat = AwaitedSeat(JOB)
    running_batch = asyncio.create_task(ended(engine, seat))
    await gate.reached()
    engine.cancel(seat)
    await running_batch
    assert await engine.wait_gone() == "deaf"
    assert engine.pid is None


async def test_an_engine_that_hangs_in_a_step_is_ended_and_the_job_is_told_so(started):
    engine = await started(hang_at_step=1, step_timeout_s=0.5)
    (error,) = await ended(engine, AwaitedSeat(JOB))
    assert isinstance(error, EngineHungError)
    assert error.retryable
    assert await engine.wait_gone() == "hung"


async def test_a_longer_batch_has_more_time_for_a_step(started):
    gate = Gate()
    engine = await started(before_step=gate, step_timeout_s=0.001)
    seat = AwaitedSeat(replace(JOB, sample_count=48_000 * 60 * 60, seeds=(1, 2)))
    running_batch = asyncio.create_task(engine.run([seat]))
    await gate.reached()
    engine._watch()
    assert engine._watchdog.when() - asyncio.get_running_loop().time() == pytest.approx(0.12, abs=0.02)
    await running_batch


async def test_the_time_that_a_client_takes_is_not_the_engines(started):
    engine = await started()
    asked, sent = asyncio.Event(), asyncio.Event()

    async def blocks():
        asked.set()
        await sent.wait()
        yield FrameBlock(0, 1, BLACK)

    running_batch = asyncio.create_task(ended(engine, AwaitedSeat(replace(JOB, frame_count=1), blocks())))
    await asked.wait()
    assert engine._watchdog.cancelled()
    sent.set()
    assert await running_batch == [None]


async def test_an_error_of_one_job_leaves_the_others_of_its_batch_and_the_engine(started):
    engine = await started(on_job=refuse_takes_of_three)
    pid = engine.pid
    bad, good = await ended(engine, AwaitedSeat(replace(JOB, seeds=(3,))), AwaitedSeat(JOB))
    assert isinstance(bad, InvalidRequestError)
    assert good is None
    assert engine.pid == pid


def refuse_takes_of_three(job):
    if 3 in job.seeds:
        raise InvalidRequestError("Three is too many.")


async def test_pictures_that_were_seen_are_remembered_by_their_own_hash_and_need_not_come_again(started):
    engine = await started()
    job = replace(JOB, frame_count=2, frames_sha256=hashlib.sha256(BLACK + WHITE).digest())
    assert engine.remembered == frozenset()
    first = AwaitedSeat(replace(job, frames_sha256=b""), blocks_of(BLACK, WHITE))
    assert await ended(engine, first) == [None]
    assert engine.remembered == {picture_key(job)}
    again = AwaitedSeat(job)
    assert await ended(engine, again) == [None]
    assert [e for e in again.events if hasattr(e, "take")] == [e for e in first.events if hasattr(e, "take")]


async def test_pictures_that_are_not_remembered_and_do_not_come_are_asked_for_again(started):
    engine = await started()
    (error,) = await ended(engine, AwaitedSeat(replace(JOB, frame_count=2, frames_sha256=bytes(32))))
    assert isinstance(error, PictureForgottenError)
    assert error.retryable


async def test_a_client_that_sends_other_pictures_than_it_names_poisons_nothing(started):
    engine = await started()
    named = replace(JOB, frame_count=2, frames_sha256=hashlib.sha256(WHITE + WHITE).digest())
    assert await ended(engine, AwaitedSeat(named, blocks_of(BLACK, WHITE))) == [None]
    assert picture_key(named) not in engine.remembered


async def test_a_killed_engine_is_said_at_once_to_every_seat(started):
    gate = Gate()
    engine = await started(before_step=gate)
    seats = [AwaitedSeat(JOB), AwaitedSeat(JOB)]
    running_batch = asyncio.create_task(ended(engine, *seats))
    await gate.reached()
    os.kill(engine.pid, KILL)
    for error in await running_batch:
        assert isinstance(error, EngineLostError)
    assert await engine.wait_gone() == "died"
    assert engine.pid is None


async def test_an_idle_engine_that_dies_is_noticed(started):
    engine = await started()
    assert await samples_of(engine) == 4800
    os.kill(engine.pid, KILL)
    assert await engine.wait_gone() == "died"
    assert not engine.is_usable
    with pytest.raises(EngineLostError):
        await samples_of(engine)


async def test_an_engine_that_crashes_in_a_step_is_said(started):
    engine = await started(crash_at_step=1)
    with pytest.raises(EngineLostError):
        await samples_of(engine)


async def test_an_engine_that_dies_while_frames_are_awaited_is_said_at_once(started):
    engine = await started()
    asked = asyncio.Event()

    async def never():
        asked.set()
        await asyncio.Event().wait()
        yield

    running_batch = asyncio.create_task(ended(engine, AwaitedSeat(replace(JOB, frame_count=3), never())))
    await asked.wait()
    os.kill(engine.pid, KILL)
    (error,) = await running_batch
    assert isinstance(error, EngineLostError)


async def test_a_process_that_was_out_of_memory_is_ended_after_its_batch(started):
    """The exception's frames hold on to tensors; nothing but a new process gives all of the memory back."""
    engine = await started(memory_rows=1)
    small, large = AwaitedSeat(JOB), AwaitedSeat(replace(JOB, seeds=(1, 2)))
    assert await ended(engine, small) == [None]
    (error,) = await ended(engine, large)
    assert isinstance(error, OutOfMemoryError)
    assert await engine.wait_gone() == "exhausted"


async def test_an_engines_own_error_crosses_the_border_with_its_class_and_sentence(started):
    engine = await started(fail_with=InvalidRequestError("Too long.", retry_delay_s=7.0))
    with pytest.raises(InvalidRequestError, match=r"Too long\.") as raised:
        await samples_of(engine)
    assert raised.value.retry_delay_s == 7.0


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
    engine = EngineProcess(refuse_to_load, step_timeout_s=1, cancel_grace_s=1)
    with pytest.raises(UnknownModelError, match="no model 'x'"):
        await engine.start()
    assert engine.pid is None


def die_while_loading():
    os._exit(9)


async def test_an_engine_that_dies_while_it_loads_is_not_said_to_come_back():
    engine = EngineProcess(die_while_loading, step_timeout_s=1, cancel_grace_s=1)
    with pytest.raises(EngineLostError, match=r"ended while it loaded its models.* log"):
        await engine.start()
    assert engine.pid is None


def load_forever(gate):
    gate(0)


async def test_an_engine_that_loads_for_ever_is_given_up():
    engine = EngineProcess(partial(load_forever, Gate()), step_timeout_s=1, cancel_grace_s=1, load_timeout_s=0.1)
    with pytest.raises(EngineHungError, match="did not load its models"):
        await engine.start()
    assert not multiprocessing.active_children()


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
