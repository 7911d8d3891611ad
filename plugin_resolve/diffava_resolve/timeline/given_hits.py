"""Hits that a person gives: positions that they type, or markers. Each is a frame of the timeline.

Knows nothing of jobs: a hit becomes a sample where its frame does, by `spec.sample_of_frame`.
"""

from collections.abc import Sequence

import opentimelineio as otio

from diffava_resolve.errors import RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.markers import placed_markers
from diffava_resolve.timeline.positions import format_timecode, is_dropping_text, parse_position
from diffava_resolve.timeline.rates import has_drop_frame
from diffava_resolve.timeline.regions import describe_range, frames_of_span


def hits_of_text(text: str, regions: Sequence[Region]) -> tuple[int, ...]:
    """The frames of positions that are typed with commas between them (see `parse_position`), rising, each once.

    A `;` in one of them means drop-frame numbers in all, as for the ends of a range.

    Raises:
        RequestError: There is none, one is not a position, or one lies in none of the regions.
    """
    like = regions[0]
    typed = [part.strip() for part in text.split(",") if part.strip()]
    if not typed:
        raise RequestError("There is no hit in --hits; give positions with commas between them: 00:00:01:05,f40,2.5s.")
    dropping = like.drop_frame or (any(map(is_dropping_text, typed)) and has_drop_frame(like.rate))
    frames = []
    for position in typed:
        frame = parse_position(position, like.rate, like.label_frame, drop_frame=dropping)
        if not any(region.start_frame <= frame < region.stop_frame for region in regions):
            where = " and ".join(describe_range(region) for region in regions[:3])
            raise RequestError(f"The hit {position} lies outside the range, which runs {where}; give hits inside it.")
        frames.append(frame)
    return tuple(sorted(set(frames)))


def hits_of_markers(
    timeline: otio.schema.Timeline, regions: Sequence[Region], *, points_only: bool = False
) -> tuple[int, ...]:
    """The frames at which markers begin that are shown inside the regions, rising, each once.

    Args:
        timeline: What holds the markers; `placed_markers` says where they lie.
        regions: Where hits are wanted.
        points_only: Leave out markers of more than one frame, which stand for regions.

    Raises:
        RequestError: There is none.
    """
    frames = set()
    for placed in placed_markers(timeline):
        span = frames_of_span(regions[0], placed.start_s, placed.start_s + placed.duration_s)
        is_point = span.stop_frame - span.start_frame <= 1
        inside = any(region.start_frame <= span.start_frame < region.stop_frame for region in regions)
        if placed.is_shown and inside and (is_point or not points_only):
            frames.add(span.start_frame)
    if not frames:
        first = regions[0]
        start = format_timecode(first.start_frame, first.rate, first.label_frame, first.drop_frame)
        raise RequestError(
            f"There is no marker inside the range from {start} on whose start could be a hit; set markers there, or "
            "give the hits with --hits."
        )
    return tuple(sorted(frames))
