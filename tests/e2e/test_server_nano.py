"""The real model classes (random weights) behind the real server."""

from functools import partial

import numpy as np
import pytest

from diffava_server.engine.local import LocalEngine
from support.server import frame_messages, header, running_server

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
