"""Reading a timeline file of any editor into OTIO, or one sentence that says why not.

Knows nothing of what the timeline holds: rates, regions and pictures are the business of the other files here.
"""

import json
import logging
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aaf2.exceptions
import opentimelineio as otio

from diffava_resolve.errors import TimelineError

READABLE_SUFFIXES = (".otio", ".json", ".otioz", ".otiod", ".xml", ".fcpxml", ".aaf", ".edl")
# The adapters parse foreign files and raise whatever they stumble over, from KeyError in a truncated XML to
# struct.error in a broken AAF; each means the same to the editor.
_PARSER_ERRORS = (
    *(otio.exceptions.OTIOError, aaf2.exceptions.AAFError, zipfile.BadZipFile, zlib.error, struct.error),
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError),
    *(OSError, RuntimeError, SyntaxError, TypeError, ValueError),
)
_EDL_RATES = (24.0, 25.0, 30.0, 50.0, 60.0)  # in this order: the lowest whose frame numbers fit
_EDL_DROP_FRAME_RATES = (30000 / 1001, 60000 / 1001)


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
            found = _READERS.get(suffix, _read_by_adapter)(path)
    except TimelineError:
        raise
    except _PARSER_ERRORS as error:
        raise TimelineError(
            f"The timeline {path} cannot be read as {suffix}: {_first_line(error)}. The file may be truncated or of a "
            "newer format; export it again from the editor."
        ) from error
    return _only_timeline(found, path)


def _refuse_what_is_no_file(path: Path) -> None:
    if not path.exists():
        raise TimelineError(f"There is no timeline at {path}; check the path.")
    if path.suffix.lower() not in READABLE_SUFFIXES:
        raise TimelineError(
            f"{path} is not a timeline that can be read: its name ends in “{path.suffix}”, and the known endings are "
            + ", ".join(READABLE_SUFFIXES)
            + "."
        )
    if path.is_dir():
        if path.suffix.lower() != ".otiod":
            raise TimelineError(f"{path} is a folder; name the timeline file inside it.")
    elif path.stat().st_size == 0:
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


def _read_by_adapter(path: Path) -> Any:
    return otio.adapters.read_from_file(str(path))


def _read_otio(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    try:
        return otio.adapters.read_from_string(text, adapter_name="otio_json")
    except otio.exceptions.UnsupportedSchemaError:
        return otio.adapters.read_from_string(
            json.dumps(_with_known_versions(json.loads(text))), adapter_name="otio_json"
        )


def _with_known_versions(node: Any) -> Any:
    """Label schemas of a newer OpenTimelineIO (Marker.3) as the newest version known here.

    OpenTimelineIO refuses the whole file otherwise. What this package reads of its schemas has stayed the same so far;
    a marker's colour became an object and is written back as its name.
    """
    if isinstance(node, list):
        return [_with_known_versions(child) for child in node]
    if not isinstance(node, dict):
        return node
    known = {key: _with_known_versions(child) for key, child in node.items()}
    schema, _, version = str(node.get("OTIO_SCHEMA", "")).partition(".")
    newest = otio.core.type_version_map().get(schema)
    if newest is not None and version.isdigit() and int(version) > newest:
        known["OTIO_SCHEMA"] = f"{schema}.{newest}"
        if schema == "Marker" and isinstance(known.get("color"), dict):
            known["color"] = known["color"].get("name", "RED")
    return known


def _read_final_cut(path: Path) -> Any:
    """FCP7 XML, its nested sequences laid out as the adapter (1.0.0) expects.

    It looks for the tracks of a nested sequence directly below it, where only the `media` element is, and reads every
    nested sequence as empty.
    """
    root = ElementTree.parse(path).getroot()
    for nested in root.iterfind(".//clipitem/sequence"):
        for media in nested.findall("media"):
            nested.remove(media)
            nested.extend(list(media))
    return otio.adapters.read_from_string(ElementTree.tostring(root, encoding="unicode"), adapter_name="fcp_xml")


def _read_edl(path: Path) -> Any:
    text = path.read_text(encoding="utf-8", errors="replace")
    is_dropping = re.search(r"\d\d:\d\d:\d\d;\d\d", text) is not None
    *rates, last_rate = _EDL_DROP_FRAME_RATES if is_dropping else _EDL_RATES
    for rate in rates:
        with suppress(ValueError):  # a frame number that the rate does not have
            return _from_record_start(otio.adapters.read_from_string(text, adapter_name="cmx_3600", rate=rate))
    return _from_record_start(otio.adapters.read_from_string(text, adapter_name="cmx_3600", rate=last_rate))


def _from_record_start(timeline: Any) -> Any:
    """An EDL's timeline with its record timecode as the start time and its tracks in step.

    The adapter keeps the record timecode of each track's first event as a negative start of the track's source range.
    """
    if not isinstance(timeline, otio.schema.Timeline) or not len(timeline.tracks):
        return timeline
    zero = otio.opentime.RationalTime(0, timeline.tracks[0].duration().rate)
    starts = [zero - track.source_range.start_time if track.source_range else zero for track in timeline.tracks]
    timeline.global_start_time = min(starts)
    for track, start in zip(timeline.tracks, starts, strict=True):
        track.source_range = None
        if start > timeline.global_start_time:
            lead = start - timeline.global_start_time
            track.insert(0, otio.schema.Gap(source_range=otio.opentime.TimeRange(zero, lead)))
    return timeline


def _read_folder_bundle(path: Path) -> Any:
    return otio.adapters.read_from_file(str(path.resolve()), absolute_media_reference_paths=True)


def _read_zip_bundle(path: Path) -> Any:
    with zipfile.ZipFile(path) as bundle:
        # Named after what is inside, so that a bundle exported anew under the same name is unpacked anew.
        listing = repr([(member.filename, member.CRC, member.file_size) for member in bundle.infolist()])
        unpacked = path.with_name(f"{path.name}-{sha256(listing.encode()).hexdigest()[:8]}.otiod")
        if unpacked.exists():
            return _read_folder_bundle(unpacked)
        try:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unpacking-") as scratch:
                whole = Path(scratch) / "bundle"
                bundle.extractall(whole)
                whole.rename(unpacked)
        except OSError as error:
            raise TimelineError(
                f"{path} cannot be unpacked beside itself ({_first_line(error)}); copy it into a folder that can be "
                "written and has room for its media."
            ) from error
    return _read_folder_bundle(unpacked)


_READERS: dict[str, Callable[[Path], Any]] = {
    ".otio": _read_otio,
    ".json": _read_otio,
    ".edl": _read_edl,
    ".xml": _read_final_cut,
    ".otiod": _read_folder_bundle,
    ".otioz": _read_zip_bundle,
}


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
