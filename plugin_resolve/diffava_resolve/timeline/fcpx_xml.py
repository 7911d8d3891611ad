"""FCPXML for Final Cut Pro, at every rate that Final Cut has.

The adapter refuses 23.976, 29.97 and 59.94. It is given the same frames at the next whole rate, and every time in
what it has written, all of them rational seconds, is then made 1001/1000 as long.
"""

import re
from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio

from diffava_resolve.errors import RequestError
from diffava_resolve.timeline.conform import in_whole_frames
from diffava_resolve.timeline.prepare import with_media_ranges, with_placeholders, with_tracks_in_stacks
from diffava_resolve.timeline.rates import nominal_rate
from diffava_resolve.timeline.tracks import frames

UNREADABLE_MEDIA = (otio.schema.GeneratorReference, otio.schema.ImageSequenceReference)
_KNOWN_NOMINAL_RATES = (24, 25, 30, 50, 60)
_TIME = re.compile(r"(\d+)(?:/(\d+))?s")
_TIME_ATTRIBUTES = ("offset", "start", "duration", "frameDuration")


def fcpx_xml(timeline: otio.schema.Timeline, rate: Fraction) -> str:
    """The text of an .fcpxml file; media paths must be absolute URLs.

    Raises:
        RequestError: Final Cut has no such rate.
        Whatever the adapter stumbles over.
    """
    nominal = nominal_rate(rate)
    if nominal not in _KNOWN_NOMINAL_RATES:
        raise RequestError(f"FCPXML has no {float(rate):.6g} frames a second; export to .otio, .xml or .aaf instead.")
    shown = with_placeholders(with_tracks_in_stacks(timeline), *UNREADABLE_MEDIA)
    counted = with_media_ranges(in_whole_frames(shown, rate, float(nominal)))
    _give_audio_a_spine(counted, float(nominal))
    text = otio.adapters.write_to_string(counted, "fcpx_xml")
    longer = nominal / rate  # 1, or 1001/1000
    root = ElementTree.fromstring(text)
    for element in root.iter():
        for name in _TIME_ATTRIBUTES:
            if time := _TIME.fullmatch(element.get(name, "")):
                element.set(name, _time(Fraction(int(time[1]), int(time[2] or 1)) * longer))
    _put_media_where_clips_look(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{body}\n'


def _put_media_where_clips_look(root: ElementTree.Element) -> None:
    """Let what is in a clip begin where its media's timecode does, as the clip's own `start` counts.

    By Apple's "Timing Attributes" a clip shows its local timeline from `start` on, and what it holds lies there at its
    `offset`. The adapter puts everything at offset 0, where a clip of media with a timecode never looks.
    """
    starts = {asset.get("id"): asset.get("start", "0s") for asset in root.iterfind("resources/asset")}
    for clip in root.iter("clip"):
        for held in clip:
            media = held if held.tag == "video" else held.find("audio") if held.tag == "gap" else None
            start = "0s" if media is None else starts.get(media.get("ref"), "0s")
            if media is not None and start != "0s":
                held.set("offset", start)
                media.set("start", start)


def _time(seconds: Fraction) -> str:
    return f"{seconds.numerator}s" if seconds.denominator == 1 else f"{seconds.numerator}/{seconds.denominator}s"


def _give_audio_a_spine(timeline: otio.schema.Timeline, rate: float) -> None:
    """Make the first video track as long as the timeline: audio hangs on it, and what hangs on nothing is a crash."""
    spine = next(iter(timeline.video_tracks()), None)
    if spine is None:
        spine = otio.schema.Track(name="Video 1", kind=otio.schema.TrackKind.Video)
        timeline.tracks.insert(0, spine)
    missing = round(timeline.duration().value) - (round(spine.duration().value) if len(spine) else 0)
    if missing > 0:
        spine.append(otio.schema.Gap(duration=frames(missing, rate)))
