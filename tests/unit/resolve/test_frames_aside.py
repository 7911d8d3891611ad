"""The picture in which hits are looked for comes with the encoder's from one decoding, and is the same as without."""

from fractions import Fraction

import numpy as np
import pytest

from diffava_resolve.client.patient_client import PatientClient
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import MediaError, ServerError
from diffava_resolve.frames import aside as module
from diffava_resolve.frames import hits, reader
from diffava_resolve.frames.aside import FramesAside
from diffava_resolve.session import FoleySettings, Wanted, generate_clip, generate_foley, generate_shots, job_frames
from diffava_resolve.spec import FrameFormat
from diffava_resolve.timeline.regions import region_of_range
from support.clips import write_clip
from support.tiny_cut import timeline_of

RATE = Fraction(25)
FORMAT = FrameFormat(RATE, 4, 2)
SETTINGS = FoleySettings("a ball", seed=5)
WALL = np.random.default_rng(1).integers(20, 60, (18, 32, 3)).astype(np.uint8).repeat(10, 0).repeat(10, 1)
BALL = np.random.default_rng(0).integers(100, 255, (24, 24, 3)).astype(np.uint8)


def views(count, error=None, closed=None):
    try:
        for n in range(count):
            yield 0, np.full((2, 2, 4, 3), n, np.uint8)
            yield 1, np.full((2, 2, 4, 3), 100 + n, np.uint8)
        if error is not None:
            raise error
    finally:
        if closed is not None:
            closed.append(True)


def values(blocks):
    return [int(block[0, 0, 0, 0]) for block in blocks]


def test_each_view_goes_its_way():
    aside = FramesAside(FORMAT)
    assert values(aside.sorted_out(views(3))) == [0, 1, 2]
    assert values(aside.blocks()) == [100, 101, 102]


def test_nothing_is_made_of_a_decoding_that_never_began_or_did_not_come_to_its_end():
    assert FramesAside(FORMAT).blocks() is None
    failed = FramesAside(FORMAT)
    with pytest.raises(MediaError):
        list(failed.sorted_out(views(3, MediaError("damaged"))))
    assert failed.blocks() is None
    closed = []
    left = FramesAside(FORMAT)
    some = left.sorted_out(views(3, closed=closed))
    next(some)
    some.close()
    assert left.blocks() is None
    assert closed


@pytest.fixture
def falling(tmp_path):
    """A cut of two shots, in each of which a ball falls and lies; each hit is seen."""
    paths = []
    for name in "ab":
        pictures = []
        for n in range(25):
            picture = WALL.copy()
            top = min(20 + round(0.7 * n * n), 150)
            picture[top : top + 24, 150:174] = BALL
            pictures.append(picture)
        paths.append(write_clip(tmp_path / f"{name}.mp4", pictures, RATE))
    return timeline_of(paths, RATE, 25), tmp_path / "cut.otio", paths


def hits_of(clips):
    return [clip.takes[0].receipt.sync["hit_count"] for clip in clips]


def generate(falling, client, name, make=generate_foley):
    timeline, path, _ = falling
    wanted = [Wanted(region_of_range(timeline, *ends), SETTINGS) for ends in (("f0", "f25"), ("f25", "f50"))]
    return make(timeline, path, wanted, client, path.with_name(name))


@pytest.fixture
def looked(monkeypatch):
    """What pictures were decoded for the hits alone."""
    looked, decode = [], hits.frames_of

    def counted(picture, *arguments, **options):
        looked.append(picture.region.start_frame)
        return decode(picture, *arguments, **options)

    monkeypatch.setattr(hits, "frames_of", counted)
    return looked


@pytest.mark.parametrize("make", [generate_foley, generate_shots])
def test_a_shot_is_decoded_once_for_the_server_and_for_its_hits(falling, looked, make):
    assert hits_of(generate(falling, ScriptedClient(), "out.otio", make)) == [1, 1]
    assert looked == []


def test_one_clip_is_decoded_once_too(falling, looked, tmp_path):
    _, _, paths = falling
    take = generate_clip(paths[0], SETTINGS, ScriptedClient(), tmp_path / "out.wav")
    assert take.receipt.sync["hit_count"] == 1
    assert looked == []


def test_a_shot_too_long_to_be_kept_is_decoded_again_for_its_hits(falling, looked, monkeypatch):
    whole = hits_of(generate(falling, ScriptedClient(), "whole.otio"))
    monkeypatch.setattr(module, "MOST_BYTES", 25 * 160 * 90 * 3 - 1)
    assert hits_of(generate(falling, ScriptedClient(), "again.otio")) == whole
    assert looked == [0, 25]


class LostInTheMiddle(ScriptedClient):
    """Reads one block of pictures, and loses the first job."""

    def generate(self, job, frames, *sources, on_event=lambda event: None, **named):
        self.jobs.append(job)
        if len(self.jobs) == 1:
            pictures = iter(frames)
            next(pictures)
            pictures.close()
            raise ServerError("lost", retryable=True)
        return (yield from super().generate(job, frames, *sources, on_event=on_event, **named))


def test_hits_of_a_job_that_was_lost_in_the_middle_of_its_pictures_are_all_found(falling, looked, monkeypatch):
    monkeypatch.setattr(job_frames, "views_of", lambda *a, **o: views_in_small_blocks(*a))
    client = PatientClient(LostInTheMiddle(), sleep_s=lambda delay_s: None)
    assert hits_of(generate(falling, client, "out.otio")) == [1, 1]
    assert looked == [0]


def views_in_small_blocks(picture, formats):
    return reader.views_of(picture, formats, block_frames=3)
