from fractions import Fraction

import pytest

from diffava_resolve.errors import RequestError
from diffava_resolve.timeline.positions import format_timecode, parse_position

FILM, VIDEO, FAST_VIDEO = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
RATES = [FILM, Fraction(24), Fraction(25), VIDEO, Fraction(30), Fraction(48), Fraction(50), FAST_VIDEO, Fraction(60)]


@pytest.mark.parametrize(
    ("text", "rate", "label", "frame"),
    [
        ("01:00:05:00", Fraction(24), 86400, 120),
        ("01:00:05:00", FILM, 86400, 120),  # numbers count 24 a second at 23.976
        ("01:00:00:24", Fraction(25), 90000, 24),
        ("01:00:00:00", VIDEO, 108000, 0),
        ("00:01:00;02", VIDEO, 0, 1800),
        ("00:10:00;00", VIDEO, 0, 17982),
        ("01:00:00;00", VIDEO, 0, 107892),
        ("00:01:00;04", FAST_VIDEO, 0, 3600),
        ("01:00:00;00", FAST_VIDEO, 0, 215784),
        ("00:00:01:119", Fraction(120), 0, 239),
        ("00:59:59:23", Fraction(24), 86400, -1),
        ("f0", Fraction(24), 86400, 0),
        ("f123", VIDEO, 107892, 123),
        ("5.2s", Fraction(25), 90000, 130),
        ("5.2s", FILM, 0, 125),  # 124.675 frames
        ("0.5s", Fraction(25), 0, 13),  # 12.5 frames: halves upwards
        (" 1s ", Fraction(30), 0, 30),
    ],
)
def test_a_typed_position_is_a_frame_from_the_timelines_first(text, rate, label, frame):
    assert parse_position(text, rate, label) == frame


def test_colons_mean_drop_frame_numbers_where_the_timeline_drops():
    assert parse_position("01:00:00:00", VIDEO, 107892, drop_frame=True) == 0


@pytest.mark.parametrize(
    ("text", "rate", "said"),
    [
        ("00:01:00;00", VIDEO, "does not exist.*first 2 frame numbers.*nearest is 00:01:00;02"),
        ("00:11:00;03", FAST_VIDEO, "does not exist.*first 4 frame numbers.*nearest is 00:11:00;04"),
        ("00:00:01:24", FILM, "numbered 00 to 23; the nearest is 00:00:01:23"),
        ("00:61:00:00", Fraction(24), "minutes and seconds go from 00 to 59"),
        ("00:00:05;00", Fraction(25), "exists only at 29.97.*Write it with colons: 00:00:05:00"),
        ("tomorrow", Fraction(24), "not a position.*01:00:05:00.*f123.*5.2s"),
        ("-5", Fraction(24), "not a position"),
        ("5", Fraction(24), "not a position"),
        ("", Fraction(24), "not a position"),
        ("1:2:3:4", Fraction(24), "not a position"),
        ("f1.5", Fraction(24), "not a position"),
    ],
)
def test_a_position_that_cannot_be_says_what_would_do(text, rate, said):
    with pytest.raises(RequestError, match=said):
        parse_position(text, rate, 86400)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("drop_frame", [False, True])
def test_a_timecode_reads_back_as_its_frame_at_every_rate(rate, drop_frame):
    near_ten_minutes = range(round(595 * rate), round(605 * rate))
    near_one_minute = range(round(58 * rate), round(62 * rate))
    for frame in (0, *near_one_minute, *near_ten_minutes):
        text = format_timecode(frame, rate, 107892, drop_frame)
        assert parse_position(text, rate, 107892) == frame


def test_drop_frame_timecode_keeps_up_with_the_clock():
    """17982 frames in each ten minutes at 29.97 and 35964 at 59.94 (SMPTE ST 12-1)."""
    assert format_timecode(17982 * 60, VIDEO, 0, True) == "10:00:00;00"
    assert format_timecode(35964 * 60, FAST_VIDEO, 0, True) == "10:00:00;00"


def test_the_digits_are_in_the_timelines_own_numbering():
    assert format_timecode(1125, Fraction(24), 86400, False) == "01:00:46:21"
    assert format_timecode(1800, VIDEO, 107892, True) == "01:01:00;02"
    assert format_timecode(25, Fraction(25), 0, True) == "00:00:01:00"  # 25 knows no drop frame
