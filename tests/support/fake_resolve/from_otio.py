"""An .otio as an open timeline: every clip with its place, what it is made of kept as it was read."""

import json

from .item import TimelineItem
from .pool import MediaPoolItem
from .timecode import exact
from .timeline import Timeline, Track


def timeline_from(fake, path):
    """The timeline in the file; its frame rate is that of its start time."""
    with open(path) as file:
        document = json.load(file)
    start = document["global_start_time"]
    rate = exact(start["rate"])
    timeline = Timeline(fake, document["name"], rate, int(start["value"]), False)
    timeline._raw = document
    timeline._tracks = {"video": [], "audio": [], "subtitle": []}
    for raw in document["tracks"]["children"]:
        kind = raw["kind"].lower()
        meta = raw.get("metadata", {}).get("Resolve_OTIO", {})
        track = Track(raw["name"], meta.get("Audio Type", "Stereo").lower() if kind == "audio" else "")
        track.locked, track.enabled, track.raw = meta.get("Locked", False), raw.get("enabled", True), raw
        track.items = list(_items(fake, timeline, kind, raw["children"]))
        timeline._tracks[kind].append(track)
    return timeline


def _items(fake, timeline, kind, children):
    position = timeline._start_frame
    for raw in children:
        if raw["OTIO_SCHEMA"].startswith("Transition"):
            continue
        duration = raw["source_range"]["duration"]["value"]
        if not raw["OTIO_SCHEMA"].startswith("Gap"):
            media = _media(fake, timeline, raw)
            first = int(raw["source_range"]["start_time"]["value"])
            yield TimelineItem(fake, timeline, kind, media, position, duration, first, raw.get("name"), raw)
        position += duration


def _media(fake, timeline, raw):
    reference = raw.get("media_references", {}).get(raw.get("active_media_reference_key", ""), {})
    if not reference.get("target_url"):
        return None
    available = reference.get("available_range") or raw["source_range"]
    frames = int(available["duration"]["value"])
    return MediaPoolItem(fake, reference["target_url"], timeline._rate, frames)
