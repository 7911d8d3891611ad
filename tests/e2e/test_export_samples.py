"""Exports read by somebody else's rules, not by the adapters that wrote them: on which sample is the take heard?

Each reader here follows the format's own description: FCP7 XML counts frames of `timebase` and `ntsc`, FCPXML rational
seconds on local timelines, AAF edit units of a slot; Kdenlive's project is played by `melt` (`test_export_melt.py`).
"""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import aaf2
import numpy as np
import pytest
import soundfile

from diffava_resolve.spec import Region, sample_of_frame
from diffava_resolve.timeline.export import export_timeline
from diffava_resolve.timeline.place import place_takes
from diffava_resolve.timeline.read import read_timeline
from support.melt import STEP_OF_16_BITS, needs_melt, rendered
from support.takes import ALL_RATES, cut_of_two_shots, placed_takes

HOUR = 86_400
START, STOP = 37, 88  # 51 frames from the 37th: a whole number of samples at no NTSC rate but film


class Heard(NamedTuple):
    """A sound on the timeline: its file, where it begins and ends, and which second of the file is heard first."""

    path: Path
    start_s: Fraction
    stop_s: Fraction
    media_start_s: Fraction


def heard_in_fcp7(path: Path) -> list[Heard]:
    sequence = ElementTree.parse(path).getroot().find("project//sequence")
    rate = int(sequence.findtext("rate/timebase")) * (
        Fraction(1000, 1001) if sequence.findtext("rate/ntsc") == "TRUE" else 1
    )
    heard = []
    for item in sequence.iterfind("media/audio/track/clipitem"):
        start, stop, media = (int(item.findtext(name)) / rate for name in ("start", "end", "in"))
        first_label = int(item.findtext("file/timecode/frame") or 0) / rate  # `in` counts from the file's beginning
        assert first_label == 0
        heard.append(Heard(_path_of(item.findtext("file/pathurl")), start, stop, media))
    return heard


def heard_in_fcpx(path: Path) -> list[Heard]:
    root = ElementTree.parse(path).getroot()
    assets = {asset.get("id"): asset for asset in root.iterfind("resources/asset")}
    heard = []
    for shown in root.find("project/sequence/spine"):
        video = shown.find("video")
        if video is not None:  # what a clip shows must be there, or Final Cut shows black
            assert _s(video, "offset") == _s(video, "start") == _s(assets[video.get("ref")], "start")
            assert _s(video, "offset") <= _s(shown, "start")
            assert _s(shown, "start") + _s(shown, "duration") <= _s(video, "offset") + _s(video, "duration")
        for sound in shown.iterfind("clip"):
            start_s = _s(shown, "offset") + _s(sound, "offset") - _s(shown, "start")
            gap = sound.find("gap")
            audio = gap.find("audio")
            asset = assets[audio.get("ref")]
            into_audio_s = _s(sound, "start") - _s(gap, "offset") - (_s(audio, "offset") - _s(gap, "start"))
            media_start_s = _s(audio, "start") + into_audio_s - _s(asset, "start")
            heard.append(Heard(_path_of(asset.get("src")), start_s, start_s + _s(sound, "duration"), media_start_s))
    return heard


def heard_in_aaf(path: Path) -> list[Heard]:
    heard = []
    with aaf2.open(str(path)) as file:
        (top,) = file.content.toplevel()
        for slot in top.slots:
            if slot.segment.media_kind != "Sound":
                continue
            group = slot.segment  # the pan of a track, which holds its sequence
            (sequence,) = group.segments if hasattr(group, "segments") else [group]
            position = 0
            for component in sequence.components:
                if isinstance(component, aaf2.components.SourceClip):
                    edges = (position, position + component.length, component.start)
                    heard.append(Heard(_file_of(component), *(edge / Fraction(slot.edit_rate) for edge in edges)))
                position += component.length
    return heard


def _file_of(clip) -> Path:
    """The file at the end of a chain of mobs: composition, master, file."""
    while clip is not None:
        mob = clip.mob
        descriptor = getattr(mob, "descriptor", None)
        for locator in descriptor.locator if descriptor is not None and "Locator" in descriptor else ():
            return _path_of(locator["URLString"].value)
        slot = next(slot for slot in mob.slots if slot.slot_id == clip.slot_id)
        clip = (
            next((part for part in slot.segment.walk() if isinstance(part, aaf2.components.SourceClip)), None)
            if (hasattr(slot.segment, "walk"))
            else slot.segment
        )
    raise AssertionError("the clip leads to no file")


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _s(element: ElementTree.Element, name: str) -> Fraction:
    return Fraction(element.get(name, "0s").removesuffix("s"))


READERS = {".xml": heard_in_fcp7, ".fcpxml": heard_in_fcpx, ".aaf": heard_in_aaf}


@pytest.mark.parametrize("rate", ALL_RATES, ids=str)
@pytest.mark.parametrize("suffix", READERS)
def test_the_take_is_heard_on_the_same_sample(tmp_path, suffix, rate):
    where = Region(rate, HOUR, START, STOP)
    takes = placed_takes(tmp_path, where, count=2)
    made = place_takes(cut_of_two_shots(rate, HOUR), where, takes, tmp_path)
    export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    (heard,) = READERS[suffix](tmp_path / f"out{suffix}")
    assert heard.path == takes[0].path
    assert round(heard.start_s * 48_000) == sample_of_frame(START, rate)
    assert round(heard.stop_s * 48_000) == sample_of_frame(STOP, rate)
    assert heard.media_start_s == 0
    assert soundfile.info(heard.path).frames == sample_of_frame(STOP, rate) - sample_of_frame(START, rate)


@needs_melt
@pytest.mark.parametrize("suffix", [".otio", ".xml", ".fcpxml", ".aaf"])
def test_melt_plays_every_export_that_was_read_back_on_the_same_sample(tmp_path, suffix):
    """Another editor's file, read by us and played by melt: what is heard is the take, where it was put."""
    rate = Fraction(30000, 1001)
    where = Region(rate, 108_000, START, STOP)
    takes = placed_takes(tmp_path, where)
    made = place_takes(cut_of_two_shots(rate, 108_000), where, takes, tmp_path)
    export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    export_timeline(read_timeline(tmp_path / f"out{suffix}"), tmp_path, tmp_path / "back.kdenlive")
    audio = rendered(tmp_path / "back.kdenlive")
    take, _ = soundfile.read(takes[0].path, dtype="float32")
    assert len(audio) == sample_of_frame(200, rate)
    np.testing.assert_allclose(audio[where.start_sample : where.stop_sample], take, atol=STEP_OF_16_BITS)
    assert not audio[: where.start_sample].any()
    assert not audio[where.stop_sample :].any()
