"""Reading a timeline file of any editor into OTIO, or one sentence that says why not.

Knows nothing of what the timeline holds: rates, regions and pictures are the business of the other files here.
"""

import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aaf2.exceptions
import opentimelineio as otio

from diffava_resolve.errors import TimelineError
from diffava_resolve.timeline.dialects import READERS

# The adapters parse foreign files and raise whatever they stumble over, from KeyError in a truncated XML to
# struct.error in a broken AAF; each means the same to the editor.
_PARSER_ERRORS = (
    *(otio.exceptions.OTIOError, aaf2.exceptions.AAFError, zipfile.BadZipFile, zlib.error, struct.error),
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError),
    *(OSError, RuntimeError, SyntaxError, TypeError, ValueError),
)


def read_timeline(path: Path) -> otio.schema.Timeline:
    """Read a timeline: OTIO (.otio, .json, .otioz, .otiod), FCP7 .xml, .fcpxml, .aaf or .edl, by suffix.

    A bundle (.otioz) is unpacked once into `NAME.otioz-….otiod` beside it, since a result that points into it must
    still play tomorrow. An EDL does not say its rate: the lowest of 24, 25, 30, 50 and 60 that all its frame numbers
    fit is taken, or of 29.97 and 59.94 if they drop frames. A newer OTIO file is read as far as this version knows its
    schemas. A file that holds a collection with exactly one timeline counts as that timeline.

    Raises:
        TimelineError: missing, unreadable, truncated, empty, of an unknown kind, or not a timeline.
    """
    _refuse_what_is_no_file(path)
    suffix = path.suffix.lower()
    try:
        with _quiet_adapters():
            found = READERS[suffix](path)
    except _PARSER_ERRORS as error:
        raise TimelineError(
            f"The timeline {path} cannot be read as {suffix}: {_first_line(error)}. The file may be truncated or of a "
            "newer format; export it again from the editor."
        ) from error
    return _only_timeline(found, path)


def _refuse_what_is_no_file(path: Path) -> None:
    if not path.exists():
        raise TimelineError(f"There is no timeline at {path}; check the path.")
    if path.is_dir() and path.suffix.lower() != ".otiod":
        raise TimelineError(f"{path} is a folder; name the timeline file inside it.")
    if path.suffix.lower() not in READERS:
        ending = f"ends in “{path.suffix}”" if path.suffix else "has no ending"
        raise TimelineError(
            f"{path} is not a timeline that can be read: its name {ending}, and the known endings are "
            f"{', '.join(READERS)}."
        )
    if path.is_file() and path.stat().st_size == 0:
        raise TimelineError(f"The timeline {path} is empty (0 bytes); export it again from the editor.")
    if not os.access(path, os.R_OK):
        raise TimelineError(f"The timeline {path} may not be read; change its permissions.")


def _only_timeline(found: Any, path: Path) -> otio.schema.Timeline:
    if isinstance(found, otio.schema.Timeline):
        return found
    if isinstance(found, otio.schema.SerializableCollection):
        timelines = list(found.find_children(descended_from_type=otio.schema.Timeline))
        if len(timelines) == 1:
            return timelines[0]
        names = ", ".join(f"“{timeline.name}”" for timeline in timelines)
        inside = f"{len(timelines)} timelines ({names})" if timelines else "no timeline"
        raise TimelineError(f"{path} is a collection with {inside}; export one timeline alone.")
    if isinstance(found, otio.core.SerializableObject):
        kind = found.schema_name()
        raise TimelineError(f"{path} holds a {kind}, not a timeline; export the whole timeline from the editor.")
    raise TimelineError(f"{path} holds no OTIO object; export the timeline from the editor again.")


@contextmanager
def _quiet_adapters() -> Iterator[None]:
    """Keep the adapters' own log lines (pyaaf2 warns of every 0/0 fraction) off the editor's terminal."""
    root = logging.getLogger()
    disabled_level = root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled_level)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
