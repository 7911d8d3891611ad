"""A timeline as the .otio that Resolve writes: JSON by hand, since nothing but the standard library is here.

Tracks on which nothing has changed are written as they were read.
"""

import copy

_META = "Resolve_OTIO"


def time(value, rate):
    """A RationalTime."""
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(value)}


def span(start, count, rate):
    """A TimeRange."""
    return {"OTIO_SCHEMA": "TimeRange.1", "duration": time(count, rate), "start_time": time(start, rate)}


def document_of(timeline):
    """The JSON object of a timeline."""
    document = copy.deepcopy(timeline._raw) if timeline._raw else _empty_document(timeline)
    children = []
    for kind in ("video", "audio"):
        for track in timeline._tracks[kind]:
            children.append(copy.deepcopy(track.raw) if track.raw else _track_of(timeline, track, kind))
    document["tracks"]["children"] = children
    return document


def _empty_document(timeline):
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {_META: {"Resolve OTIO Meta Version": "1.0"}},
        "name": timeline._name,
        "global_start_time": time(timeline._start_frame, timeline._rate),
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "metadata": {},
            "name": "",
            "source_range": None,
            "effects": [],
            "markers": [],
            "enabled": True,
            "children": [],
        },
    }


def _track_of(timeline, track, kind):
    meta = {"Locked": track.locked}
    if kind == "audio":
        meta.update({"Audio Type": track.sub_type.capitalize(), "SoloOn": False})
    children = []
    position = timeline._start_frame
    for item in track.items:
        if item._start > position:
            children.append(_item_of("Gap.1", "", 0, item._start - position, timeline._rate))
        children.append(_clip_of(timeline, item))
        position = item._start + item._duration
    return {
        "OTIO_SCHEMA": "Track.1",
        "metadata": {_META: meta},
        "name": track.name,
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": track.enabled,
        "children": children,
        "kind": kind.capitalize(),
    }


def _item_of(schema, name, first, count, rate):
    return {
        "OTIO_SCHEMA": schema,
        "metadata": {},
        "name": name,
        "source_range": span(first, count, rate),
        "effects": [],
        "markers": [],
        "enabled": True,
    }


def _clip_of(timeline, item):
    if item._raw is not None:
        raw = copy.deepcopy(item._raw)
        raw["enabled"] = item._enabled
        return raw
    media, rate = item._media, timeline._rate
    start = media._start_frame if media is not None else 0
    clip = _item_of("Clip.2", item._name, start * rate / item._media_rate + item.GetLeftOffset(), item._duration, rate)
    clip["enabled"] = item._enabled
    clip["metadata"] = {_META: {"Link Group ID": 0}}
    clip["active_media_reference_key"] = "DEFAULT_MEDIA"
    clip["media_references"] = {"DEFAULT_MEDIA": _reference_of(media, rate)}
    return clip


def _reference_of(media, rate):
    if media is None or media._kind in ("Compound", "Offline"):
        return {
            "OTIO_SCHEMA": "MissingReference.1",
            "metadata": {},
            "name": "",
            "available_range": None,
            "available_image_bounds": None,
        }
    available = [int(frames * rate / media._rate) for frames in (media._start_frame, media._frames)]
    return {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": media._name,
        "available_range": span(available[0], available[1], rate),
        "available_image_bounds": None,
        "target_url": media._path,
    }
