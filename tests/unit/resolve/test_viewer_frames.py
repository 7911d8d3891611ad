"""From a timeline to decoded pictures: each timeline frame shows the media frame that an editor would show there."""

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from diffava_resolve.frames.reader import frames_of
from diffava_resolve.spec import FrameFormat
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from diffava_resolve.timeline.viewer import picture_of
from support.clips import number_of, numbered_picture, write_clip
from support.shared_data import TIMELINES, needs_shared_timelines
from support.timelines import clip, dissolve, gap, movie, relink_fitted, span, timeline, track

RATES = {
    23.976: Fraction(24000, 1001),
    24: Fraction(24),
    25: Fraction(25),
    29.97: Fraction(30000, 1001),
    30: Fraction(30),
    50: Fraction(50),
    59.94: Fraction(60000, 1001),
    60: Fraction(60),
}
FILE_FRAMES = 60


@pytest.fixture
def film(tmp_path):
    def film(written_rate):
        path = tmp_path / f"numbered_{written_rate}.mp4"
        pictures = (numbered_picture(number) for number in range(FILE_FRAMES))
        return write_clip(path, pictures, RATES[written_rate], b_frames=2)

    return film


def numbers(cut, *positions):
    """The number of the media frame at each timeline frame of the region; None for black, -1 for a mixture."""
    region = region_of_range(cut, *positions) if positions else region_of_timeline(cut)
    picture = picture_of(cut, region, Path("unused"))
    mixed = {
        frame
        for segment in picture.segments
        for frame in range(segment.start_frame, segment.stop_frame)
        if len(segment.layers) > 1
    }
    shown = (rgb for block in frames_of(picture, FrameFormat(region.rate, 96, 72)) for rgb in block)
    return [
        -1 if frame in mixed else number_of(rgb) if rgb.max() > 40 else None
        # The encoder's last frame may stand past the region's end, since samples are rounded up to whole frames.
        for frame, rgb in zip(range(region.start_frame, region.stop_frame), shown, strict=False)
    ]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("speed", "seen"),
    [
        (1, [20, 21, 22, 23, 24, 25]),
        (2, [20, 22, 24, 26, 28, 30]),
        (0.5, [20, 20, 21, 21, 22, 22]),
        (-1, [25, 24, 23, 22, 21, 20]),
        (0, [20, 20, 20, 20, 20, 20]),
    ],
)
def test_a_retimed_clip_of_media_with_timecode_shows_the_right_frames(film, rate, speed, seen):
    hour = round(3600 * rate)
    reference = movie(film(rate), rate, FILE_FRAMES, first=hour)
    cut = timeline([[gap(3, rate), clip(reference, hour + 20, 6, rate, speed=speed)]], rate=rate, label_frame=hour)
    assert numbers(cut) == [None, None, None, *seen]
    assert numbers(cut, "f5", "f8") == seen[2:5]


@pytest.mark.parametrize("rate", RATES)
def test_cuts_tracks_and_the_whole_parts_around_a_dissolve_show_the_right_frames(film, rate):
    reference = movie(film(rate), rate, FILE_FRAMES)
    below = [clip(reference, 0, 8, rate), dissolve(2, 1, rate), clip(reference, 40, 6, rate)]
    above = [gap(3, rate), clip(reference, 50, 2, rate)]
    assert numbers(timeline([below, above], rate=rate)) == [0, 1, 2, 50, 51, 5, -1, -1, -1, 41, 42, 43, 44, 45]


@pytest.mark.parametrize("rate", RATES)
def test_a_nested_timeline_shows_the_right_frames(film, rate):
    reference = movie(film(rate), rate, FILE_FRAMES)
    nested = otio.schema.Stack("nested", source_range=span(3, 6, rate))
    nested.append(track([clip(reference, 10, 5, rate), clip(reference, 30, 9, rate)]))
    assert numbers(timeline([[gap(1, rate), nested]], rate=rate)) == [None, 13, 14, 30, 31, 32, 33]


def test_media_of_twice_the_timelines_rate_show_every_other_frame(film):
    cut = timeline([[clip(movie(film(59.94), 59.94, FILE_FRAMES), 10, 12, 59.94)]], rate=29.97)
    assert numbers(cut) == [10, 12, 14, 16, 18, 20]


def test_a_nested_timeline_of_another_rate_never_shows_a_frame_outside_its_clips(film):
    """Its cut falls inside a frame of the outer timeline, which shows what is seen at its middle."""
    reference = movie(film(25), 25, FILE_FRAMES)
    nested = otio.schema.Stack("nested")
    nested.append(track([clip(reference, 10, 10, 25), clip(reference, 40, 10, 25)]))
    seen = numbers(timeline([[nested]], rate=24))
    assert seen == [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 40, 41, 42, 43, 44, 45, 46, 47, 48]


@needs_shared_timelines
@pytest.mark.parametrize(
    "name",
    [
        "aswf_otio/effects.otio",
        "aswf_otio/nested_example.otio",
        "otio_fcp7/premiere_example.xml",
        "otio_aaf/multitrack.aaf",
        "otio_cmx3600/25fps.edl",
    ],
)
def test_a_real_editors_timeline_over_a_short_file_decodes_without_running_out(film, name):
    """Each cut of it and the frames around, where a wrong offset would leave the file."""
    cut = relink_fitted(read_timeline(TIMELINES / name), film(25), 25, FILE_FRAMES)
    picture = picture_of(cut, region_of_timeline(cut), Path("unused"))
    for frame in picture.cut_frames:
        assert len(numbers(cut, f"f{frame - 1}", f"f{frame + 1}")) == 2
