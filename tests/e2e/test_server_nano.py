"""The real model classes (random weights) behind the real server."""

import asyncio
import hashlib
import multiprocessing
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from diffava_server.engine.local import LocalEngine
from support.server import Gate, frame_messages, header, running_server, until

pytest.importorskip("torch")

SAMPLE_COUNT = 24_001


async def take_of(calls, seed, frames=True):
    (model,) = calls.server.engine.models
    frame_count = model.frame_count(SAMPLE_COUNT) if frames else 0
    request = header(SAMPLE_COUNT, frame_count=frame_count, seeds=[seed], step_count=2, cut_samples=[12_000])
    responses = [r async for r in calls.open(request, *frame_messages(frame_count, frame_bytes=model.frame_bytes))]
    assert responses[-1].done.model.name == "nano"
    assert responses[-1].done.step_count == 2
    return b"".join(r.audio.pcm_f32le for r in responses)


async def test_nano_answers_with_exactly_the_samples_and_the_same_ones_again(tmp_path):
    async with running_server(tmp_path, partial(LocalEngine, ("nano",)), models=("nano",)) as calls:
        first = await take_of(calls, 7)
        samples = np.frombuffer(first, "<f4")
        assert samples.shape == (SAMPLE_COUNT,)
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1
        assert await take_of(calls, 7) == first
        assert await take_of(calls, 8) != first
        assert len(await take_of(calls, 7, frames=False)) == len(first)
        await a_second_take_needs_no_pictures(calls)


async def a_second_take_needs_no_pictures(calls):
    (model,) = calls.server.engine.models
    request, *pictures = shot(model, "ada", {1}, [1])
    first = await takes_of(calls.open(request, *pictures))
    sha256 = hashlib.sha256(b"".join(message.frames.rgb24 for message in pictures)).digest()
    named, *_ = shot(model, "ada", {1}, [1], frames_sha256=sha256)
    answers = [answer async for answer in calls.open(named)]
    # It may be told first that it waits: the engine's last word on the first take comes after that take's end.
    (started,) = [answer.started for answer in answers if answer.HasField("started")]
    assert started.has_frames
    assert answers[-1].done.take_sha256 == [hashlib.sha256(first[0]).hexdigest()]


class GatedEngine(LocalEngine):
    """Tells the size of each batch, and begins it when the test says so."""

    def __init__(self, gate, sizes):
        super().__init__(("nano",), "cpu")
        self._gate, self._sizes = gate, sizes

    def models(self):
        """A CPU has nothing to gain from batches of this model, and says so; here they are wanted all the same."""
        return tuple(replace(model, max_batch_rows=8) for model in super().models())

    def run(self, seats):
        self._sizes.put(len(seats))
        self._gate(0)
        super().run(seats)


def shot(model, client_id, white, seeds, **fields):
    frame_count = model.frame_count(SAMPLE_COUNT)
    request = header(
        SAMPLE_COUNT,
        client_id=client_id,
        frame_count=frame_count,
        seeds=seeds,
        step_count=2,
        prompt=client_id,
        **fields,
    )
    return [request, *frame_messages(frame_count, frozenset(white), frame_bytes=model.frame_bytes)]


async def takes_of(call):
    """Each take's bytes, by what the server says of them."""
    takes: dict[int, bytes] = {}
    async for response in call:
        if response.WhichOneof("event") == "audio":
            takes[response.audio.take] = takes.get(response.audio.take, b"") + response.audio.pcm_f32le
    assert [hashlib.sha256(pcm).hexdigest() for pcm in takes.values()] == list(response.done.take_sha256)
    return takes


async def test_editors_in_one_batch_hear_what_they_hear_alone_bit_for_bit(tmp_path):
    gate, sizes = Gate(), multiprocessing.get_context("spawn").SimpleQueue()
    async with running_server(tmp_path, partial(GatedEngine, gate, sizes), models=("nano",)) as calls:
        (model,) = calls.server.engine.models
        jobs = [shot(model, "ada", {0}, [1]), shot(model, "bob", {1}, [2, 3]), shot(model, "cy", {0}, [4])]
        first = asyncio.create_task(takes_of(calls.open(*shot(model, "dan", {1}, [9]))))
        await gate.reached()
        together = [calls.open(*job) for job in jobs]
        await until(lambda: calls.server.jobs.ready_count == 3)
        gate.let_on(2)
        gave_up = together.pop()
        heard = [asyncio.create_task(takes_of(call)) for call in together]
        await gate.reached()
        gave_up.cancel()
        together_heard = await asyncio.gather(*heard)
        gate.let_on(9)
        assert len(await first) == 1
        alone_heard = [await takes_of(calls.open(*job)) for job in jobs[:2]]
        assert together_heard == alone_heard
        assert [len(takes) for takes in alone_heard] == [1, 2]
        assert [sizes.get() for _ in range(4)] == [1, 3, 1, 1]
