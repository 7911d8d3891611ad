"""Whole `Generate` calls through a real server on a real port, with the fake engine in its own process."""

import hashlib
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.engine.fake import FakeEngine
from diffava_server.rpc.translate import AUDIO_CHUNK_BYTES
from support.server import RATE_HZ, frame_messages, header, running_server


def takes_of(responses):
    takes: dict[int, bytes] = {}
    for response in responses:
        if response.WhichOneof("event") == "audio":
            chunk = response.audio
            assert chunk.first_sample * 4 == len(takes.get(chunk.take, b""))
            takes[chunk.take] = takes.get(chunk.take, b"") + chunk.pcm_f32le
    return takes


def kinds_of(responses):
    kinds = [response.WhichOneof("event") for response in responses]
    return [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001)])
async def test_each_white_picture_is_heard_at_the_first_sample_of_its_frame(tmp_path, rate):
    frame_count, white = 50, frozenset({0, 3, 17, 49})
    sample_count = round(frame_count * RATE_HZ / rate)
    async with running_server(tmp_path, partial(FakeEngine, frame_rate=rate)) as calls:
        request = header(sample_count, frame_count=frame_count, seeds=[1, 2])
        responses = [r async for r in calls.open(request, *frame_messages(frame_count, white))]
    takes = takes_of(responses)
    samples = np.frombuffer(takes[0], "<f4")
    assert len(samples) == sample_count
    assert np.flatnonzero(samples).tolist() == [round(k * RATE_HZ / rate) for k in sorted(white)]
    assert takes[1] == takes[0]
    done = responses[-1].done
    assert list(done.take_sha256) == [hashlib.sha256(takes[take]).hexdigest() for take in (0, 1)]


async def test_a_free_server_answers_started_then_progress_and_audio_then_done(tmp_path):
    async with running_server(tmp_path) as calls:
        responses = [r async for r in calls.open(header(frame_count=8), *frame_messages(8))]
    assert kinds_of(responses) == ["started", "progress", "audio", "progress", "done"]
    stages = [r.progress.stage for r in responses if r.WhichOneof("event") == "progress"]
    assert stages == sorted(stages), "features, then steps, then samples"
    done = responses[-1].done
    assert (done.model.name, done.step_count, done.guidance_scale, done.sampler) == ("fake", 4, 2.5, 1)


async def test_audio_comes_in_chunks_of_at_most_256_kib(tmp_path):
    async with running_server(tmp_path) as calls:
        responses = [r async for r in calls.open(header(3 * RATE_HZ + 5))]
    sizes = [len(r.audio.pcm_f32le) for r in responses if r.WhichOneof("event") == "audio"]
    assert max(sizes) <= AUDIO_CHUNK_BYTES
    assert sum(sizes) == (3 * RATE_HZ + 5) * 4


async def test_the_same_request_twice_gives_the_same_bytes(tmp_path):
    request = [header(frame_count=8, seeds=[3, 4]), *frame_messages(8, frozenset({2}))]
    async with running_server(tmp_path) as calls:
        first = takes_of([r async for r in calls.open(*request)])
        second = takes_of([r async for r in calls.open(*request)])
    assert first == second
    assert set(first) == {0, 1}


async def test_a_part_made_anew_leaves_the_rest_of_the_kept_take_bit_identical(tmp_path):
    old = np.linspace(-1, 1, RATE_HZ, dtype="<f4")
    request = header(frame_count=8, kept=pb.KeptPart(regenerate_start_sample=6000, regenerate_stop_sample=24000))
    chunks = [
        pb.GenerateRequest(kept_audio=pb.AudioChunk(first_sample=s, pcm_f32le=old[s : s + 20_000].tobytes()))
        for s in range(0, RATE_HZ, 20_000)
    ]
    async with running_server(tmp_path) as calls:
        responses = [r async for r in calls.open(request, *chunks, *frame_messages(8, frozenset({1})))]
    new = np.frombuffer(takes_of(responses)[0], "<f4")
    assert np.array_equal(new[:6000], old[:6000])
    assert np.array_equal(new[24000:], old[24000:])
    assert new[6000] == 1.0
    assert not new[6001:24000].any()


@pytest.mark.parametrize(
    ("fields", "clicks"),
    [
        ({}, [0, 30_000]),
        ({"source": pb.GUIDE_SOURCE_NONE}, []),
        ({"hit_samples": [1, 17_017, 47_999]}, [1, 17_017, 47_999]),
    ],
)
async def test_hits_stand_in_for_those_of_the_picture(tmp_path, fields, clicks):
    request = header(frame_count=8, guide=pb.TimingGuide(**fields))
    async with running_server(tmp_path) as calls:
        responses = [r async for r in calls.open(request, *frame_messages(8, frozenset({0, 5})))]
    assert np.flatnonzero(np.frombuffer(takes_of(responses)[0], "<f4")).tolist() == clicks


async def test_kept_audio_and_performance_arrive_sample_by_sample_each_in_its_place(tmp_path):
    old, performed = np.linspace(-1, 1, RATE_HZ, dtype="<f4"), np.linspace(0.5, -0.5, RATE_HZ, dtype="<f4")
    kept = pb.KeptPart(regenerate_start_sample=6000, regenerate_stop_sample=24000)
    request = header(frame_count=8, kept=kept, guide=pb.TimingGuide(has_performance=True))
    messages = [
        pb.GenerateRequest(**{part: pb.AudioChunk(first_sample=s, pcm_f32le=samples[s : s + 20_000].tobytes())})
        for part, samples in (("kept_audio", old), ("performance", performed))
        for s in range(0, RATE_HZ, 20_000)
    ]
    async with running_server(tmp_path) as calls:
        responses = [r async for r in calls.open(request, *messages, *frame_messages(8, frozenset({1})))]
    new = np.frombuffer(takes_of(responses)[0], "<f4")
    assert np.array_equal(new[6000:24000], performed[6000:24000])
    assert np.array_equal(new[:6000], old[:6000])
    assert np.array_equal(new[24000:], old[24000:])


async def test_what_the_engine_notes_is_said_at_the_end(tmp_path):
    engine = partial(FakeEngine, notes=("It does not know 'didgeridoo'.", "The range is short."))
    async with running_server(tmp_path, engine) as calls:
        responses = [r async for r in calls.open(header())]
    assert list(responses[-1].done.notes) == ["It does not know 'didgeridoo'.", "The range is short."]


async def test_server_info_says_models_limits_and_version(tmp_path):
    engine = partial(FakeEngine, frame_rate=Fraction(24000, 1001))
    async with running_server(tmp_path, engine, max_take_count=3) as calls:
        info = await calls.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=calls.metadata)
    (model,) = info.models
    assert (model.name, model.frame_rate.numerator, model.frame_rate.denominator) == ("fake", 24000, 1001)
    assert (model.frame_width_pixels, model.frame_height_pixels) == (32, 18)
    assert model.has_timing_guide
    assert info.limits.max_take_count == 3
    assert info.limits.max_message_bytes == 2 << 20
    assert info.software_version
