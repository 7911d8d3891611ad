"""A job's audio is believed only if it arrived whole: in order, without gaps, with the hash that the server names."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from diffava_resolve.client.protocol import AudioBlock, NoMemory
from diffava_resolve.client.scripted_client import SCRIPTED_MODEL, ScriptedClient
from diffava_resolve.errors import MediaError, ServerError
from diffava_resolve.session.job_frames import CountedFrames, JobFrames
from diffava_resolve.session.running import running
from diffava_resolve.spec import FoleyJob, JobResult, Picture, Region

JOB = FoleyJob("steps", 10, (1, 2))
RESULT = JobResult(SCRIPTED_MODEL, "1", 2, 2.5, "ddim", ("0", "0"))


class Playing(ScriptedClient):
    """Sends the blocks it is given."""

    def __init__(self, *blocks, result=RESULT):
        super().__init__()
        self.blocks, self.result = blocks, result

    def generate(self, job, *sources, on_event=lambda event: None):
        yield from self.blocks
        return self.result


def block(take, first, count):
    return AudioBlock(take, first, np.zeros(count, np.float32))


def read(client):
    with running(client, JOB, None, None, None, lambda event: None) as run:
        for _, blocks in run.takes():
            list(blocks)
        return run.result


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        ((block(0, 0, 5), block(0, 6, 4)), "sample 6 instead of 5"),
        ((block(0, 0, 9), block(1, 0, 10)), "9 of 10 samples"),
        ((block(0, 0, 11), block(1, 0, 10)), "11 of 10 samples"),
        ((block(1, 0, 10),), "take 2 instead of 1"),
        ((block(0, 0, 10),), "1 of 2 takes"),
        ((), "0 of 2 takes"),
    ],
)
def test_a_gap_is_an_error_that_may_be_tried_again(blocks, found):
    with pytest.raises(ServerError, match=found) as caught:
        read(Playing(*blocks))
    assert caught.value.retryable


def test_audio_with_another_hash_than_the_servers_is_refused():
    with pytest.raises(ServerError, match="did not arrive"):
        read(Playing(block(0, 0, 10), block(1, 0, 10)))


def test_whole_audio_gives_the_result():
    assert read(ScriptedClient()).model == SCRIPTED_MODEL


def test_leaving_early_cancels_the_job():
    client = ScriptedClient()
    with running(client, replace(JOB, sample_count=500_000), None, None, None, lambda event: None) as run:
        _, blocks = next(run.takes())
        next(blocks)
    assert client.cancelled_count == 1


@pytest.mark.parametrize(("given", "needed", "numbers"), [(4, 4, "0123"), (5, 4, "0123"), (3, 4, "0122")])
def test_a_job_gets_exactly_as_many_pictures_as_it_needs(monkeypatch, given, needed, numbers):
    """One more or less is what a clip moved at 29.97 may have in its new place."""
    pictures = np.arange(given, dtype=np.uint8)[:, None, None, None] * np.ones((1, 18, 32, 3), np.uint8)
    monkeypatch.setattr(
        "diffava_resolve.session.job_frames.frames_of", lambda *_, **options: iter([pictures[:2], pictures[2:]])
    )
    job = replace(JOB, sample_count=needed * 6000)
    picture = Picture(Region(Fraction(8), 0, 0, given), (), ())
    sent = np.concatenate(list(JobFrames(picture, job, SCRIPTED_MODEL.frames, NoMemory())))
    assert "".join(str(picture[0, 0, 0]) for picture in sent) == numbers


def test_frames_are_hashed_as_they_pass_and_may_call_the_job_off_at_their_end():
    pictures = np.random.default_rng(3).integers(0, 255, (5, 18, 32, 3), np.uint8)
    plain = CountedFrames(iter([pictures[:3], pictures[3:]]), SCRIPTED_MODEL.frames)
    other_blocks = CountedFrames(iter([pictures[:1], pictures[1:]]), SCRIPTED_MODEL.frames)
    list(plain)
    list(other_blocks)
    assert plain.source == other_blocks.source
    assert plain.source.frame_count == 5

    def refuse(source):
        raise MediaError(f"{source.frame_count} other pictures")

    with pytest.raises(MediaError, match="5 other"):
        list(CountedFrames(iter([pictures]), SCRIPTED_MODEL.frames, refuse))
