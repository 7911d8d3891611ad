"""Hits that a person types or marks: the frames they mean, at every rate, in clips, tracks and nested stacks."""

from dataclasses import replace
from fractions import Fraction

import opentimelineio as otio
import pytest

from diffava_resolve.errors import RequestError
from diffava_resolve.timeline.given_hits import hits_of_markers, hits_of_text
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from support.timelines import clip, gap, movie, span, timeline, track

NTSC = Fraction(30000, 1001)


@pytest.fixture
def cut():
    """A track at 24 from 01:00:00:00: A shows its media from frame 1000, B from 100."""
    media = movie("a.mov", 24, 2000)
    return timeline([[clip(media, 1000, 48, 24, "A"), clip(media, 100, 52, 24, "B")]], rate=24, label_frame=86400)


def point(frame, rate=24, count=1):
    return otio.schema.Marker(marked_range=span(frame, count, rate))


def test_typed_hits_are_frames_in_the_timelines_own_numbering(cut):
    region = region_of_range(cut, "f10", "f90")
    assert hits_of_text("01:00:01:05, f10,3.5s", [region]) == (10, 29, 84)


def test_a_hit_twice_is_one_hit_and_their_order_does_not_matter(cut):
    assert hits_of_text("f40,f20,f40", [region_of_timeline(cut)]) == (20, 40)


def test_a_semicolon_in_one_means_drop_frame_in_all():
    region = region_of_timeline(timeline([[clip(None, 0, 4000, 29.97)]], rate=29.97))
    assert hits_of_text("00:01:00;02,00:01:01:00", [region]) == (1800, 1828)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" , ", "There is no hit in --hits; give positions with commas"),
        ("f9", "The hit f9 lies outside the range, which runs from 01:00:00:10 to 01:00:03:18 .80 frames at 24.; give"),
        ("f90", "The hit f90 lies outside the range"),
        ("f20,soon", "“soon” is not a position"),
    ],
)
def test_hits_that_cannot_be_are_refused(cut, text, said):
    with pytest.raises(RequestError, match=said):
        hits_of_text(text, [region_of_range(cut, "f10", "f90")])


def test_a_hit_may_lie_in_any_of_several_regions(cut):
    regions = [region_of_range(cut, "f0", "f10"), region_of_range(cut, "f20", "f30")]
    assert hits_of_text("f25,f5", regions) == (5, 25)
    with pytest.raises(RequestError, match="f15 lies outside"):
        hits_of_text("f15", regions)


def test_markers_of_the_timeline_the_track_and_the_clip_are_hits_where_they_are_seen(cut):
    cut.tracks.markers.extend([point(12), point(86430)])  # the second in the timeline's own timecode
    cut.tracks[0].markers.append(point(40, count=5))
    cut.tracks[0][1].markers.append(point(105))  # B shows frame 100 at 48
    assert hits_of_markers(cut, [region_of_timeline(cut)]) == (12, 30, 40, 53)


def test_markers_outside_the_range_or_of_what_was_trimmed_away_are_none(cut):
    cut.tracks.markers.extend([point(9), point(10), point(90)])
    cut.tracks[0][1].markers.extend([point(99), point(170)])  # before and after what B shows
    assert hits_of_markers(cut, [region_of_range(cut, "f10", "f90")]) == (10,)


def test_a_marker_in_a_nested_stack_is_heard_where_it_is_seen():
    inner = track([gap(10, 24), clip(movie("a.mov", 24, 500, 86400), 86450, 60, 24)])
    inner.markers.append(point(30))
    inner[1].markers.extend([point(86460), point(86500)])  # 10 and 50 into the clip
    stack = otio.schema.Stack("nest", [inner], source_range=span(5, 40, 24))
    stack.markers.append(point(7))
    cut = timeline([[gap(100, 24), stack]], rate=24)
    # The stack's frame 5 is seen at 100: its own 7 at 102, the track's 30 at 125, the clip's 10 at 115, its 50 never.
    assert hits_of_markers(cut, [region_of_timeline(cut)]) == (102, 115, 125)


def test_the_markers_of_linked_picture_and_sound_are_one_hit(cut):
    sound = track([cut.tracks[0][0].deepcopy()], "Audio 1", "Audio")
    cut.tracks.append(sound)
    for owner in (cut.tracks[0][0], sound[0]):
        owner.markers.append(point(1020))
    assert hits_of_markers(cut, [region_of_timeline(cut)]) == (20,)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), NTSC, Fraction(60000, 1001)])
def test_a_clips_marker_is_exact_after_an_hour_at_every_rate(rate):
    """Floats of seconds, or clips at rates of their own, would put it a frame off somewhere."""
    hour = 3600 * round(rate)
    media = movie("a.mov", rate, hour, first=10 * hour)
    cut = timeline([[clip(media, 10 * hour, hour - 7, rate), clip(media, 10 * hour, 100, rate)]], rate=rate)
    cut.tracks[0][1].markers.append(point(10 * hour + 33, rate))
    assert hits_of_markers(cut, [region_of_timeline(cut)]) == (hour - 7 + 33,)


def test_markers_that_stand_for_regions_can_be_left_out(cut):
    cut.tracks.markers.extend([point(10, count=20), point(15), point(20, count=0)])
    region = replace(region_of_timeline(cut), start_frame=10, stop_frame=30)
    assert hits_of_markers(cut, [region], points_only=True) == (15, 20)


def test_no_marker_is_refused(cut):
    cut.tracks.markers.append(point(10))
    with pytest.raises(RequestError, match=r"no marker inside the range from 01:00:01:00 on .*; set markers there"):
        hits_of_markers(cut, [region_of_range(cut, "f24", "f48")])
