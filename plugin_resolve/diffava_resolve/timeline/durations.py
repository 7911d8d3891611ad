"""How long an item is and where it lies, in exact seconds, whatever mixture of rates the editor wrote.

OTIO adds RationalTimes of different rates in floating point; here every length is a Fraction. Knows nothing of what
is seen.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from diffava_resolve.errors import TimelineError
from diffava_resolve.timeline.rates import seconds_of


def duration_s(item: otio.core.Item) -> Fraction:
    """Seconds that the item takes in its parent. A retime changes what is shown, never this length.

    Raises:
        TimelineError: a clip has neither a source range nor media that says how long it is.
    """
    if item.source_range is not None:
        return max(Fraction(0), seconds_of(item.source_range.duration))
    return available_s(item)[1]


def source_start_s(item: otio.core.Item) -> Fraction:
    """The second of the item's own time at which it starts to show: of the media's time for a clip.

    A composition whose source range lies wholly outside what it holds starts at 0: some exports say so (a nested
    timeline in its own timecode, say), and no editor would show nothing there.
    """
    if item.source_range is None:
        return available_s(item)[0]
    start_s = seconds_of(item.source_range.start_time)
    if isinstance(item, otio.core.Composition):
        held_s = available_s(item)[1]
        if start_s >= held_s or start_s + duration_s(item) <= 0:
            return Fraction(0)
    return start_s


def available_s(item: otio.core.Item) -> tuple[Fraction, Fraction]:
    """Start and duration of all that the item holds, in its own time. A composition starts at 0."""
    if isinstance(item, otio.schema.Track):
        return Fraction(0), sum((duration_s(child) for child in item if isinstance(child, otio.core.Item)), Fraction(0))
    if isinstance(item, otio.core.Composition):
        return Fraction(0), max(
            (duration_s(child) for child in item if isinstance(child, otio.core.Item)), default=Fraction(0)
        )
    available = item.media_reference.available_range if isinstance(item, otio.schema.Clip) else None
    if available is None:
        raise TimelineError(
            f"The clip “{item.name}” says neither which part of its media it shows nor how long that is; "
            "export the timeline again with its media online."
        )
    return seconds_of(available.start_time), seconds_of(available.duration)


def children_with_start_s(composition: otio.core.Composition) -> Iterator[tuple[Any, Fraction]]:
    """Each child with the second of the composition's time at which it starts, transitions with that of their cut."""
    start_s = Fraction(0)
    for child in composition:
        yield child, start_s
        if isinstance(composition, otio.schema.Track) and isinstance(child, otio.core.Item):
            start_s += duration_s(child)
