"""Writing a timeline, as .otio or as what another editor reads, and saying what that format does not carry."""

import struct
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import aaf2.exceptions
import opentimelineio as otio

from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.files import write_whole
from diffava_resolve.timeline.conform import in_whole_frames
from diffava_resolve.timeline.fcpx_xml import fcpx_xml
from diffava_resolve.timeline.losses import losses
from diffava_resolve.timeline.media_urls import moved, with_absolute_urls
from diffava_resolve.timeline.mlt_xml import mlt_xml
from diffava_resolve.timeline.prepare import (
    told_apart,
    with_media_ranges,
    with_placeholders,
    with_possible_timecode,
    with_tracks_in_stacks,
    without_foreign_transitions,
)
from diffava_resolve.timeline.rates import timeline_rate

# The adapters are plain scripts that raise whatever they stumble over in a timeline they did not foresee.
_ADAPTER_ERRORS = (
    *(otio.exceptions.OTIOError, aaf2.exceptions.AAFError, struct.error),
    *(
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        NameError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
    ),
)


def write_otio(timeline: otio.schema.Timeline, base_directory: Path, output: Path) -> None:
    """Write a timeline that lies in `base_directory` as the .otio file `output`, whole or not at all.

    Where `output` lies in another folder, relative media paths are changed so that they still hold.

    Raises:
        OutputError: It cannot be written.
    """
    text = otio.adapters.write_to_string(moved(timeline, base_directory, output.parent), "otio_json")
    write_whole(output, lambda path: _write_text(path, text))


def export_timeline(timeline: otio.schema.Timeline, base_directory: Path, output: Path) -> tuple[str, ...]:
    """Write a timeline that lies in `base_directory` in the format that `output`'s suffix names.

    `.otioz` bundles the media that are played: of each generated clip the chosen take. The other formats get the
    media's absolute `file:` URLs, and positions in whole frames.

    Returns:
        What the file lacks of the timeline, a line each.

    Raises:
        RequestError: The format is unknown or cannot hold this timeline.
        OutputError: It cannot be written; nothing was.
    """
    suffix = output.suffix.lower()
    if suffix == ".otio":
        write_otio(timeline, base_directory, output)
        return ()
    write = WRITERS.get(suffix)
    if write is None:
        known = ", ".join((".otio", *WRITERS))
        raise RequestError(f"“{output.suffix}” is no format to export to; name the output with one of {known}.")
    rate = timeline_rate(timeline)
    lost = losses(timeline, rate, base_directory, suffix)
    absolute = with_absolute_urls(timeline, base_directory)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_whole(output, lambda path: write(absolute, rate, path))
    except _ADAPTER_ERRORS as error:
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise OutputError(
            f"{output} could not be written: the writer of {output.suffix} stumbled over this timeline ({first_line}). "
            "Nothing was left half-written; export to .otio, which holds everything."
        ) from error
    return lost


def _write_otioz(timeline: otio.schema.Timeline, rate: Fraction, path: Path) -> None:
    path.unlink()  # the adapter refuses to write where something is
    otio.adapters.write_to_file(timeline, str(path), "otioz", media_policy="MissingIfNotFile")


def _write_fcp_xml(timeline: otio.schema.Timeline, rate: Fraction, path: Path) -> None:
    shown = with_possible_timecode(with_tracks_in_stacks(timeline))
    shown = told_apart(with_placeholders(shown, otio.schema.ImageSequenceReference))
    counted = with_media_ranges(in_whole_frames(shown, rate, float(rate)))
    _write_text(path, otio.adapters.write_to_string(counted, "fcp_xml"))


def _write_fcpx_xml(timeline: otio.schema.Timeline, rate: Fraction, path: Path) -> None:
    _write_text(path, fcpx_xml(timeline, rate))


def _write_aaf(timeline: otio.schema.Timeline, rate: Fraction, path: Path) -> None:
    shown = without_foreign_transitions(with_tracks_in_stacks(timeline))
    shown = with_placeholders(shown, otio.schema.GeneratorReference, otio.schema.ImageSequenceReference)
    counted = with_media_ranges(in_whole_frames(shown, rate, float(rate)))
    otio.adapters.write_to_file(counted, str(path), "AAF", use_empty_mob_ids=True)


def _write_mlt_xml(timeline: otio.schema.Timeline, rate: Fraction, path: Path) -> None:
    _write_text(path, mlt_xml(timeline, rate))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


WRITERS: dict[str, Callable[[otio.schema.Timeline, Fraction, Path], None]] = {
    ".otioz": _write_otioz,
    ".xml": _write_fcp_xml,
    ".fcpxml": _write_fcpx_xml,
    ".aaf": _write_aaf,
    ".kdenlive": _write_mlt_xml,
    ".mlt": _write_mlt_xml,
}
