"""Rational rates and exact seconds from OTIO's floating-point times.

Knows nothing of timecode text (positions.py) and of regions (regions.py).
"""

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import opentimelineio as otio

from diffava_resolve.errors import TimelineError

_NTSC_NOMINAL_RATES = (12, 15, 18, 24, 30, 48, 60, 72, 90, 96, 120, 240)
_NTSC_TOLERANCE = Fraction(6, 1000)  # 23.98 is written for 23.976; the next exact rate in use, 24, is 0.024 away
_LOWEST_FRAME_RATE, _HIGHEST_FRAME_RATE = 5, 300  # outside: seconds, milliseconds, samples or ticks, not pictures


@lru_cache(maxsize=64)  # asked for every clip; a timeline knows a handful of rates
def exact_rate(rate: float) -> Fraction:
    """The rational rate that a floating-point one stands for: 23.976, 23.98 and 23.976024 are 24000/1001.

    Whole rates (24, 90000) and rates that no broadcast standard is near (12.5, 23.5) stay what they are.
    """
    if rate == int(rate):
        return Fraction(int(rate))
    nominal = round(rate * 1001 / 1000)
    ntsc = Fraction(nominal * 1000, 1001)
    if nominal in _NTSC_NOMINAL_RATES and abs(Fraction(rate) - ntsc) < _NTSC_TOLERANCE:
        return ntsc
    return Fraction(rate).limit_denominator(1001)


def nominal_rate(rate: Fraction) -> int:
    """How many frame numbers timecode gives a second: 24 at 23.976, 30 at 29.97."""
    return -(-rate.numerator // rate.denominator)


def has_drop_frame(rate: Fraction) -> bool:
    """Whether drop-frame numbering exists at this rate: 29.97, 59.94 and 119.88 (SMPTE ST 12-1 and ST 12-3)."""
    return rate.denominator == 1001 and nominal_rate(rate) % 30 == 0


def dropped_a_minute(nominal: int) -> int:
    """2 numbers at 29.97, 4 at 59.94: what a minute's count lacks of its nominal 60 seconds."""
    return nominal // 15


def drop_frame_number(count: int, nominal: int) -> int:
    """The drop-frame number, as if none were dropped, of the frame `count` after 00:00:00;00."""
    dropped = dropped_a_minute(nominal)
    in_minute = 60 * nominal - dropped
    in_ten_minutes = 10 * in_minute + dropped  # the tenth minute drops nothing
    tens, rest = divmod(count, in_ten_minutes)
    # The first minute of ten is longer than the others by `dropped`.
    minutes = 0 if rest < 60 * nominal else 1 + (rest - 60 * nominal) // in_minute
    return count + dropped * (9 * tens + minutes)


def seconds_of(time: otio.opentime.RationalTime) -> Fraction:
    """Exact seconds of an OTIO time.

    Whole values are exact. Fractional ones (Resolve writes 37008.099992) are taken as the nearest fraction with a
    denominator of at most 1000 (37008 1/10), which is within 1/2000 of a frame; where the rate counts
    seconds rather than frames, of at most a million.

    Raises:
        TimelineError: not a number, or frames at a rate of 0.
    """
    if time.value == 0:
        return Fraction(0)  # some exporters write an unknown rate as 0 here
    if not (math.isfinite(time.value) and math.isfinite(time.rate) and time.rate > 0):
        raise TimelineError(
            f"The timeline holds a time that is none: {time.value} at {time.rate} frames a second; export it again."
        )
    value = Fraction(time.value)
    if value.denominator != 1:
        value = value.limit_denominator(1000 if time.rate >= _LOWEST_FRAME_RATE else 1_000_000)
    return value / exact_rate(time.rate)


def rational_time(seconds: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    """The OTIO time of `seconds` at `rate`, whole where the seconds fall on a frame."""
    return otio.opentime.RationalTime(float(seconds * rate), float(rate))


def timeline_rate(timeline: otio.schema.Timeline) -> Fraction:
    """The frame rate in which the timeline counts.

    OTIO has no such field. The rule: the rate of `global_start_time` where the editor wrote one; otherwise the rate of
    most items on the video tracks, then of most items on the audio tracks, then of most media. Rates that cannot be
    frame rates (seconds, audio samples) do not vote.

    Raises:
        TimelineError: nothing in the timeline has a frame rate.
    """
    start = timeline.global_start_time
    if start is not None and _is_frame_rate(start.rate):
        return exact_rate(start.rate)
    for times in (_item_times(timeline.video_tracks()), _item_times(timeline.audio_tracks()), _media_times(timeline)):
        votes = Counter(exact_rate(time.rate) for time in times if _is_frame_rate(time.rate))
        if votes:
            return votes.most_common(1)[0][0]
    raise TimelineError(
        f"The timeline “{timeline.name}” has no clip and no start time, so it has no frame rate; "
        "export one that holds at least one clip."
    )


def label_frame(timeline: otio.schema.Timeline) -> int:
    """The frame number under which the timeline's first frame is labelled: 86400 for 01:00:00:00 at 24."""
    start = timeline.global_start_time
    return 0 if start is None else round(seconds_of(start) * timeline_rate(timeline))


def is_drop_frame(timeline: otio.schema.Timeline) -> bool:
    """Whether the timeline's own timecode drops frame numbers.

    OTIO has no such field. The rule, at rates where drop frame exists: what the editor itself said, where it was asked;
    what an FCP7 XML says in `displayformat`; otherwise drop frame if the timeline's first label is a whole minute in
    drop-frame numbers and not without (107892 at 29.97 is 01:00:00;00, and 00:59:56:12 otherwise), as editors label a
    drop-frame start; else non-drop. A person may still type a `;`.
    """
    rate = timeline_rate(timeline)
    if not has_drop_frame(rate):
        return False
    said = timeline.metadata.get("diffava", {})
    if "drop_frame" in said:
        return bool(said["drop_frame"])
    timecode = timeline.metadata.get("fcp_xml", {}).get("timecode", {})
    if "displayformat" in timecode:
        return bool(timecode["displayformat"] == "DF")
    label, nominal = label_frame(timeline), nominal_rate(rate)
    minute = 60 * nominal
    return label % minute != 0 and drop_frame_number(label, nominal) % minute == 0


def _is_frame_rate(rate: float) -> bool:
    return _LOWEST_FRAME_RATE <= rate <= _HIGHEST_FRAME_RATE


def _item_times(tracks: list[otio.schema.Track]) -> Iterator[otio.opentime.RationalTime]:
    for track in tracks:
        for item in track:
            if isinstance(item, otio.core.Item) and item.source_range is not None:
                yield item.source_range.duration


def _media_times(timeline: otio.schema.Timeline) -> Iterator[otio.opentime.RationalTime]:
    for clip in timeline.find_clips():
        if clip.media_reference.available_range is not None:
            yield clip.media_reference.available_range.duration
