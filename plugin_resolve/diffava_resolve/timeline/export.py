"""Writing a timeline, as .otio or as what another editor reads, and saying what that format does not carry."""

from pathlib import Path

import opentimelineio as otio

from diffava_resolve.timeline.files import write_whole
from diffava_resolve.timeline.media_urls import moved


def write_otio(timeline: otio.schema.Timeline, base_directory: Path, output: Path) -> None:
    """Write a timeline that lies in `base_directory` as the .otio file `output`, whole or not at all.

    Where `output` lies in another folder, relative media paths are changed so that they still hold.

    Raises:
        OutputError: It cannot be written.
    """
    text = otio.adapters.write_to_string(moved(timeline, base_directory, output.parent), "otio_json")
    write_whole(output, lambda path: _write_text(path, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
