"""Which file, numbered pictures or colour a clip shows, and where in it the clip's source time begins.

Resolves the references that editors write into `spec.Media`. Has a file opened only for its start timecode, and only
where the timeline does not say it. Knows nothing of decoding pictures.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from diffava_resolve.errors import MediaError
from diffava_resolve.spec import Colour, ImageSequence, Media, MovieFile
from diffava_resolve.timeline.durations import duration_s, source_start_s
from diffava_resolve.timeline.paths import local_path
from diffava_resolve.timeline.rates import exact_rate, seconds_of
from diffava_resolve.timeline.start_timecode import start_timecode_s

_STILL_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".tga", ".dpx", ".exr", ".psd", ".gif"}
_OVERLAY = re.compile(r"title|text|caption|subtitle|lower.?third|graphic|transparent|adjustment", re.IGNORECASE)
_RGB_COUNT = 3


@dataclass(frozen=True)
class ShownMedia:
    """What a clip shows: source second `zero_s` of the clip is the media's first picture; a still has no motion."""

    media: Media
    zero_s: Fraction
    is_still: bool


def is_overlay(clip: otio.schema.Clip) -> bool:
    """Whether the clip is a generated title, caption or adjustment layer, through which the shot below is seen."""
    reference = clip.media_reference
    if not isinstance(reference, otio.schema.GeneratorReference):
        return False
    return any(_OVERLAY.search(name) for name in (reference.generator_kind, reference.name, clip.name))


@dataclass
class MediaFinder:
    """Finds the media of clips, each file looked at once.

    Attributes:
        base_directory: where relative paths start, and where a file is looked for that is not at its path.
        note: told in a sentence what is shown differently from the editor.
    """

    base_directory: Path
    note: Callable[[str], None]
    _found: dict[int, tuple[otio.schema.Clip, ShownMedia]] = field(default_factory=dict)
    _timecodes: dict[Path, Fraction | None] = field(default_factory=dict)

    def of(self, clip: otio.schema.Clip, timecode: str) -> ShownMedia:
        """What the clip shows.

        Args:
            clip: a clip of the timeline.
            timecode: where on the timeline it is seen, for the message.

        Raises:
            MediaError: the clip is offline or its file is not there.
        """
        key = id(clip)
        if key not in self._found:
            self._found[key] = (clip, self._find(clip, timecode))  # holding the clip keeps its id from being reused
        return self._found[key][1]

    def _find(self, clip: otio.schema.Clip, timecode: str) -> ShownMedia:
        reference = clip.media_reference
        if isinstance(reference, otio.schema.GeneratorReference):
            return ShownMedia(self._colour(clip), Fraction(0), is_still=True)
        if isinstance(reference, otio.schema.ImageSequenceReference):
            sequence = self._sequence(clip, timecode)
            return ShownMedia(sequence, self._zero_s(clip, None), is_still=sequence.frame_count == 1)
        if not isinstance(reference, otio.schema.ExternalReference) or not reference.target_url:
            raise MediaError(
                f"The clip “{clip.name}” at {timecode} is offline: the timeline names no file for it. Relink it in the "
                "editor and export the timeline again."
            )
        path = self._existing(reference.target_url, clip, timecode)
        is_still = path.suffix.lower() in _STILL_SUFFIXES or _is_one_frame(reference)
        return ShownMedia(MovieFile(path), Fraction(0) if is_still else self._zero_s(clip, path), is_still)

    def _existing(self, url: str, clip: otio.schema.Clip, timecode: str) -> Path:
        path = local_path(url, self.base_directory)
        if path is None:
            raise MediaError(
                f"The clip “{clip.name}” at {timecode} lies on a network address, {url}; download the file, relink the "
                "clip to it in the editor and export the timeline again."
            )
        if path.exists():
            return path
        beside = self.base_directory / re.split(r"[/\\]", str(path))[-1]
        if beside.exists():
            self.note(f"{path} is not there; {beside} beside the timeline is used for “{clip.name}”.")
            return beside
        raise MediaError(
            f"The media of the clip “{clip.name}” at {timecode} is missing: there is no {path}. Bring the file or its "
            f"disk back, put the file beside the timeline, or relink the clip and export the timeline again."
        )

    def _zero_s(self, clip: otio.schema.Clip, path: Path | None) -> Fraction:
        """The source second at which the media's first picture stands.

        Where `available_range` and the shown range meet, the start of `available_range`: source time is the media's own
        timecode then. Otherwise (no `available_range`, or an editor that mixes timecode and counts from 0) the file's
        start timecode if the shown range starts after it, else 0.
        """
        start_s = source_start_s(clip)
        stop_s = start_s + duration_s(clip)
        available = clip.media_reference.available_range
        if available is not None and available.duration.value > 0:
            first_s = seconds_of(available.start_time)
            if start_s < first_s + seconds_of(available.duration) and stop_s > first_s:
                return first_s
        if start_s <= 0 or path is None:
            return Fraction(0)
        if path not in self._timecodes:
            self._timecodes[path] = start_timecode_s(path)
        timecode_s = self._timecodes[path]
        return timecode_s if timecode_s is not None and timecode_s <= start_s else Fraction(0)

    def _sequence(self, clip: otio.schema.Clip, timecode: str) -> ImageSequence:
        reference = clip.media_reference
        directory = local_path(reference.target_url_base or ".", self.base_directory)
        if directory is None or not _holds_pictures(directory, reference.name_prefix, reference.name_suffix):
            pattern = f"{reference.name_prefix}{'#' * max(1, reference.frame_zero_padding)}{reference.name_suffix}"
            raise MediaError(
                f"The pictures of the clip “{clip.name}” at {timecode} are missing: there is no {pattern} in "
                f"{directory or reference.target_url_base}. Bring them back, or relink the clip and export again."
            )
        step = max(1, reference.frame_step)
        rate = exact_rate(reference.rate)
        if reference.available_range is not None:
            count = round(seconds_of(reference.available_range.duration) * rate / step)
        else:
            count = round((source_start_s(clip) + duration_s(clip)) * rate / step)
        return ImageSequence(
            directory=directory,
            prefix=reference.name_prefix,
            suffix=reference.name_suffix,
            zero_padding=reference.frame_zero_padding,
            first_number=reference.start_frame,
            frame_count=max(1, count),
            frame_step=step,
            rate=rate,
        )

    def _colour(self, clip: otio.schema.Clip) -> Colour:
        reference = clip.media_reference
        colour = _rgb(reference.parameters.get("color", reference.parameters.get("colour")))
        if colour is None:
            colour = (0, 0, 0)
            if reference.generator_kind.lower() not in ("black", "slug"):
                kind = reference.generator_kind or "unknown"
                self.note(f"The generator “{clip.name}” ({kind}) is shown as black.")
        return Colour(colour)


def _holds_pictures(directory: Path, prefix: str, suffix: str) -> bool:
    return directory.is_dir() and any(
        path.name.startswith(prefix) and path.name.endswith(suffix) for path in directory.iterdir()
    )


def _is_one_frame(reference: otio.schema.ExternalReference) -> bool:
    available = reference.available_range
    return available is not None and 0 < available.duration.value <= 1 and available.duration.rate > 1


def _rgb(value: object) -> tuple[int, int, int] | None:
    """A colour as editors write it: `#rrggbb`, numbers from 0 to 1, or numbers from 0 to 255."""
    if isinstance(value, str) and re.fullmatch(r"#?[0-9a-fA-F]{6}", value):
        digits = value.lstrip("#")
        return (int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))
    try:
        numbers = [float(part) for part in value][:_RGB_COUNT]  # type: ignore[attr-defined]  # anything may stand here
    except (TypeError, ValueError):
        return None
    if len(numbers) < _RGB_COUNT:
        return None
    scale = 255 if max(numbers) <= 1 else 1
    red, green, blue = (min(255, max(0, round(number * scale))) for number in numbers)
    return (red, green, blue)
