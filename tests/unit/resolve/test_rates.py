from fractions import Fraction

import opentimelineio as otio
import pytest

from diffava_resolve.errors import TimelineError
from diffava_resolve.timeline.rates import (
    exact_rate,
    is_drop_frame,
    label_frame,
    rational_time,
    seconds_of,
    timeline_rate,
)
from support.timelines import clip, movie, time, timeline

FILM, VIDEO, FAST_VIDEO = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (23.976, FILM),
        (23.98, FILM),
        (23.976023976023978, FILM),
        (29.97, VIDEO),
        (59.94, FAST_VIDEO),
        (59.9401, FAST_VIDEO),
        (47.952, Fraction(48000, 1001)),
        (119.88, Fraction(120000, 1001)),
        (24.0, Fraction(24)),
        (25.0, Fraction(25)),
        (12.5, Fraction(25, 2)),
        (23.5, Fraction(47, 2)),
        (29.5, Fraction(59, 2)),
        (48000.0, Fraction(48000)),
        (90000.0, Fraction(90000)),
    ],
)
def test_a_written_rate_becomes_the_rational_rate_that_is_meant(written, meant):
    assert exact_rate(written) == meant


def test_whole_frames_are_exact_seconds_at_the_rational_rate():
    assert seconds_of(time(108000, 29.97)) == 108000 * Fraction(1001, 30000)


def test_resolves_fractional_frames_are_taken_as_the_fraction_they_were():
    assert seconds_of(time(37008.099992, 24)) == Fraction(370081, 240)


def test_fractional_seconds_keep_a_microsecond():
    assert abs(seconds_of(time(1.000123, 1)) - Fraction(1000123, 1_000_000)) < Fraction(1, 1_000_000)


@pytest.mark.parametrize(("value", "rate"), [(float("nan"), 24), (float("inf"), 24), (10, 0), (10, float("nan"))])
def test_a_time_that_is_none_is_refused_in_a_sentence(value, rate):
    with pytest.raises(TimelineError, match="a time that is none"):
        seconds_of(time(value, rate))


def test_nothing_at_no_rate_is_no_time():
    assert seconds_of(time(0, 0)) == 0


def test_seconds_go_back_to_whole_frames():
    assert rational_time(Fraction(1001, 24000) * 7, FILM) == otio.opentime.RationalTime(7, float(FILM))


def test_the_start_time_decides_the_rate_before_the_clips_do():
    cut = timeline([[clip(None, 0, 100, 24)]], rate=25, label_frame=90000)
    assert timeline_rate(cut) == 25
    assert label_frame(cut) == 90000


def test_without_a_start_time_most_items_on_the_video_tracks_decide():
    cut = timeline([[clip(None, 0, 9, 30), clip(None, 0, 9, 23.976), clip(None, 0, 9, 23.98)]])
    assert timeline_rate(cut) == FILM
    assert label_frame(cut) == 0


def test_a_start_time_in_seconds_is_no_frame_rate_but_still_the_label():
    cut = timeline([[clip(None, 0, 9, 25)]], rate=1, label_frame=3600)
    assert timeline_rate(cut) == 25
    assert label_frame(cut) == 90000


def test_audio_samples_do_not_vote_on_the_frame_rate():
    sound = otio.schema.Track(kind="Audio")
    sound.append(clip(None, 0, 48000, 48000))
    cut = timeline([sound, [clip(movie("a.mov", 24, 10), 0, 48000, 48000)]])
    assert timeline_rate(cut) == 24


def test_a_timeline_without_anything_says_that_it_has_no_rate():
    with pytest.raises(TimelineError, match="no frame rate; export one that holds at least one clip"):
        timeline_rate(timeline([]))


@pytest.mark.parametrize(
    ("rate", "label", "dropping"),
    [
        (29.97, 107892, True),  # 01:00:00;00
        (29.97, 539460, True),  # 05:00:00;00, which is a whole second without drop frame too
        (29.97, 108000, False),  # 01:00:00:00
        (29.97, 0, False),
        (59.94, 215784, True),
        (24, 86400, False),
        (23.976, 86314, False),
    ],
)
def test_a_round_drop_frame_start_gives_drop_frame_away(rate, label, dropping):
    assert is_drop_frame(timeline([[clip(None, 0, 9, rate)]], rate=rate, label_frame=label)) is dropping


@pytest.mark.parametrize("display", ["DF", "NDF"])
def test_final_cut_xml_says_whether_it_drops_frames(display):
    cut = timeline([[clip(None, 0, 9, 29.97)]], rate=29.97)
    cut.metadata["fcp_xml"] = {"timecode": {"displayformat": display}}
    assert is_drop_frame(cut) is (display == "DF")
