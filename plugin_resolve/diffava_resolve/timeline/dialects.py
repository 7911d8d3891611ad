"""Each file format through its OTIO adapter, and what the adapters leave to do.

Knows how formats write things down; whether what was read is a usable timeline is asked in read.py.
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio

from diffava_resolve.errors import TimelineError

_FCPXML_TIMES = {"offset", "start", "duration", "frameDuration", "tcStart", "audioStart", "audioDuration"}
_FCPXML_NUDGE_S = Fraction(1, 1_000_000)  # the adapter cuts frames off in floating point: 28.9999 would become 28
_EDL_RATES = (24.0, 25.0, 30.0, 50.0, 60.0)  # in this order: the lowest whose frame numbers fit
_EDL_DROP_FRAME_RATES = (30000 / 1001, 60000 / 1001)


def _read_by_adapter(path: Path) -> Any:
    return otio.adapters.read_from_file(str(path))


def _read_otio(path: Path) -> Any:
    text = path.read_text(encoding="utf-8-sig")
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


def _read_final_cut_x(path: Path) -> Any:
    """FCPXML, its times laid out as the adapter (1.0.0) expects.

    It knows whole rates only and reads 23.976 as 23: at such rates all times are shrunk by 1000/1001 before it reads,
    and the rates of what it read by as much after. It takes positions as counted from 0: the sequence's start timecode
    is taken off them, and becomes the timeline's start time.
    """
    root = ElementTree.parse(path).getroot()
    sequences = root.findall(".//project/sequence")
    durations_s = {made.get("id"): _time_s(made.get("frameDuration", "0s")) for made in root.iterfind(".//format")}
    shrinks = any(durations_s.get(made.get("format"), Fraction(0)).numerator % 1001 == 0 for made in sequences)
    factor = Fraction(1000, 1001) if shrinks else Fraction(1)
    starts_s = [_time_s(made.get("tcStart", "0s")) for made in sequences]
    for sequence, start_s in zip(sequences, starts_s, strict=True):
        for child in sequence.findall("spine/*[@offset]"):
            child.set("offset", _time_text(_time_s(child.get("offset", "0s")) - start_s))
    for element in root.iter():
        for name in _FCPXML_TIMES & element.attrib.keys():
            nudge_s = 0 if name == "frameDuration" else _FCPXML_NUDGE_S
            element.set(name, _time_text(_time_s(element.attrib[name]) * factor + nudge_s))
    text = ElementTree.tostring(root, encoding="unicode")
    found = otio.adapters.read_from_string(text, adapter_name="fcpx_xml")
    if shrinks:
        found = otio.adapters.read_from_string(
            json.dumps(_with_rates_scaled(json.loads(found.to_json_string()), float(factor))), adapter_name="otio_json"
        )
    if len(sequences) == 1:
        for timeline in _timelines_in(found):
            rate = 1 / durations_s[sequences[0].get("format")]
            timeline.global_start_time = otio.opentime.RationalTime(float(starts_s[0] * rate), float(rate))
    return found


def _time_s(text: str) -> Fraction:
    """`1001/24000s` and `5s`, as FCPXML writes seconds."""
    return Fraction(text.removesuffix("s"))


def _time_text(second: Fraction) -> str:
    return f"{second.numerator}/{second.denominator}s"


def _with_rates_scaled(node: Any, factor: float) -> Any:
    if isinstance(node, list):
        return [_with_rates_scaled(child, factor) for child in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _with_rates_scaled(child, factor) for key, child in node.items()}
    if str(node.get("OTIO_SCHEMA", "")).startswith("RationalTime."):
        changed["rate"] = node["rate"] * factor
    return changed


def _timelines_in(found: Any) -> list[otio.schema.Timeline]:
    if isinstance(found, otio.schema.Timeline):
        return [found]
    return list(found.find_children(descended_from_type=otio.schema.Timeline))


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
                f"{path} cannot be unpacked beside itself ({error.strerror}); copy it into a folder that can be "
                "written and has room for its media."
            ) from error
    return _read_folder_bundle(unpacked)


READERS: dict[str, Callable[[Path], Any]] = {
    ".otio": _read_otio,
    ".json": _read_otio,
    ".otioz": _read_zip_bundle,
    ".otiod": _read_folder_bundle,
    ".xml": _read_final_cut,
    ".fcpxml": _read_final_cut_x,
    ".aaf": _read_by_adapter,
    ".edl": _read_edl,
}
