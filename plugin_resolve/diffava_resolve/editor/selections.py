"""Which regions a selection means on a timeline that is at hand as OTIO. Knows no editor's marks and no playhead."""

from typing import Any

from diffava_resolve.editor.protocol import Selection
from diffava_resolve.errors import RequestError
from diffava_resolve.timeline.regions import (
    MarkerRegion,
    region_of_clip,
    region_of_range,
    region_of_timeline,
    regions_of_markers,
)


def regions_of_timeline(timeline: Any, selection: Selection) -> tuple[MarkerRegion, ...]:
    """The regions of a range, a clip, the markers, or the whole timeline.

    Raises:
        RequestError: Nothing is there.
    """
    if selection.where == "range":
        return (MarkerRegion(region_of_range(timeline, selection.start, selection.stop)),)
    if selection.where == "clip":
        return (MarkerRegion(region_of_clip(timeline, selection.clip)),)
    if selection.where == "markers":
        found = regions_of_markers(timeline)
        if not found:
            raise RequestError("No marker of the timeline spans a range; give one a duration, or give a range.")
        return found
    return (MarkerRegion(region_of_timeline(timeline)),)
