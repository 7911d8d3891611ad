"""Pictures that were sent before are sent no more where the server knows them, and are decoded again whenever a file
has changed in any way."""

import os
import stat
import time
from fractions import Fraction

import numpy as np
import pytest

from diffava_resolve.client.known_pictures import FILE_NAME, KnownPictures
from diffava_resolve.client.scripted_client import SCRIPTED_MODEL, ScriptedClient
from diffava_resolve.frames import hit_search, identity
from diffava_resolve.frames.identity import identity_of
from diffava_resolve.session import job_frames as module
from diffava_resolve.session.clip import picture_of_movie
from diffava_resolve.session.job_frames import JobFrames
from diffava_resolve.session.measure import TakeMeasure
from diffava_resolve.session.running import running
from diffava_resolve.spec import FoleyJob, FrameFormat
from diffava_resolve.timeline.audio_file import TakeWriter
from support.clips import write_flash_clip, write_numbered_clip

JOB = FoleyJob("steps", 96_000, (1,))
FORMAT = SCRIPTED_MODEL.frames


@pytest.fixture
def movie(tmp_path, monkeypatch):
    """A movie of two seconds whose third frame is white, old enough to be known."""
    monkeypatch.setattr(identity, "_SETTLED_NS", 0)
    return write_flash_clip(tmp_path / "a.mp4", 48, Fraction(24), [12, 13, 14], width=64, height=36)


def decoded_count(monkeypatch):
    """How often pictures are decoded from now on."""
    count, decode = [], module.frames_of

    def counted(*arguments, **options):
        count.append(arguments)
        yield from decode(*arguments, **options)

    monkeypatch.setattr(module, "frames_of", counted)
    return count


def take(client, movie, job=JOB):
    frames = JobFrames(picture_of_movie(movie), job, FORMAT, client.memory)
    with running(client, job, frames, None, None, lambda event: None) as run:
        samples = np.concatenate([block for _, blocks in run.takes() for block in blocks])
    return samples, frames.source


def test_a_second_take_of_a_shot_is_made_without_decoding_and_has_the_same_receipt(tmp_path, movie, monkeypatch):
    client = ScriptedClient(memory=KnownPictures(tmp_path / "state"))
    count = decoded_count(monkeypatch)
    first, second = take(client, movie), take(client, movie)
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert first[1].frame_count == 16
    assert len(count) == 1


def test_a_server_that_does_not_know_them_is_sent_them(tmp_path, movie, monkeypatch):
    memory = KnownPictures(tmp_path / "state")
    count = decoded_count(monkeypatch)
    first, second = (take(ScriptedClient(memory=memory), movie) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert len(count) == 2


def touched(path):
    os.utime(path, ns=(1, 1))


def written_to(path):
    """One byte, and the times put back as they were: only the time of the change itself tells."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path):
    other = path.with_name("b.mp4")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def lengthened(path):
    with path.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize("change", [touched, written_to, replaced, lengthened])
def test_a_file_that_changed_in_any_way_is_decoded_again(tmp_path, movie, monkeypatch, change):
    client = ScriptedClient(memory=KnownPictures(tmp_path / "state"))
    take(client, movie)
    before = identity_of(picture_of_movie(movie), FORMAT)
    change(movie)
    assert identity_of(picture_of_movie(movie), FORMAT) != before
    count = decoded_count(monkeypatch)
    take(client, movie)
    assert len(count) == 1


def test_what_is_shown_and_how_counts_too(movie):
    picture = picture_of_movie(movie)
    names = {
        identity_of(picture, FORMAT),
        identity_of(picture, FrameFormat(FORMAT.rate, FORMAT.width_pixels, FORMAT.width_pixels)),
        identity_of(picture, FrameFormat(FORMAT.rate * 2, FORMAT.width_pixels, FORMAT.height_pixels)),
    }
    assert len(names) == 3


def test_a_file_that_was_written_a_moment_ago_has_no_name_yet(tmp_path):
    """A second write within the file system's smallest step of time would leave no trace."""
    movie = write_numbered_clip(tmp_path / "new.mp4", 12, Fraction(24))
    picture = picture_of_movie(movie)
    assert identity_of(picture, FORMAT) is None
    assert identity_of(picture, FORMAT, lambda: time.time_ns() + 10_000_000_000) is not None


def test_pictures_that_were_not_decoded_to_their_end_are_not_remembered(tmp_path, movie):
    memory = KnownPictures(tmp_path / "state")
    blocks = iter(JobFrames(picture_of_movie(movie), JOB, FORMAT, memory, None))
    next(blocks)
    blocks.close()
    assert not JobFrames(picture_of_movie(movie), JOB, FORMAT, memory).sha256


def test_the_memory_is_small_private_and_forgets_what_was_not_used(tmp_path):
    memory = KnownPictures(tmp_path / "state")
    for number in range(600):
        memory.remember(f"{number}", {"frames_sha256": "ab"})
        memory.remember("0", {"hits": number})
    assert memory.recall("0") == {"frames_sha256": "ab", "hits": 599}
    assert memory.recall("1") is None
    assert memory.recall("599") is not None
    file = tmp_path / "state" / FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name == "nt"
    assert [path.name for path in file.parent.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 9}', '{"schema_version": 1, "pictures": 3}'])
def test_a_damaged_memory_is_no_memory(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    memory = KnownPictures(tmp_path)
    assert memory.recall("a") is None
    memory.remember("a", {"frames_sha256": "ab"})
    assert memory.recall("a") == {"frames_sha256": "ab"}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    KnownPictures(tmp_path / "file" / "state").remember("a", {})


def test_hits_that_were_found_are_not_looked_for_again(tmp_path, movie, monkeypatch):
    memory = KnownPictures(tmp_path / "state")
    with TakeWriter(tmp_path / "take.wav") as writer:
        writer.write(np.zeros(96_000, np.float32))
        silence = writer.finish().path
    first = TakeMeasure(picture_of_movie(movie), lambda event: None, memory=memory).of(silence)
    monkeypatch.setattr(hit_search, "motion_hits", lambda *_: pytest.fail("looked again"))
    assert TakeMeasure(picture_of_movie(movie), lambda event: None, memory=memory).of(silence) == first
    touched(movie)
    with pytest.raises(BaseException, match="looked again"):
        TakeMeasure(picture_of_movie(movie), lambda event: None, memory=memory).of(silence)
