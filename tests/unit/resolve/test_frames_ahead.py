"""While the server makes one shot's sound the next one's pictures are decoded, as far as there is room."""

import threading
from fractions import Fraction

import numpy as np
import pytest

from diffava_resolve.client.protocol import Progress
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import MediaError, ServerError
from diffava_resolve.frames.ahead import FramesAhead
from diffava_resolve.session import FoleySettings, Wanted, generate_foley, generate_shots, job_frames
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range
from support.tiny_cut import write_tiny_cut


def blocks(count, closed=None, error=None):
    try:
        for number in range(count):
            yield np.full((4, 8, 8, 3), number, np.uint8)
        if error is not None:
            raise error
    finally:
        if closed is not None:
            closed.set()


def test_the_blocks_come_as_they_are():
    assert [int(block[0, 0, 0, 0]) for block in FramesAhead(lambda: blocks(5))] == list(range(5))


def test_there_is_never_more_than_there_is_room_for():
    made = []

    def counted():
        for block in blocks(100):
            made.append(block)
            yield block

    ahead = FramesAhead(counted, most_bytes=3 * 4 * 8 * 8 * 3)
    for number in range(100):
        next(ahead)
        assert len(made) <= number + 1 + 3


def test_what_went_wrong_is_said_where_it_would_have_come():
    ahead = FramesAhead(lambda: blocks(2, error=MediaError("It is damaged.")))
    next(ahead)
    next(ahead)
    with pytest.raises(MediaError, match="damaged"):
        next(ahead)


def test_closing_lets_the_decoder_go():
    closed = threading.Event()
    ahead = FramesAhead(lambda: blocks(10**9, closed), most_bytes=1)
    next(ahead)
    ahead.close()
    assert closed.wait(60)


class Watching(ScriptedClient):
    """Does not end the first two jobs before the next one's pictures are being decoded."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.story, self.begun, self.closed = [], threading.Event(), threading.Semaphore(0)

    def generate(self, job, *sources, on_event=lambda event: None, **named):
        def note(event):
            if isinstance(event, Progress) and event.stage == "waveform" and event.completed == event.total:
                self.begun.clear()
                on_event(Progress("latent", 1, 1))
                if len(self.jobs) < 3 and f"made {len(self.jobs)}" not in self.story:
                    assert self.begun.wait(60), "nobody decodes the next shot"
                if f"made {len(self.jobs)}" not in self.story:
                    self.story.append(f"made {len(self.jobs)}")
            on_event(event)

        return super().generate(job, *sources, on_event=note, **named)


@pytest.fixture
def three_shots(tmp_path, monkeypatch):
    """A function that makes three regions' sound with a client, which is told when a picture is decoded."""
    cut = write_tiny_cut(tmp_path, rate=Fraction(24), flash_frames=(30,))
    timeline = read_timeline(cut.path)
    regions = [region_of_range(timeline, f"f{first}", f"f{first + 20}") for first in (0, 20, 40)]
    wanted = [Wanted(region, FoleySettings("steps", seed=1, take_count=2)) for region in regions]
    decode = job_frames.views_of

    def make(client, name, generate=generate_foley):
        def told(picture, formats, **options):
            client.story.append(f"decodes {picture.region.start_frame // 20 + 1}")
            client.begun.set()
            try:
                yield from decode(picture, formats, **options)
            finally:
                client.closed.release()

        monkeypatch.setattr(job_frames, "views_of", told)
        return generate(timeline, cut.path, wanted, client, tmp_path / name)

    return make


@pytest.mark.parametrize("generate", [generate_foley, generate_shots])
def test_the_next_shot_is_decoded_while_the_server_makes_this_one(three_shots, generate):
    client = Watching()
    clips = three_shots(client, "out.otio", generate)
    assert client.story == ["decodes 1", "decodes 2", "made 1", "decodes 3", "made 2", "made 3"]
    hashes = [clip.takes[0].receipt.picture.frames_sha256 for clip in clips]
    assert len(set(hashes)) > 1
    plain = ScriptedClient()
    plain.story, plain.begun, plain.closed = [], threading.Event(), threading.Semaphore(0)
    again = three_shots(plain, "again.otio", generate)
    assert hashes == [clip.takes[0].receipt.picture.frames_sha256 for clip in again]


def test_a_lost_first_shot_leaves_no_decoder_behind(three_shots):
    client = Watching(failure=ServerError("lost"), fail_after_blocks=1)
    with pytest.raises(ServerError, match="lost"):
        three_shots(client, "out.otio")
    assert client.story[:2] == ["decodes 1", "decodes 2"]
    for _ in range(2):
        assert client.closed.acquire(timeout=60)
