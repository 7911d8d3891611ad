"""Jobs of several editors in one batch, pictures read ahead or not sent at all, and whom a slow client holds up."""

import asyncio
import hashlib
import multiprocessing
from functools import partial

import numpy as np
import pytest

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.engine.fake import FakeEngine
from support.server import RATE_HZ, Gate, frame_messages, header, next_kind, pcm_of, refusal_of, running_server, until

FRAME_COUNT = 8
WHITE = {"ada": frozenset({1}), "bob": frozenset({4, 6}), "cy": frozenset()}


def shot(client_id, **fields):
    """A job of one second with pictures of this client's own."""
    messages = frame_messages(FRAME_COUNT, WHITE[client_id])
    return [header(client_id=client_id, frame_count=FRAME_COUNT, **fields), *messages]


def frames_sha256(client_id):
    return hashlib.sha256(b"".join(m.frames.rgb24 for m in frame_messages(FRAME_COUNT, WHITE[client_id]))).digest()


@pytest.fixture
async def sizes():
    """What an engine with `on_batch=sizes.put` tells: how many jobs each batch had."""
    sizes = multiprocessing.get_context("spawn").SimpleQueue()
    yield sizes
    sizes.close()


async def test_jobs_that_wait_share_a_batch_and_sound_as_they_do_alone(tmp_path, sizes):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=1, on_batch=sizes.put)
    async with running_server(tmp_path, engine) as calls:
        gate.let_on(3)
        alone = {client_id: await pcm_of(calls.open(*shot(client_id))) for client_id in WHITE}
        first = calls.open(header())
        await gate.reached()
        for _ in range(3):
            await gate.reached()
        waiting = {client_id: calls.open(*shot(client_id)) for client_id in WHITE}
        for call in waiting.values():
            assert await next_kind(call) == "queued"
        gate.let_on()
        assert await pcm_of(first)
        gate.let_on()
        together = {client_id: await pcm_of(call) for client_id, call in waiting.items()}
        assert together == alone
        assert len(set(alone.values())) == 3, "each has its own pictures"
        assert [sizes.get() for _ in range(5)] == [1, 1, 1, 1, 3]


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"step_count": 2}, {}),
        ({"sample_count": RATE_HZ * 2}, {}),
        ({"guidance_scale": 3.0}, {}),
        ({"seeds": range(8)}, {}),  # the model takes eight rows together
        ({}, {"max_job_memory_bytes": 1_500}),
        ({}, {"max_unsent_bytes": 1_000}),  # a client that is behind would hold the others
    ],
)
async def test_jobs_that_do_not_fit_together_run_one_after_another(tmp_path, sizes, fields, settings):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=1, on_batch=sizes.put, bytes_per_row=1_000)
    async with running_server(tmp_path, engine, **settings) as calls:
        first = calls.open(header())
        await gate.reached()
        waiting = [calls.open(header(client_id="ada")), calls.open(header(**{"client_id": "bob", **fields}))]
        for call in waiting:
            assert await next_kind(call) == "queued"
        gate.let_on(9)
        for call in (first, *waiting):
            assert await pcm_of(call)
        assert [sizes.get() for _ in range(3)] == [1, 1, 1]


async def test_a_client_that_takes_nothing_does_not_hold_up_the_others_of_its_batch(tmp_path, sizes):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=1, on_batch=sizes.put)
    long = {"sample_count": 80 * RATE_HZ}  # 15 MB, far more than the connection takes by itself
    async with running_server(tmp_path, engine) as calls:
        first = calls.open(header())
        await gate.reached()
        stuck, other = calls.open(header(client_id="ada", **long)), calls.open(header(client_id="bob", **long))
        assert await next_kind(stuck) == await next_kind(other) == "queued"
        gate.let_on(2)
        assert await pcm_of(first)
        assert len(await pcm_of(other)) == 80 * RATE_HZ * 4
        assert [sizes.get() for _ in range(2)] == [1, 2]
        gate.let_on()
        assert await pcm_of(calls.open(header(client_id="cy")))
        assert len(await pcm_of(stuck)) == 80 * RATE_HZ * 4, "what was made for it waits for it"


async def test_one_job_of_a_batch_is_cancelled_and_the_other_comes_whole(tmp_path, sizes):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=2, on_batch=sizes.put)
    async with running_server(tmp_path, engine) as calls:
        first = calls.open(header())
        await gate.reached()
        given_up, stays = calls.open(*shot("ada")), calls.open(*shot("bob"))
        assert await next_kind(given_up) == await next_kind(stays) == "queued"
        gate.let_on(2)
        assert await pcm_of(first)
        await gate.reached()
        await gate.reached()
        given_up.cancel()
        await until(lambda: calls.server.jobs.present_count == 1)
        gate.let_on(2)
        clicks = np.flatnonzero(np.frombuffer(await pcm_of(stays), "<f4"))
        assert clicks.tolist() == [4 * RATE_HZ // 8, 6 * RATE_HZ // 8]
        assert [sizes.get() for _ in range(2)] == [1, 2]


async def test_a_short_preview_goes_before_a_long_job_that_came_first(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        first = calls.open(header())
        await gate.reached()
        long = calls.open(header(60 * RATE_HZ, client_id="ada"))
        assert (await long.read()).queued.position == 1
        preview = calls.open(header(client_id="bob"))
        assert (await preview.read()).queued.position == 1
        assert (await long.read()).queued.position == 2
        gate.let_on(2)
        assert await pcm_of(first)
        assert await pcm_of(preview)
        gate.let_on()
        assert await pcm_of(long)


async def test_two_editors_take_turns_and_neither_can_end_the_others_job(tmp_path):
    gate, jobs = Gate(), multiprocessing.get_context("spawn").SimpleQueue()
    engine = partial(FakeEngine, before_step=gate, step_count=1, max_batch_rows=1, on_job=jobs.put)
    async with running_server(tmp_path, engine) as calls:
        first = calls.open(header(client_id="ada", prompt="ada"))
        await gate.reached()
        ada = [calls.open(header(client_id="ada", prompt="ada")) for _ in range(5)]
        await until(lambda: calls.server.jobs.waiting_count == 5)
        bob = [calls.open(header(client_id="bob", prompt="bob")) for _ in range(4)]
        await until(lambda: calls.server.jobs.waiting_count == 9)
        impostor = calls.open(header(client_id="bob", prompt="bob"))  # who says that it is bob has its own job alone
        await until(lambda: calls.server.jobs.waiting_count == 10)
        impostor.cancel()
        ada.pop().cancel()
        await until(lambda: calls.server.jobs.waiting_count == 8)
        gate.let_on(9)
        for call in (first, *ada, *bob):
            assert len(await pcm_of(call)) == RATE_HZ * 4
        assert [jobs.get().prompt for _ in range(9)] == ["ada", "bob"] * 4 + ["ada"]
        jobs.close()


async def test_the_pictures_of_a_waiting_job_are_read_ahead(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        first = calls.open(header())
        await gate.reached()
        waiting = calls.open(*shot("ada"))
        assert await next_kind(waiting) == "queued"
        await until(lambda: calls.server.jobs.ready_count == 1)
        gate.let_on(2)
        assert await pcm_of(first)
        assert await pcm_of(waiting)


async def test_a_client_that_sends_slowly_keeps_its_turn_and_holds_up_nobody(tmp_path):
    async with running_server(tmp_path) as calls:
        slow = calls.open_unfinished()
        await slow.write(header(client_id="ada", frame_count=FRAME_COUNT))
        assert await next_kind(slow) == "started"
        assert await pcm_of(calls.open(*shot("bob")))
        for message in frame_messages(FRAME_COUNT, WHITE["ada"]):
            await slow.write(message)
        assert len(await pcm_of(slow)) == RATE_HZ * 4


async def test_a_job_too_large_to_be_read_ahead_is_read_while_the_engine_works_on_it(tmp_path):
    async with running_server(tmp_path, max_staged_bytes=4 * 32 * 18 * 3) as calls:
        pcm = await pcm_of(calls.open(*shot("bob")))
    assert np.flatnonzero(np.frombuffer(pcm, "<f4")).tolist() == [4 * RATE_HZ // 8, 6 * RATE_HZ // 8]


async def test_pictures_that_were_sent_once_are_not_sent_again(tmp_path):
    async with running_server(tmp_path) as calls:
        first = await pcm_of(calls.open(*shot("bob")))
        named = header(client_id="cy", frame_count=FRAME_COUNT, frames_sha256=frames_sha256("bob"))
        again = calls.open(named)
        assert (await again.read()).started.has_frames
        assert await pcm_of(again) == first


async def test_a_client_that_names_pictures_which_nobody_knows_is_asked_for_them_before_its_turn(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        first = calls.open(header())
        await gate.reached()
        named = calls.open_unfinished()
        await named.write(header(client_id="bob", frame_count=FRAME_COUNT, frames_sha256=frames_sha256("bob")))
        started = await named.read()
        assert started.WhichOneof("event") == "started"
        assert not started.started.has_frames
        for message in frame_messages(FRAME_COUNT, WHITE["bob"]):
            await named.write(message)
        gate.let_on(2)
        assert await pcm_of(first)
        assert np.count_nonzero(np.frombuffer(await pcm_of(named), "<f4")) == 2


async def test_a_client_that_sends_other_pictures_than_it_names_hears_its_own_and_poisons_nothing(tmp_path):
    async with running_server(tmp_path) as calls:
        lying = header(client_id="ada", frame_count=FRAME_COUNT, frames_sha256=frames_sha256("bob"))
        pcm = await pcm_of(calls.open(lying, *frame_messages(FRAME_COUNT, WHITE["ada"])))
        assert np.flatnonzero(np.frombuffer(pcm, "<f4")).tolist() == [RATE_HZ // 8]
        named = calls.open(
            header(client_id="bob", frame_count=FRAME_COUNT, frames_sha256=frames_sha256("bob")),
            *frame_messages(FRAME_COUNT, WHITE["bob"]),
        )
        assert not (await named.read()).started.has_frames
        assert np.count_nonzero(np.frombuffer(await pcm_of(named), "<f4")) == 2


async def test_pictures_that_were_forgotten_after_the_client_was_told_are_asked_for_again(tmp_path):
    async with running_server(tmp_path) as calls:
        await pcm_of(calls.open(*shot("bob")))
        guide = pb.TimingGuide(has_performance=True)
        call = calls.open_unfinished()
        await call.write(header(frame_count=FRAME_COUNT, frames_sha256=frames_sha256("bob"), guide=guide))
        assert (await call.read()).started.has_frames
        pid = calls.server.engine.pid
        multiprocessing.active_children()[0].kill()
        await until(lambda: calls.server.engine.is_usable and calls.server.engine.pid != pid)
        await call.write(pb.GenerateRequest(performance=pb.AudioChunk(pcm_f32le=bytes(RATE_HZ * 4))))
        refusal = await refusal_of(call)
    assert (refusal.code, refusal.reason, refusal.is_retryable) == ("ABORTED", "PICTURE_FORGOTTEN", True)


@pytest.mark.parametrize("fields", [{"frames_sha256": b"short", "frame_count": 8}, {"frames_sha256": bytes(32)}])
async def test_a_hash_that_is_none_is_refused(tmp_path, fields):
    async with running_server(tmp_path) as calls:
        refusal = await calls.refusal_of(header(**fields))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert "sha256" in refusal.sentence


async def test_how_long_a_wait_is_going_to_be_is_told_once_jobs_have_run(tmp_path):
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate, step_count=1)) as calls:
        first = calls.open(header())
        await gate.reached()
        unknown = calls.open(header(client_id="ada"))
        assert (await unknown.read()).queued.estimated_wait_ms == 0
        gate.let_on(2)
        assert await pcm_of(first)
        assert await pcm_of(unknown)
        await gate.reached()
        running = calls.open(header(60 * RATE_HZ))
        await gate.reached()
        waiting = calls.open(header(client_id="ada"))
        assert (await waiting.read()).queued.estimated_wait_ms > 0
        gate.let_on(2)
        await asyncio.gather(pcm_of(running), pcm_of(waiting))


async def test_a_client_has_so_many_jobs_here_and_others_still_have_room(tmp_path):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=1)
    async with running_server(tmp_path, engine, max_jobs_per_client=2) as calls:
        own = [calls.open(header(client_id="ada")) for _ in range(2)]
        assert sorted([await next_kind(call) for call in own]) == ["queued", "started"]
        refusal = await calls.refusal_of(header(client_id="ada"))
        assert (refusal.code, refusal.reason, refusal.is_retryable) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL", True)
        assert "2 jobs of this client are here" in refusal.sentence
        other = calls.open(header(client_id="bob"))
        assert await next_kind(other) == "queued"
        gate.let_on(3)
        for call in (*own, other):
            assert await pcm_of(call)


async def test_a_job_that_the_device_could_never_hold_is_refused_with_the_numbers(tmp_path):
    engine = partial(FakeEngine, bytes_per_row=1 << 30, bytes_per_row_second=1 << 30, device_bytes=5 << 30)
    async with running_server(tmp_path, engine) as calls:
        refusal = await calls.refusal_of(header(2 * RATE_HZ, seeds=[1, 2]))
        assert (refusal.code, refusal.reason, refusal.is_retryable) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", False)
        assert "need 6.0 GiB of memory and this server gives 5.0 GiB" in refusal.sentence
        assert await pcm_of(calls.open(header(2 * RATE_HZ)))
