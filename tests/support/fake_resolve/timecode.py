"""Timecode of the fake: frame numbers to labels and back, SMPTE ST 12-1. Written anew here, so that an error of the
plugin's own arithmetic is not repeated."""

from fractions import Fraction


def exact(rate):
    """24000/1001 for 23.976 and 23.98."""
    whole = round(rate)
    return Fraction(whole) if abs(rate - whole) < 0.001 else Fraction(whole * 1000, 1001)


def nominal(rate):
    """Frame numbers a second: 30 at 30000/1001."""
    return -(-rate.numerator // rate.denominator)


def label(frame, rate, drop):
    """01:00:00:00 for frame 86400 at 24; with ; where numbers are dropped."""
    base = nominal(rate)
    if drop:
        skip = base // 15
        tens, rest = divmod(frame, 600 * base - 9 * skip)
        frame += 9 * skip * tens
        if rest >= 60 * base:
            frame += skip * (1 + (rest - 60 * base) // (60 * base - skip))
    seconds, frames = divmod(frame, base)
    return "{:02d}:{:02d}:{:02d}{}{:02d}".format(
        seconds // 3600, seconds // 60 % 60, seconds % 60, ";" if drop else ":", frames
    )


def frame_of(text, rate):
    """The frame number of a label; ; or . before the frames says that numbers are dropped."""
    base = nominal(rate)
    drop = ";" in text or "." in text
    hours, minutes, seconds, frames = (int(part) for part in text.replace(";", ":").replace(".", ":").split(":"))
    count = (hours * 3600 + minutes * 60 + seconds) * base + frames
    if drop:
        whole_minutes = hours * 60 + minutes
        count -= base // 15 * (whole_minutes - whole_minutes // 10)
    return count


def rate_text(rate, kind, drop):
    """How timelineFrameRate is said."""
    text = "{:.3f}".format(float(rate)).rstrip("0").rstrip(".")
    if kind == "number":
        return float(text)
    if kind == "short text" and "." in text:
        text = "{:.2f}".format(float(rate))
    return text + (" DF" if drop else "")
