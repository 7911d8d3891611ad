from fractions import Fraction

import opentimelineio as otio
import pytest

from diffava_resolve.errors import RequestError
from diffava_resolve.timeline.regions import (
    clips_of,
    region_of_clip,
    region_of_range,
    region_of_timeline,
    regions_of_markers,
)
from support.timelines import clip, gap, movie, span, timeline, track

VIDEO = Fraction(30000, 1001)


@pytest.fixture
def cut():
    """Two video tracks at 24 from 01:00:00:00: A B A below, a title above B."""
    media = movie("a.mov", 24, 1000)
    below = [clip(media, 0, 48, 24, "A"), clip(media, 100, 24, 24, "B"), clip(media, 200, 28, 24, "A")]
    return timeline([below, [gap(50, 24), clip(media, 0, 10, 24, "C")]], rate=24, label_frame=86400)


def frames(region):
    return region.start_frame, region.stop_frame


def test_out_is_exclusive(cut):
    region = region_of_range(cut, "01:00:01:00", "01:00:02:00")
    assert frames(region) == (24, 48)
    assert region.sample_count == 48000
    assert region.rate == 24
    assert region.label_frame == 86400


def test_the_whole_timeline_may_be_typed(cut):
    assert region_of_range(cut, "f0", "01:00:04:04") == region_of_timeline(cut)


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        ("f10", "f10", "is empty.*must come after IN.*from 01:00:00:00 to 01:00:04:04 .100 frames at 24."),
        ("2s", "1s", "is reversed.*from 01:00:00:00 to 01:00:04:04"),
        ("f0", "f101", "f101 lies after the end of the timeline, which runs from 01:00:00:00 to 01:00:04:04"),
        ("00:00:01:00", "f10", "00:00:01:00 lies before the start of the timeline, which runs from 01:00:00:00"),
        ("f100", "f101", "after the end"),
    ],
)
def test_a_range_outside_the_timeline_or_without_length_is_refused(cut, start, stop, said):
    with pytest.raises(RequestError, match=said):
        region_of_range(cut, start, stop)


def test_a_semicolon_selects_drop_frame_for_the_region_and_its_messages():
    cut = timeline([[clip(None, 0, 4000, 29.97)]], rate=29.97)
    region = region_of_range(cut, "00:00:59;29", "00:01:00;02")
    assert frames(region) == (1799, 1800)
    assert region.drop_frame
    with pytest.raises(RequestError, match="from 00:00:00;00 to 00:02:13;14"):
        region_of_range(cut, "00:00:59;29", "00:03:00;02")


def test_both_positions_of_a_range_count_in_the_same_numbers():
    cut = timeline([[clip(None, 0, 4000, 29.97)]], rate=29.97)
    assert frames(region_of_range(cut, "00:01:01:00", "00:01:02;00")) == (1828, 1858)


def test_an_empty_timeline_has_no_region():
    with pytest.raises(RequestError, match="is empty"):
        region_of_timeline(timeline([[]], rate=24))


def test_mixed_rates_add_up_exactly():
    """48 frames at 23.976 are 2.002 s; with 1.001 s at 29.97 and 0.997 s of samples that is 4 s."""
    items = [clip(None, 0, 48, 23.976), clip(None, 0, 30, 29.97), clip(None, 0, 47856, 48000)]
    assert frames(region_of_timeline(timeline([items], rate=25))) == (0, 100)


def test_a_clip_is_found_by_name_and_by_its_number_in_the_order_of_viewing(cut):
    assert [(found.index, found.name) for found in clips_of(cut)] == [(1, "A"), (2, "B"), (3, "C"), (4, "A")]
    assert frames(region_of_clip(cut, "C")) == (50, 60)
    assert frames(region_of_clip(cut, 4)) == (72, 100)
    assert frames(region_of_clip(cut, "4")) == (72, 100)


def test_a_nested_timeline_counts_as_a_clip():
    nested = otio.schema.Stack("nested", source_range=span(0, 20, 24))
    nested.append(track([clip(None, 0, 50, 24)]))
    assert frames(region_of_clip(timeline([[clip(None, 0, 5, 24), nested]], rate=24), "nested")) == (5, 25)


def test_a_name_that_is_a_number_is_a_name_first(cut):
    cut.tracks[0][2].name = "2"
    assert frames(region_of_clip(cut, "2")) == (72, 100)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("A", "2 clips are called “A”; choose one by its number: 1 “A” at 01:00:00:00, 4 “A” at 01:00:03:00"),
        ("Z", "no clip “Z” on the video tracks; there is 1 “A” at 01:00:00:00, 2 “B” at"),
        (5, "no clip “5”"),
        ("0", "no clip “0”"),
    ],
)
def test_an_unknown_or_ambiguous_clip_is_refused_with_the_choice(cut, wanted, said):
    with pytest.raises(RequestError, match=said):
        region_of_clip(cut, wanted)


def test_a_clip_without_length_is_refused(cut):
    cut.tracks[0].append(clip(None, 0, 0, 24, "nothing"))
    with pytest.raises(RequestError, match="“nothing” at 01:00:04:04 has no length"):
        region_of_clip(cut, "nothing")


def test_disabled_clips_and_tracks_cannot_be_chosen(cut):
    cut.tracks[0][1].enabled = False
    cut.tracks[1].enabled = False
    assert [found.name for found in clips_of(cut)] == ["A", "A"]


def marker(start, count, note="", name="Marker 1"):
    return otio.schema.Marker(name=name, marked_range=span(start, count, 24), comment=note)


def test_a_marker_with_a_duration_is_a_region_whose_note_is_the_prompt(cut):
    cut.tracks.markers.append(marker(10, 20, "footsteps on gravel"))
    cut.tracks[0].markers.append(marker(40, 10, name="door slam"))
    found = regions_of_markers(cut)
    assert [(frames(one.region), one.prompt) for one in found] == [
        ((10, 30), "footsteps on gravel"),
        ((40, 50), "door slam"),
    ]


def test_a_clips_marker_counts_in_the_clips_media(cut):
    cut.tracks[0][1].markers.append(marker(105, 6, "splash"))  # B shows its media from frame 100, at 48
    assert [frames(one.region) for one in regions_of_markers(cut)] == [(53, 59)]


def test_a_marker_in_the_timelines_own_timecode_is_understood(cut):
    cut.tracks.markers.append(marker(86410, 20, "rain"))
    assert [frames(one.region) for one in regions_of_markers(cut)] == [(10, 30)]


def test_points_are_no_regions_and_what_reaches_past_the_end_is_cut_off(cut):
    cut.tracks.markers.extend([marker(10, 1), marker(20, 0), marker(95, 50, "thunder"), marker(500, 10)])
    assert [frames(one.region) for one in regions_of_markers(cut)] == [(95, 100)]
