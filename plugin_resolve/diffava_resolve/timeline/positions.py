"""Positions that people type (timecode, frames, seconds) and the timecode that they read back.

A position is a frame counted from the timeline's first, which is frame 0. Knows nothing of OTIO.
"""

import re
from fractions import Fraction

from diffava_resolve.errors import RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.rates import drop_frame_number, dropped_a_minute, has_drop_frame, nominal_rate

_TIMECODE = re.compile(r"(\d{1,2})([:;])(\d{2})([:;])(\d{2})([:;])(\d{2,3})")
_FRAMES = re.compile(r"f(\d+)")
_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)s")


def is_dropping_text(text: str) -> bool:
    """Whether someone who types this asks for drop-frame numbering."""
    return ";" in text


def parse_position(text: str, rate: Fraction, label_frame: int, *, drop_frame: bool = False) -> int:
    """The timeline frame that a person means, counted from the timeline's first frame.

    `01:00:05:00` is in the timeline's own numbering; a `;` in it selects drop-frame numbers, and in a timeline known to
    be drop frame a `:` means them too. `f123` counts from the timeline's first frame, which is `f0`. `5.2s` counts from
    the timeline's start and takes the nearest frame, halves upwards.

    Args:
        text: what was typed.
        rate: the timeline's frame rate.
        label_frame: the number of the timeline's first frame (86400 for 01:00:00:00 at 24).
        drop_frame: whether the timeline's own timecode drops frame numbers.

    Returns:
        The frame; negative for a timecode before the timeline's start. Whether it lies inside is the caller's question.

    Raises:
        RequestError: not a position, or a timecode that does not exist at this rate.
    """
    typed = text.strip()
    if match := _FRAMES.fullmatch(typed):
        return int(match[1])
    if match := _SECONDS.fullmatch(typed):
        return int(Fraction(match[1]) * rate + Fraction(1, 2))
    if match := _TIMECODE.fullmatch(typed):
        hours, minutes, seconds, frames = (int(match[group]) for group in (1, 3, 5, 7))
        dropping = drop_frame or is_dropping_text(typed)
        return _label_of_timecode(typed, (hours, minutes, seconds, frames), rate, dropping) - label_frame
    example = format_timecode(round(5 * rate), rate, label_frame, drop_frame)
    raise RequestError(
        f"“{text}” is not a position on the timeline; write a timecode such as {example}, a frame such as f123 "
        "(the first is f0) or seconds such as 5.2s."
    )


def format_timecode(frame: int, rate: Fraction, label_frame: int, drop_frame: bool) -> str:
    """The timecode of a timeline frame: `01:00:05:00`, or `01:00:05;00` with drop frame. Hours do not wrap at 24."""
    count = frame + label_frame
    dropping = drop_frame and has_drop_frame(rate)
    nominal = nominal_rate(rate)
    number = drop_frame_number(abs(count), nominal) if dropping else abs(count)
    return ("-" if count < 0 else "") + _digits(number, nominal, dropping)


def _label_of_timecode(typed: str, parts: tuple[int, int, int, int], rate: Fraction, dropping: bool) -> int:
    """The count of frames since 00:00:00:00 that a timecode stands for."""
    hours, minutes, seconds, frames = parts
    nominal = nominal_rate(rate)
    if dropping and not has_drop_frame(rate):
        raise RequestError(
            f"“{typed}” is a drop-frame timecode, which exists only at 29.97, 59.94 and 119.88 frames a second; this "
            f"timeline runs at {float(rate):.6g}. Write it with colons: {typed.replace(';', ':')}."
        )
    if minutes > 59 or seconds > 59:
        raise RequestError(f"“{typed}” is no timecode: minutes and seconds go from 00 to 59.")
    first_number = ((hours * 60 + minutes) * 60 + seconds) * nominal
    if frames >= nominal:
        nearest = _digits(first_number + nominal - 1, nominal, dropping)
        raise RequestError(
            f"“{typed}” is no timecode at {float(rate):.6g} frames a second, where a second's frames are numbered 00 "
            f"to {nominal - 1}; the nearest is {nearest}."
        )
    if not dropping:
        return first_number + frames
    dropped = dropped_a_minute(nominal)
    if minutes % 10 and not seconds and frames < dropped:
        nearest = _digits(first_number + dropped, nominal, dropping)
        raise RequestError(
            f"“{typed}” does not exist: drop-frame timecode leaves out the first {dropped} frame numbers of every "
            f"minute but each tenth. The nearest is {nearest}."
        )
    total_minutes = hours * 60 + minutes
    return first_number + frames - dropped * (total_minutes - total_minutes // 10)


def _digits(number: int, nominal: int, dropping: bool) -> str:
    seconds, frames = divmod(number, nominal)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    width = 3 if nominal > 100 else 2
    return f"{hours:02}:{minutes:02}:{seconds:02}{';' if dropping else ':'}{frames:0{width}}"


def format_region(region: Region) -> str:
    """`01:00:02:00 to 01:00:05:12`, in the timeline's own numbering."""
    return " to ".join(
        format_timecode(frame, region.rate, region.label_frame, region.drop_frame)
        for frame in (region.start_frame, region.stop_frame)
    )
