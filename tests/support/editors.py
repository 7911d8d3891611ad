"""Desks to work at: the same cut in each kind of editor, and what really is on its timeline, read by other code.

A desk has 2000 frames of picture clips, with dialogue below them, at any rate and label.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from diffava_resolve.editor.file_editor import FileEditor
from diffava_resolve.editor.resolve_editor import ResolveEditor
from diffava_resolve.spec import Region
from support.fake_resolve import FakeResolve, profile
from support.timelines import clip, gap, movie, timeline, track

FRAMES = 2_000


@dataclass(frozen=True)
class Heard:
    """One of our clips that is heard: where, which file, and the file's sample with which it begins."""

    track: str
    start_frame: int
    frames: int
    wav: Path
    rate: Fraction
    first_sample: int = 0

    @property
    def start_sample(self) -> int:
        return round(self.start_frame * 48_000 / self.rate)


@dataclass
class FileDesk:
    """The cut in an .otio."""

    editor: FileEditor
    output: Path
    source: Path

    def _timeline(self) -> Any:
        return otio.adapters.read_from_file(str(self.output if self.output.exists() else self.source))

    def others(self) -> str:
        cut = self._timeline()
        kept = [json.loads(one.to_json_string()) for one in cut.tracks if not one.name.startswith("Foley")]
        return json.dumps([kept, str(cut.global_start_time), cut.name], sort_keys=True)

    def heard(self) -> list[Heard]:
        cut, found = self._timeline(), []
        for one in (each for each in cut.tracks if each.name.startswith("Foley")):
            for item in one.find_clips():
                place, rate = item.range_in_parent(), Fraction(item.source_range.duration.rate)
                rate = Fraction(round(rate)) if rate == round(rate) else Fraction(round(rate) * 1000, 1001)
                left = item.source_range.start_time.value
                wav = self.output.parent / item.media_reference.target_url
                numbers = (round(place.start_time.value), round(place.duration.value))
                found.append(Heard(one.name, *numbers, wav.resolve(), rate, round(left * 48_000 / rate)))
        return found

    def lock(self, name: str) -> None:
        cut = self._timeline()
        next(one for one in cut.tracks if one.name == name).metadata["Resolve_OTIO"] = {"Locked": True}
        otio.adapters.write_to_file(cut, str(self.output if self.output.exists() else self.source))

    def trim(self, frames: int) -> None:
        """Take frames off the front of our one clip, as an editor does."""
        cut = self._timeline()
        [one] = [each for each in cut.tracks if each.name == "Foley"]
        [item] = one.find_clips()
        rate = item.source_range.duration.rate
        shown = item.source_range
        item.source_range = otio.opentime.TimeRange(
            shown.start_time + otio.opentime.RationalTime(frames, rate),
            shown.duration - otio.opentime.RationalTime(frames, rate),
        )
        one.insert(one.index(item), gap(frames, rate))
        otio.adapters.write_to_file(cut, str(self.output))


@dataclass
class ResolveDesk:
    """The cut in a Resolve as the fake plays it."""

    fake: FakeResolve
    editor: ResolveEditor
    _others: list[Any] = field(default_factory=list)

    def others(self) -> str:
        seen = self.fake.seen()
        tracks = {
            kind: [one for one in all_of if not one[0].startswith("Foley")] for kind, all_of in seen["tracks"].items()
        }
        return json.dumps([tracks, seen["markers"]], sort_keys=True)

    def heard(self) -> list[Heard]:
        cut, found = self.fake.timeline, []
        for one in cut._tracks["audio"]:
            for item in one.items if one.name.startswith("Foley") and one.enabled else ():
                if item._enabled:
                    start = item._start - cut._start_frame
                    first = Fraction(item._first) * 48_000 / item._media._rate
                    found.append(
                        Heard(one.name, start, item._duration, Path(item._media._path), cut._rate, round(first))
                    )
        return found

    def lock(self, name: str) -> None:
        next(one for one in self.fake.timeline._tracks["audio"] if one.name == name).locked = True

    def trim(self, frames: int) -> None:
        [one] = [each for each in self.fake.timeline._tracks["audio"] if each.name == "Foley"]
        for each in (one, *(other for other in self.fake.timeline._tracks["audio"] if other.name == "Foley takes")):
            for item in each.items:
                item._start, item._duration, item._first = (
                    item._start + frames,
                    item._duration - frames,
                    item._first + frames,
                )


def file_desk(
    folder: Path, rate: Fraction, label_frame: int, drop: bool = False, markers: tuple = (), clips: int = 20
) -> FileDesk:
    shots = [clip(movie(f"/nowhere/shot-{n}.mov", rate, 300, 50), 60, FRAMES // clips, rate) for n in range(clips)]
    talk = [gap(30, rate), clip(movie("/nowhere/talk.wav", rate, 900), 0, 40, rate), gap(25, rate)]
    tracks = [track(shots, "Video 1"), track(talk, "Audio 1", "Audio")]
    cut = timeline(tracks, rate, label_frame)
    if drop:
        cut.metadata["fcp_xml"] = {"timecode": {"displayformat": "DF"}}
    for start, count, note in markers:
        marked = otio.opentime.TimeRange(*(otio.opentime.RationalTime(value, float(rate)) for value in (start, count)))
        cut.tracks.markers.append(otio.schema.Marker(name="Marker 1", marked_range=marked, comment=note))
    source, output = folder / "cut.otio", folder / "out.otio"
    otio.adapters.write_to_file(cut, str(source))
    return FileDesk(FileEditor(source, output), output, source)


def resolve_desk(
    folder: Path,
    version: str,
    rate: Fraction,
    label_frame: int,
    drop: bool = False,
    markers: tuple = (),
    clips: int = 20,
    through: Callable[[Any], Any] = lambda resolve: resolve,
    **settings: Any,
) -> ResolveDesk:
    """`through` gives the editor another object than Resolve's own: a proxy of it."""
    fake = FakeResolve(profile(version), rate, label_frame, drop, **settings)
    for number in range(clips):
        long = FRAMES // clips
        fake.add_clip("video", 1, f"/nowhere/shot-{number}.mov", number * long, long, first=10)
    fake.add_clip("audio", 1, "/nowhere/talk.wav", 30, 40)
    for start, count, note in markers:
        fake.timeline.AddMarker(start, "Blue", "Marker 1", note, count)
    clock = iter(range(10**6))
    editor = ResolveEditor(through(fake.resolve), folder / "media", clock_s=lambda: next(clock), sleep=lambda _: None)
    return ResolveDesk(fake, editor)


def region(rate: Fraction, label_frame: int, start: int, stop: int, drop: bool = False) -> Region:
    return Region(rate, label_frame, start, stop, drop)
