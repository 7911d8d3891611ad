"""MLT XML, which Kdenlive, Shotcut and `melt` read, exact to the frame at every rate.

The Kdenlive adapter writes clock times in milliseconds and is up to a frame off past a minute at 23.976 and the like.
It is given the same frames at the next whole rate, where its clock is exact, and its clock times are written back as
the frame numbers they stand for. Media are counted from 0, since MLT knows no timecode of theirs.
"""

import contextlib
import io
import re
from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio

from diffava_resolve.timeline.conform import in_whole_frames
from diffava_resolve.timeline.prepare import from_zero, without_nested
from diffava_resolve.timeline.rates import nominal_rate

_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d\.\d{3})")
_KDENLIVE_INTERNAL = "237"  # Kdenlive's mark for a transition that it manages itself
_NO_LIMIT_FRAMES = str(2**31 - 1)


def mlt_xml(timeline: otio.schema.Timeline, rate: Fraction) -> str:
    """The text of an .mlt or .kdenlive file; media paths must be absolute.

    Raises:
        Whatever the adapter stumbles over.
    """
    nominal = nominal_rate(rate)
    counted = from_zero(in_whole_frames(without_nested(timeline), rate, float(nominal)))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints an advertisement
        text = otio.adapters.write_to_string(counted, "kdenlive")
    root = ElementTree.fromstring(text)
    _restore_rate(root, rate)
    for element in root.iter():
        for name in ("in", "out", "length"):
            if clock := _CLOCK.fullmatch(element.get(name, "")):
                element.set(name, str(_frames_of(clock, nominal)))
    _end_with_timeline(root, round(counted.duration().value))
    _mix_audio_tracks(root, counted)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _frames_of(clock: re.Match[str], nominal: int) -> int:
    hours, minutes, seconds = clock.groups()
    return round((int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)) * nominal)


def _restore_rate(root: ElementTree.Element, rate: Fraction) -> None:
    profile = root.find("profile")
    if profile is None:
        raise ValueError("the adapter wrote no profile")
    profile.set("frame_rate_num", str(rate.numerator))
    profile.set("frame_rate_den", str(rate.denominator))
    profile.set("description", f"HD 1080p {float(rate):.6g} fps")


def _end_with_timeline(root: ElementTree.Element, frame_count: int) -> None:
    """Let the black background end where the timeline does; by itself it runs for 15000 frames."""
    black = root.find("producer[@id='black_track']")
    if black is None:
        raise ValueError("the adapter wrote no background")
    black.set("in", "0")
    black.set("out", str(frame_count - 1))
    _add_properties(black, {"length": _NO_LIMIT_FRAMES, "eof": "continue", "set.test_audio": "0"})


def _mix_audio_tracks(root: ElementTree.Element, timeline: otio.schema.Timeline) -> None:
    """Add the mix of each audio track, as Kdenlive itself writes it; without one, only one track is heard."""
    tractor = root.findall("tractor")[-1]
    for number, track in enumerate(timeline.tracks, 1):  # track 0 is the background
        if track.kind == otio.schema.TrackKind.Audio:
            mix = ElementTree.SubElement(tractor, "transition", id=f"mix{number}")
            _add_properties(
                mix,
                {
                    "a_track": "0",
                    "b_track": str(number),
                    "mlt_service": "mix",
                    "kdenlive_id": "mix",
                    "internal_added": _KDENLIVE_INTERNAL,
                    "always_active": "1",
                    "accepts_blanks": "1",
                    "sum": "1",
                },
            )


def _add_properties(element: ElementTree.Element, properties: dict[str, str]) -> None:
    for name, value in properties.items():
        ElementTree.SubElement(element, "property", name=name).text = value
