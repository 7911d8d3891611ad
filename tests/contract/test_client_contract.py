"""What every `FoleyClient` does: the scripted one, and the gRPC one against a server process with the fake engine."""

from collections.abc import Iterator
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.protocol import FoleyClient, Progress, Started
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import MediaError, RequestError
from diffava_resolve.spec import FoleyJob, Performance, TimingGuide
from support.server import server_process

SECOND = 48_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server"), Fraction(8), 32, 18) as process:
        yield process


@pytest.fixture(params=["scripted", "grpc"])
def client(request) -> Iterator[FoleyClient]:
    if request.param == "scripted":
        yield ScriptedClient()
        return
    process = request.getfixturevalue("server")
    with GrpcClient(process.address, process.token) as grpc_client:
        yield grpc_client


class Pictures:
    """Blocks of pictures in the client's format, that notice being closed."""

    def __init__(self, client: FoleyClient, count: int, white: frozenset[int] = frozenset()) -> None:
        frame_format = client.info().models[0].frames
        shape = (frame_format.height_pixels, frame_format.width_pixels, 3)
        self.is_closed = False
        self._frames = iter([np.full((1, *shape), 255 if n in white else 0, np.uint8) for n in range(count)])

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._frames)

    def close(self):
        self.is_closed = True


def job(seconds: int = 2, **fields) -> FoleyJob:
    return FoleyJob(**{"prompt": "steps on gravel", "sample_count": seconds * SECOND, "seeds": (3, 4), **fields})


def run(client, wanted, frames, kept_audio=None, performance=None, **named):
    """All blocks and the result."""
    blocks, events = [], []
    running = client.generate(wanted, frames, kept_audio, performance, **named, on_event=events.append)
    while True:
        try:
            blocks.append(next(running))
        except StopIteration as end:
            return blocks, events, end.value


def take(blocks, number):
    return np.concatenate([block.samples for block in blocks if block.take == number])


def test_takes_come_in_order_without_gaps_and_with_exactly_the_samples_asked_for(client):
    blocks, _, result = run(client, job(sample_count=2 * SECOND + 17), Pictures(client, 17))
    assert [block.take for block in blocks] == sorted(block.take for block in blocks)
    for number in (0, 1):
        own = [block for block in blocks if block.take == number]
        assert own[0].first_sample == 0
        assert all(one.first_sample + len(one.samples) == two.first_sample for one, two in pairwise(own))
        assert len(take(blocks, number)) == 2 * SECOND + 17
        assert take(blocks, number).dtype == np.float32
    assert result.take_sha256 == tuple(sha256(take(blocks, number).tobytes()).hexdigest() for number in (0, 1))


def test_the_result_names_the_model_and_fills_in_its_defaults(client):
    model = client.info().model("")
    _, _, result = run(client, job(), Pictures(client, 16))
    assert result.model == model
    assert result.step_count == model.default_step_count
    assert result.guidance_scale == model.default_guidance_scale
    assert result.software_version == client.info().software_version


def test_the_same_job_gives_the_same_samples(client):
    first, second = (run(client, job(), Pictures(client, 16))[2].take_sha256 for _ in range(2))
    assert first == second


def test_a_picture_reaches_the_sample_of_its_frame(client):
    blocks, _, _ = run(client, job(), Pictures(client, 16, white=frozenset({5})))
    assert np.flatnonzero(take(blocks, 0) == 1.0).tolist() == [5 * SECOND // 8]


def test_sound_from_the_prompt_alone_needs_no_pictures(client):
    blocks, _, _ = run(client, job(), None)
    assert len(take(blocks, 1)) == 2 * SECOND


def test_events_tell_of_the_start_and_of_progress(client):
    _, events, _ = run(client, job(), Pictures(client, 16))
    assert Started() in events
    last = [event for event in events if isinstance(event, Progress) and event.stage == "waveform"][-1]
    assert last.completed == last.total > 0
    assert any(event == Progress("features", 16, 16) for event in events)


def test_samples_outside_a_part_are_the_kept_ones(client):
    kept = np.linspace(-0.5, 0.5, 2 * SECOND, dtype=np.float32)
    wanted = job(seeds=(3,), regenerate_samples=(SECOND, SECOND + 4800))
    blocks, _, _ = run(client, wanted, Pictures(client, 16), iter(np.array_split(kept, 5)))
    sound = take(blocks, 0)
    assert np.array_equal(sound[:SECOND], kept[:SECOND])
    assert np.array_equal(sound[SECOND + 4800 :], kept[SECOND + 4800 :])
    assert not np.array_equal(sound[SECOND : SECOND + 4800], kept[SECOND : SECOND + 4800])


def test_kept_audio_of_another_length_is_refused(client):
    wanted = job(seeds=(3,), regenerate_samples=(0, SECOND))
    with pytest.raises(RequestError, match=rf"{SECOND} samples, the job {2 * SECOND}"):
        run(client, wanted, Pictures(client, 16), iter([np.zeros(SECOND, np.float32)]))


def test_hits_are_heard_at_their_very_samples_instead_of_the_pictures(client):
    guide = TimingGuide(hit_samples=(1, 33_333, 2 * SECOND - 1))
    blocks, _, _ = run(client, job(guide=guide), Pictures(client, 16, white=frozenset({5})))
    assert np.flatnonzero(take(blocks, 1) == 1.0).tolist() == [1, 33_333, 2 * SECOND - 1]


def test_without_a_guide_the_picture_gives_no_timing(client):
    blocks, _, _ = run(client, job(guide=TimingGuide("none")), Pictures(client, 16, white=frozenset({5})))
    assert not (take(blocks, 0) == 1.0).any()


PERFORMANCE = Performance("voice.wav", "ab" * 32, "performance-12.wav", "cd" * 32)


def test_a_performance_arrives_sample_by_sample(client):
    performed = np.linspace(-0.5, 0.5, 2 * SECOND, dtype=np.float32)
    wanted = job(guide=TimingGuide(performance=PERFORMANCE))
    blocks, _, _ = run(client, wanted, Pictures(client, 16), performance=iter(np.array_split(performed, 7)))
    assert np.array_equal(take(blocks, 0), performed)


def test_a_performance_and_kept_audio_do_not_get_mixed_up(client):
    kept, performed = (np.full(2 * SECOND, level, np.float32) for level in (0.25, -0.5))
    wanted = job(seeds=(3,), regenerate_samples=(SECOND, SECOND + 4800), guide=TimingGuide(performance=PERFORMANCE))
    blocks, _, _ = run(client, wanted, Pictures(client, 16), iter([kept]), iter([performed]))
    levels = np.where((np.arange(2 * SECOND) >= SECOND) & (np.arange(2 * SECOND) < SECOND + 4800), -0.5, 0.25)
    assert np.array_equal(take(blocks, 0), levels)


def test_a_performance_of_another_length_is_refused(client):
    wanted = job(guide=TimingGuide(performance=PERFORMANCE))
    with pytest.raises(RequestError, match=rf"performance has {SECOND} samples, the job {2 * SECOND}"):
        run(client, wanted, Pictures(client, 16), performance=iter([np.zeros(SECOND, np.float32)]))


def test_a_model_says_whether_it_follows_hits(client):
    assert client.info().model("").has_timing_guide


@pytest.mark.parametrize("count", [15, 17])
def test_too_few_or_too_many_pictures_are_refused_and_counted(client, count):
    with pytest.raises(RequestError, match=rf"{count} frames, the job needs 16"):
        run(client, job(), Pictures(client, count))


def test_pictures_of_another_size_are_refused(client):
    with pytest.raises(RequestError, match=r"\(7, 9, 3\)"):
        run(client, job(), iter([np.zeros((16, 7, 9, 3), np.uint8)]))


def test_an_error_of_the_picture_reaches_the_caller_unchanged(client):
    def broken():
        yield next(Pictures(client, 1))
        raise MediaError("The disk with the rushes was pulled out; plug it in.")

    with pytest.raises(MediaError, match="rushes"):
        run(client, job(), broken())
    run(client, job(), Pictures(client, 16))  # and the server goes on


def test_an_unknown_model_is_refused_with_the_known_ones(client):
    with pytest.raises(RequestError, match=client.models()[0].name):
        run(client, job(model="foleymatic"), Pictures(client, 16))


def test_sources_are_closed_at_the_end_of_a_job(client):
    pictures = Pictures(client, 16)
    run(client, job(), pictures)
    assert pictures.is_closed


def test_a_job_left_early_closes_its_sources_and_the_next_one_runs(client):
    pictures = Pictures(client, 160)
    running = client.generate(job(20), pictures)
    next(running)
    running.close()
    assert pictures.is_closed
    run(client, job(), Pictures(client, 16))


def named(client, count, white):
    """Pictures with the hash of all their bytes."""
    digest = sha256()
    for block in Pictures(client, count, white):
        digest.update(block.tobytes())
    return {"frames": Pictures(client, count, white), "frames_sha256": digest.hexdigest()}


def test_pictures_that_the_server_knows_are_not_asked_for_again(client):
    first, _, _ = run(client, job(), **named(client, 16, frozenset({11})))
    again = named(client, 16, frozenset({11}))
    second, events, _ = run(client, job(seeds=(5,)), **again)
    assert Started(has_frames=True) in events
    assert np.flatnonzero(take(second, 0) == 1.0).tolist() == np.flatnonzero(take(first, 0) == 1.0).tolist()
    assert len(list(again["frames"])) == 16, "pictures were pulled"
    assert again["frames"].is_closed


def test_pictures_that_are_named_and_not_known_are_sent(client):
    blocks, events, _ = run(client, job(), **named(client, 16, frozenset({13})))
    assert Started(has_frames=False) in events
    assert np.flatnonzero(take(blocks, 0) == 1.0).tolist() == [13 * SECOND // 8]
