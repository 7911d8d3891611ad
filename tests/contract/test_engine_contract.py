"""What every engine promises, run on the fake one and on the real model classes."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from diffava_server.engine.fake import FakeEngine
from diffava_server.engine.protocol import (
    Audio,
    FrameBlock,
    Job,
    KeptAudio,
    Progress,
    TimingGuide,
    batch_key,
    picture_key,
)
from diffava_server.errors import InvalidRequestError, JobCancelledError, ServerError
from support.seats import CollectingSeat

SAMPLE_COUNT = 24_001


@pytest.fixture(scope="module", params=["fake", "local nano"])
def engine(request):
    if request.param == "fake":
        return FakeEngine(step_count=3)
    pytest.importorskip("torch")
    from diffava_server.engine.local import LocalEngine

    return LocalEngine(("nano",))


def job_for(engine, **fields):
    model = engine.models()[0]
    return Job(
        **{
            "model": model.name,
            "prompt": "a door",
            "sample_count": SAMPLE_COUNT,
            "seeds": (1,),
            "frame_count": model.frame_count(SAMPLE_COUNT),
            "step_count": 3,
            **fields,
        }
    )


def frames_for(engine, count, block_frames=2):
    size = engine.models()[0].frame_bytes
    for first in range(0, count, block_frames):
        frame_count = min(block_frames, count - first)
        yield FrameBlock(first, frame_count, bytes([first % 256]) * (frame_count * size))


def run(engine, job, frames=None, **seat):
    """A batch of one; its events, or its error raised."""
    (told,) = run_batch(engine, [CollectingSeat(job, frames or frames_for(engine, job.frame_count), **seat)])
    if told.errors != [None]:
        raise told.errors[0]
    return told.events


def run_batch(engine, seats):
    engine.run(seats)
    assert [len(seat.errors) for seat in seats] == [1] * len(seats), "each seat ends once"
    return seats


def takes_of(events):
    """Each take's samples; fails unless blocks come take by take, in order, without gaps."""
    takes = []
    for event in events:
        if isinstance(event, Audio):
            if event.take == len(takes):
                takes.append(b"")
            assert event.take == len(takes) - 1
            assert event.first_sample * 4 == len(takes[-1])
            takes[-1] += event.pcm_f32le
    return takes


def test_the_models_describe_themselves_wholly(engine):
    for model in engine.models():
        assert model.name
        assert len(model.weights_sha256) == 64
        assert model.licence
        assert model.frame_rate > 0
        assert model.frame_bytes > 0
        assert model.sample_rate_hz == 48_000
        assert model.default_step_count > 0
        assert model.default_guidance_scale >= 1


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_each_take_has_exactly_the_samples_asked_for(engine, seeds):
    takes = takes_of(run(engine, job_for(engine, seeds=seeds)))
    assert [len(take) // 4 for take in takes] == [SAMPLE_COUNT] * len(seeds)
    for take in takes:
        samples = np.frombuffer(take, "<f4")
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1


def test_the_same_job_gives_the_same_bytes(engine):
    job = job_for(engine, seeds=(5, 6))
    assert takes_of(run(engine, job)) == takes_of(run(engine, job))


def test_sound_from_the_prompt_alone_needs_no_frames(engine):
    takes = takes_of(run(engine, job_for(engine, frame_count=0), frames=iter(())))
    assert len(takes[0]) // 4 == SAMPLE_COUNT


def test_progress_goes_through_the_stages_in_order_and_to_their_ends(engine):
    progress = [event for event in run(engine, job_for(engine)) if isinstance(event, Progress)]
    stages = list(dict.fromkeys(event.stage for event in progress))
    assert stages == ["features", "latent", "waveform"]
    for stage in stages:
        completed = [event.completed for event in progress if event.stage == stage]
        assert completed == sorted(completed)
        last = [event for event in progress if event.stage == stage][-1]
        assert last.completed == last.total


def test_frames_are_pulled_in_order_and_all_of_them(engine):
    job = job_for(engine)
    pulled = []

    def frames():
        for block in frames_for(engine, job.frame_count):
            pulled.append(block.first_frame)
            yield block

    run(engine, job, frames=frames())
    assert pulled == list(range(0, job.frame_count, 2))


def test_a_cancelled_job_stops_before_its_next_step(engine):
    seen = []

    def emit(event):
        seen.append(event)

    def is_cancelled():
        return any(isinstance(e, Progress) and e.stage == "latent" and e.completed >= 1 for e in seen)

    job = job_for(engine)
    with pytest.raises(JobCancelledError):
        run(engine, job, emit=emit, is_cancelled=is_cancelled)
    assert max(e.completed for e in seen if isinstance(e, Progress) and e.stage == "latent") == 1
    assert not takes_of(seen)


def test_a_part_made_anew_comes_as_a_whole_take(engine):
    """The engine hands back the whole range; who splices it into the old take is the client (`audio_file.splice`)."""
    old = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_COUNT).astype("<f4")
    kept = KeptAudio(9_600, 14_400, old.tobytes())
    (take,) = takes_of(run(engine, job_for(engine, kept=kept)))
    assert len(take) // 4 == SAMPLE_COUNT


def test_hits_and_a_performance_are_followed_by_a_model_with_a_timing_guide_and_refused_by_one_without(engine):
    performed = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_COUNT).astype("<f4").tobytes()
    for guide in (TimingGuide(hit_samples=(0, 4_800, SAMPLE_COUNT - 1)), TimingGuide(performance_f32le=performed)):
        job = job_for(engine, guide=guide)
        if engine.models()[0].has_timing_guide:
            (take,) = takes_of(run(engine, job))
            assert len(take) // 4 == SAMPLE_COUNT
        else:
            with pytest.raises(InvalidRequestError, match="has no timing guide"):
                run(engine, job)


def test_a_guide_from_nothing_is_no_reason_to_refuse(engine):
    guide = TimingGuide("none", strength=0.5)
    assert takes_of(run(engine, job_for(engine, guide=guide)))


def test_a_model_that_is_not_loaded_is_refused_by_name(engine):
    with pytest.raises(ServerError, match="no model 'maxi'"):
        run(engine, job_for(engine, model="maxi"))


def test_too_few_frames_are_refused(engine):
    job = job_for(engine)
    with pytest.raises(InvalidRequestError):
        run(engine, job, frames=frames_for(engine, job.frame_count - 1))


def test_an_engine_serves_again_after_a_refusal(engine):
    with pytest.raises(ServerError):
        run(engine, job_for(engine), frames=iter(()))
    assert takes_of(run(engine, job_for(engine)))


def seat_for(engine, job, frames=None, **seat):
    return CollectingSeat(job, frames_for(engine, job.frame_count) if frames is None else frames, **seat)


def test_jobs_in_one_batch_sound_as_they_do_alone(engine):
    jobs = [job_for(engine, seeds=(1,)), job_for(engine, seeds=(2, 3), prompt="rain"), job_for(engine, seeds=(1,))]
    assert len({batch_key(job) for job in jobs}) == 1
    together = run_batch(engine, [seat_for(engine, job) for job in jobs])
    assert [takes_of(seat.events) for seat in together] == [takes_of(run(engine, job)) for job in jobs]


def test_a_job_that_fails_or_is_given_up_leaves_the_others_of_its_batch_as_they_are(engine):
    jobs = [job_for(engine, seeds=(seed,)) for seed in (1, 2, 3)]
    torn = seat_for(engine, jobs[0], frames_for(engine, jobs[0].frame_count - 1))
    given_up = seat_for(engine, jobs[1])
    given_up.is_cancelled = lambda: any(isinstance(e, Progress) and e.stage == "latent" for e in given_up.events)
    whole = seat_for(engine, jobs[2])
    run_batch(engine, [torn, given_up, whole])
    assert isinstance(torn.errors[0], InvalidRequestError)
    assert isinstance(given_up.errors[0], JobCancelledError)
    assert not takes_of(torn.events) + takes_of(given_up.events)
    assert whole.errors == [None]
    assert takes_of(whole.events) == takes_of(run(engine, jobs[2]))


def test_pictures_that_were_seen_are_remembered_by_their_own_hash_and_make_the_same_sound_unsent(engine):
    job = job_for(engine, cut_samples=(9_600,))
    sent = run(engine, job)
    frames = b"".join(block.rgb24 for block in frames_for(engine, job.frame_count))
    named = replace(job, frames_sha256=hashlib.sha256(frames).digest())
    assert picture_key(named) in engine.remembered()
    assert takes_of(run(engine, named, frames=iter(()))) == takes_of(sent)


def test_a_wrong_name_for_pictures_is_never_remembered(engine):
    lying = job_for(engine, frames_sha256=b"\1" * 32)
    run_batch(engine, [seat_for(engine, lying)])
    assert picture_key(lying) not in engine.remembered()
