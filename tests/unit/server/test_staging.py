"""What is read ahead of turns, and what a call has yet to tell: both within bounds."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.protocol import Audio, FrameBlock, Job, KeptAudio, Progress, TimingGuide
from diffava_server.errors import EngineLostError, InvalidRequestError, UploadTimeoutError
from diffava_server.jobs.channel import Channel, Started, Waiting
from diffava_server.jobs.staging import STREAMED_BLOCKS, StagedUpload, Staging
from diffava_server.rpc.upload import Upload
from support.server import until

(MODEL,) = FakeEngine().models()
JOB = Job(model="fake", prompt="a door", sample_count=48_000, seeds=(1,), frame_count=8)


class HeldUpload:
    """`JobUpload` whose client sends one block each time that the test says so."""

    def __init__(self):
        self.sent = asyncio.Semaphore(0)
        self.is_hurried = False
        self.read_count = 0

    async def with_audio(self, job):
        return job

    async def frames(self, job, model):
        for number in range(job.frame_count):
            await self.sent.acquire()
            self.read_count += 1
            yield FrameBlock(number, 1, bytes(model.frame_bytes))

    def hurry(self):
        self.is_hurried = True


def staged(staging, job=JOB, wants_frames=True):
    upload = HeldUpload()
    one = StagedUpload(job, MODEL, upload, staging, lambda: None, lambda count: None)
    if wants_frames:
        one.want_frames()
    return one, upload


@pytest.fixture
async def reading():
    """Reads uploads in tasks that end with the test."""
    tasks = []

    def read(*uploads):
        tasks.extend(asyncio.create_task(upload.read()) for upload in uploads)

    yield read
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_nothing_is_read_before_there_is_room_for_all_of_it(reading):
    staging = Staging(2 * JOB.frame_count * MODEL.frame_bytes)
    (first, first_upload), (second, second_upload) = staged(staging), staged(staging)
    reading(first, second)
    assert first.grant(is_next=False, is_called=False)
    assert not second.grant(is_next=False, is_called=False), "half is kept for the next in turn"
    for upload in (first_upload, second_upload):
        for _ in range(8):
            upload.sent.release()
    await until(lambda: first.has_frames)
    assert second_upload.read_count == 0
    assert second.grant(is_next=True, is_called=False)
    await until(lambda: second.has_frames)


async def test_room_comes_back_block_by_block_as_the_engine_takes_them_and_wholly_at_the_end(reading):
    staging = Staging(1 << 20)
    one, upload = staged(staging)
    reading(one)
    one.grant(is_next=True, is_called=False)
    assert staging.held_bytes == 8 * MODEL.frame_bytes
    for _ in range(8):
        upload.sent.release()
    await until(lambda: one.has_frames)
    assert (await one.next_block()).first_frame == 0
    assert staging.held_bytes == 7 * MODEL.frame_bytes
    one.close()
    one.close()
    assert staging.held_bytes == 0
    assert await one.next_block() is None
    one.grant(is_next=True, is_called=False)
    assert staging.held_bytes == 0, "who has gone takes no room"


@pytest.mark.parametrize(("block_s", "sent_until_near"), [(0.01, 2), (0.06, 4), (0.1, 6), (1.0, 8)])
async def test_pictures_are_nearly_there_when_the_last_are_due_in_a_moment_at_their_pace(
    reading, block_s, sent_until_near
):
    now_s, told = 0.0, []
    upload = HeldUpload()
    one = StagedUpload(
        *(JOB, MODEL, upload, Staging(1 << 20), lambda: told.append(one.is_nearly_there), lambda count: None),
        lambda: now_s,
    )
    one.want_frames()
    reading(one)
    one.grant(is_next=True, is_called=False)
    await until(lambda: one.has_audio)
    for sent in range(1, sent_until_near + 1):
        assert not one.is_nearly_there
        now_s += block_s
        upload.sent.release()
        await until(lambda sent=sent: len(one._blocks) == sent)
    await until(lambda: one.is_nearly_there)
    assert True in told, "who waits for it is told"


async def test_an_upload_that_is_too_large_waits_for_its_turn_and_is_never_far_ahead_of_the_engine(reading):
    staging = Staging(4 * MODEL.frame_bytes)
    one, upload = staged(staging)
    assert one.is_streamed
    reading(one)
    assert not one.grant(is_next=True, is_called=False)
    assert one.grant(is_next=True, is_called=True)
    assert staging.held_bytes == 0
    for _ in range(8):
        upload.sent.release()
    await until(lambda: upload.read_count == STREAMED_BLOCKS)
    got = [(await one.next_block()).first_frame for _ in range(8)]
    assert got == list(range(8))
    assert await one.next_block() is None


async def test_pictures_that_are_known_take_no_room_and_are_not_read(reading):
    staging = Staging(1 << 20)
    kept = replace(JOB, kept=KeptAudio(5, 9), guide=TimingGuide(performance_f32le=b""))
    one, upload = staged(staging, kept, wants_frames=False)
    reading(one)
    assert one.grant(is_next=True, is_called=False)
    assert staging.held_bytes == 2 * 48_000 * 4, "the audio to keep and the performance"
    await until(lambda: one.has_audio)
    upload.sent.release()
    assert await one.next_block() is None
    assert upload.read_count == 0
    one.want_frames()  # forgotten meanwhile
    assert not one.is_granted
    assert one.grant(is_next=True, is_called=True)
    assert staging.held_bytes == 2 * 48_000 * 4 + 8 * MODEL.frame_bytes
    await until(lambda: upload.read_count == 1)


SIZES = st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.integers(0, 6)), max_size=40)


@settings(deadline=None, derandomize=True)  # neither the machine's load nor chance decides
@given(SIZES)
def test_whoever_comes_and_goes_no_more_is_held_than_may_be_and_nothing_for_nobody(moves):
    staging = Staging(20 * MODEL.frame_bytes)
    live = []
    for frame_count, is_next, leaving in moves:
        one, _ = staged(staging, replace(JOB, frame_count=frame_count))
        one.grant(is_next=is_next, is_called=False)
        live.append(one)
        assert staging.held_bytes <= 20 * MODEL.frame_bytes
        if leaving < len(live):
            live.pop(leaving).close()
        assert staging.held_bytes == sum(one.need_bytes for one in live if one.is_granted)
    for one in live:
        one.close()
    assert staging.held_bytes == 0


def audio(samples):
    return Audio(0, 0, bytes(4 * samples))


async def test_a_channel_tells_in_order_and_of_what_stands_only_the_latest():
    channel = Channel(1_000)
    told = [
        Waiting(3, None),
        Waiting(2, 1.5),
        Started(False),
        Progress("features", 1, 2),
        Progress("features", 2, 2),
        Progress("latent", 1, 4),
        audio(1),
        Progress("latent", 2, 4),
    ]
    for event in told:
        channel.put(event)
    channel.close()
    channel.put(audio(2))
    got = []
    while (event := await channel.get()) is not None:
        got.append(event)
    assert got == [told[1], told[2], told[4], told[5], told[6], told[7]]


async def test_a_channel_has_room_until_its_reader_is_behind_by_more_than_its_bound():
    channel = Channel(8)
    for _ in range(3):
        channel.put(audio(1))
    room = asyncio.create_task(channel.room())
    await asyncio.sleep(0)
    assert not room.done()
    await channel.get()
    await room


async def test_an_error_reaches_the_reader_before_what_it_has_not_read_and_frees_the_writer():
    channel = Channel(8)
    channel.put(audio(9))
    channel.close(EngineLostError("Gone."))
    channel.close()
    await channel.room()
    with pytest.raises(EngineLostError):
        await channel.get()


async def test_a_client_may_be_silent_until_it_is_awaited():
    never = asyncio.Event()
    messages = asyncio.Queue()

    async def read():
        message = await messages.get()
        if message is None:
            await never.wait()
        return message

    upload = Upload(read, idle_s=0.05)
    messages.put_nowait(pb.GenerateRequest(header=pb.GenerateHeader(prompt="a door")))
    assert (await upload.header()).prompt == "a door"
    messages.put_nowait(None)
    block = asyncio.create_task(anext(upload.frames(JOB, MODEL)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert upload._limit.when() is None, "no time runs"
    upload.hurry()
    with pytest.raises(UploadTimeoutError, match=r"0\.05 s"):
        await block


async def test_a_header_that_does_not_come_is_waited_for_no_longer_than_it_may_take():
    upload = Upload(asyncio.Event().wait, idle_s=0.01)
    with pytest.raises(UploadTimeoutError):
        await upload.header()


async def test_an_upload_that_ends_early_is_an_error_of_the_client():
    async def read():
        return None

    with pytest.raises(InvalidRequestError, match="0 of 8 frames arrived"):
        await anext(Upload(read, 1.0).frames(JOB, MODEL))
