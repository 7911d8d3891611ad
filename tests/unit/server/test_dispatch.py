"""The desk of the house, with an engine that the test plays: what is told, counted, refused and survived."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.protocol import Audio, FrameBlock, Job, Progress, picture_key
from diffava_server.errors import EngineDownError, EngineFailedError, InvalidRequestError, QueueFullError
from diffava_server.jobs.channel import Started, Waiting
from diffava_server.jobs.dispatch import Dispatcher
from diffava_server.jobs.watching import Unwatched
from support.server import quiet_log, server_config, until

(MODEL,) = FakeEngine().models()
JOB = Job(model="fake", prompt="a door", sample_count=48_000, seeds=(1,), step_count=4, frame_count=8)


class PlayedEngine:
    """`AsyncEngine` that does what the test says with the batch it was given."""

    def __init__(self):
        self.models, self.remembered, self.is_usable = (MODEL,), frozenset(), True
        self.batch, self.cancelled, self.down, self.defect = [], [], None, None
        self._over = asyncio.Event()

    def refusal(self):
        return self.down

    async def wait_usable(self):
        return

    async def run(self, seats):
        if self.defect is not None:
            defect, self.defect = self.defect, None
            raise defect
        self.batch = list(seats)
        self._over.clear()
        await self._over.wait()

    def cancel(self, seat):
        self.cancelled.append(seat)

    async def make(self, seat):
        """Do one seat's job."""
        while await seat.next_block() is not None:
            pass
        await seat.emit(Progress("features", 8, 8))
        await seat.emit(Progress("latent", 4, 4))
        await seat.emit(Audio(0, 0, bytes(4 * seat.job.sample_count)))
        await seat.emit(Progress("waveform", 48_000, 48_000))
        seat.end()

    def end_batch(self):
        self.batch = []
        self._over.set()


class SentUpload:
    """`JobUpload` of a client that has sent all of it."""

    def __init__(self, frame_count=8):
        self._frame_count = frame_count

    async def with_audio(self, job):
        return job

    async def frames(self, job, model):
        for number in range(self._frame_count):
            yield FrameBlock(number, 1, bytes(model.frame_bytes))
        if self._frame_count < job.frame_count:
            raise InvalidRequestError("The picture is torn.")

    def hurry(self):
        pass


class Told(Unwatched):
    """A `JobWatcher` that keeps what it is told."""

    def __init__(self):
        self.started, self.ended, self.refused, self.stages, self.batches = [], [], [], [], []
        self.received_bytes = self.reused_bytes = 0

    def batch_started(self, model, job_count, row_count):
        self.batches.append((job_count, row_count))

    def job_started(self, model, waited_s):
        self.started.append(waited_s)

    def stage_ended(self, model, stage, duration_s):
        self.stages.append((stage, duration_s))

    def job_ended(self, model, code, reason, duration_s, sound_s):
        self.ended.append((code, reason, duration_s, sound_s))

    def job_refused(self, code, reason):
        self.refused.append((code, reason))

    def frames_received(self, byte_count):
        self.received_bytes += byte_count

    def frames_reused(self, byte_count):
        self.reused_bytes += byte_count


class House:
    def __init__(self, config):
        self.now_s = 0.0
        self.engine, self.told = PlayedEngine(), Told()
        self.jobs = Dispatcher(self.engine, config, self.told, quiet_log(), lambda: self.now_s)

    async def ask(self, client_id="ada", job=JOB, upload=None):
        """What one call is told."""
        told = []
        async with self.jobs.entered(client_id, job, MODEL, upload or SentUpload()) as ticket:
            async for event in ticket.events():
                told.append(event)
        return told

    async def batch_begun(self):
        await until(lambda: self.engine.batch)
        return self.engine.batch


@pytest.fixture
async def house(tmp_path):
    house = House(server_config(tmp_path, max_queued_jobs=3))
    house.jobs.start()
    yield house
    await house.jobs.close()


async def test_a_job_goes_its_way_and_every_station_is_counted(house):
    asked = asyncio.create_task(house.ask())
    (seat,) = await house.batch_begun()
    house.now_s = 2.0
    await house.engine.make(seat)
    house.engine.end_batch()
    told = await asked
    assert told[0] == Started(has_frames=False)
    assert [type(event) for event in told[1:]] == [Progress, Progress, Audio, Progress]
    assert house.told.batches == [(1, 1)]
    assert house.told.started == [0.0]
    assert house.told.stages == [("features", 2.0), ("latent", 0.0), ("waveform", 0.0)]
    assert house.told.ended == [("OK", "", 2.0, 1.0)]
    assert house.told.received_bytes == 8 * MODEL.frame_bytes
    await until(lambda: not house.jobs.is_busy)
    assert (house.jobs.waiting_count, house.jobs.present_count) == (0, 0)


async def test_a_client_that_goes_is_told_to_the_engine_and_counted_as_cancelled(house):
    asked = asyncio.create_task(house.ask())
    (seat,) = await house.batch_begun()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert house.engine.cancelled == [seat]
    assert await seat.next_block() is None
    assert house.told.ended == [("CANCELLED", "CANCELLED", 0.0, 0.0)]


async def test_an_upload_that_fails_ends_its_own_job_alone(house):
    torn = asyncio.create_task(house.ask("ada", upload=SentUpload(3)))
    with pytest.raises(InvalidRequestError, match="torn"):
        await torn
    assert house.told.ended == [("INVALID_ARGUMENT", "INVALID_REQUEST", 0.0, 0.0)]
    asked = asyncio.create_task(house.ask("bob"))
    assert len(await house.batch_begun()) == 1
    asked.cancel()


async def test_waits_and_retry_delays_are_told_from_recent_jobs(house):
    first = asyncio.create_task(house.ask())
    (seat,) = await house.batch_begun()
    house.now_s = 10.0
    await house.engine.make(seat)
    house.engine.end_batch()
    await first
    running = asyncio.create_task(house.ask())
    await house.batch_begun()
    house.now_s = 14.0
    waiting = [asyncio.create_task(house.ask(name)) for name in ("bob", "cy", "dan")]
    await until(lambda: house.jobs.waiting_count == 3)
    with pytest.raises(QueueFullError, match=r"3 jobs wait already and this server queues 3; .* in 10 s") as refused:
        await house.ask("eve")
    assert refused.value.retry_delay_s == pytest.approx(10.0)
    assert house.told.refused == [("RESOURCE_EXHAUSTED", "QUEUE_FULL")]
    await house.engine.make(house.engine.batch[0])
    house.engine.end_batch()
    await running
    for seat in await house.batch_begun():
        await house.engine.make(seat)
    house.engine.end_batch()
    told = await asyncio.gather(*waiting)
    assert [events[0] for events in told] == [Waiting(1, 6.0), Waiting(2, 16.0), Waiting(3, 26.0)]
    assert house.told.batches[-1] == (3, 3)


async def test_an_engine_that_is_down_takes_no_new_job(house):
    house.engine.down = EngineDownError("Resting.", retry_delay_s=9.0)
    with pytest.raises(EngineDownError):
        await house.ask()
    assert house.told.refused == [("UNAVAILABLE", "ENGINE_DOWN")]
    assert house.jobs.present_count == 0


async def test_clients_who_do_not_fetch_what_was_made_take_places_too(house):
    """Otherwise the sound of any number of jobs could pile up here."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(3 + 64):
            job, upload = JOB, SentUpload()
            await stack.enter_async_context(house.jobs.entered(f"editor {number}", job, MODEL, upload))
            for seat in await house.batch_begun():
                await house.engine.make(seat)
            house.engine.end_batch()
            await until(lambda: not house.jobs.is_busy and house.jobs.waiting_count == 0)
        with pytest.raises(QueueFullError):
            await house.ask()


async def test_a_defect_of_the_desk_ends_the_jobs_and_not_the_server(house):
    house.engine.defect = ValueError("a defect")
    with pytest.raises(EngineFailedError, match="its log has the story"):
        await house.ask()
    asked = asyncio.create_task(house.ask())
    (seat,) = await house.batch_begun()
    await house.engine.make(seat)
    house.engine.end_batch()
    assert isinstance((await asked)[-1], Progress)


async def test_pictures_that_are_forgotten_while_a_job_waits_are_asked_for_when_its_turn_comes(house):
    named = replace(JOB, frames_sha256=bytes(32))
    house.engine.remembered = frozenset({picture_key(named)})
    running = asyncio.create_task(house.ask())
    (seat,) = await house.batch_begun()
    waiting = asyncio.create_task(house.ask("bob", replace(named, step_count=5)))
    await until(lambda: house.jobs.ready_count == 1)
    received_bytes = house.told.received_bytes
    house.engine.remembered = frozenset()
    await house.engine.make(seat)
    house.engine.end_batch()
    await running
    (seat,) = await house.batch_begun()
    assert house.told.received_bytes == received_bytes + 8 * MODEL.frame_bytes
    await house.engine.make(seat)
    house.engine.end_batch()
    assert [event for event in await waiting if isinstance(event, Started)] == [Started(has_frames=False)]
    assert house.told.reused_bytes == 0


async def test_pictures_that_are_known_are_counted_as_reused(house):
    named = replace(JOB, frames_sha256=bytes(32))
    house.engine.remembered = frozenset({picture_key(named)})
    asked = asyncio.create_task(house.ask(job=named))
    (seat,) = await house.batch_begun()
    assert await seat.next_block() is None
    await house.engine.make(seat)
    house.engine.end_batch()
    assert (await asked)[0] == Started(has_frames=True)
    assert (house.told.received_bytes, house.told.reused_bytes) == (0, 8 * MODEL.frame_bytes)


class PausedUpload(SentUpload):
    """`JobUpload` of a client whose last picture comes when the test says so."""

    def __init__(self):
        super().__init__()
        self.last = asyncio.Event()

    async def frames(self, job, model):
        for number in range(job.frame_count):
            if number == job.frame_count - 1:
                await self.last.wait()
            yield FrameBlock(number, 1, bytes(model.frame_bytes))


async def test_an_idle_engine_begins_while_the_last_pictures_come(house):
    upload = PausedUpload()
    asked = asyncio.create_task(house.ask(upload=upload))
    (seat,) = await house.batch_begun()
    making = asyncio.create_task(house.engine.make(seat))
    await until(lambda: house.told.received_bytes == 7 * MODEL.frame_bytes)
    assert not making.done(), "it wants the last one, too"
    upload.last.set()
    await making
    house.engine.end_batch()
    assert isinstance((await asked)[-1], Progress)


async def test_whose_pictures_are_all_there_goes_before_one_whose_last_are_due(house):
    first = asyncio.create_task(house.ask("bob"))
    (seat,) = await house.batch_begun()
    paused = PausedUpload()
    second = asyncio.create_task(house.ask("ada", upload=paused))
    third = asyncio.create_task(house.ask("eve"))
    await until(lambda: house.jobs.waiting_count == 2 and house.jobs.ready_count == 1)
    await house.engine.make(seat)
    house.engine.end_batch()
    await until(lambda: house.engine.batch and house.engine.batch[0] is not seat)
    (seat,) = house.engine.batch
    assert seat.turn.client_id == "eve"
    await house.engine.make(seat)
    house.engine.end_batch()
    await until(lambda: house.engine.batch and house.engine.batch[0].turn.client_id == "ada")
    paused.last.set()
    await house.engine.make(house.engine.batch[0])
    house.engine.end_batch()
    await asyncio.gather(first, second, third)
