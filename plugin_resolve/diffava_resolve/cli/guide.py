"""Options that say when things are to be heard, instead of the picture: hits, markers, a performance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from diffava_resolve.errors import RequestError
from diffava_resolve.frames.performance import check_performance
from diffava_resolve.session import Timing
from diffava_resolve.spec import GuideSource, Region
from diffava_resolve.timeline.given_hits import hits_of_markers, hits_of_text


@Parameter(name="*")
@dataclass(frozen=True)
class GuideOptions:
    """When things are to be heard, for a model with a timing guide; what is not given is taken from the picture."""

    hits: Annotated[
        str | None,
        Parameter(help="When something hits, instead of when the picture says: 00:00:01:05,f40,2.5s."),
    ] = None
    performance: Annotated[
        Path | None,
        Parameter(help="An audio file, a voice say, that begins at IN and says when and how strongly."),
    ] = None
    guide: Annotated[
        GuideSource | None,
        Parameter(help="picture, or none: the picture gives meaning and no timing. By default picture."),
    ] = None

    @property
    def is_given(self) -> bool:
        """Whether any of them was, so that an earlier take's timing holds no more."""
        return any(option is not None for option in (self.hits, self.performance, self.guide))

    def timing(self, regions: Callable[[], Sequence[Region]]) -> Timing:
        """What was given; the hits may lie in any of the regions, which are asked for only where there are hits.

        Raises:
            RequestError: A hit lies outside, or the performance cannot be read.
        """
        if self.performance is not None:
            check_performance(self.performance)
        hit_frames = () if self.hits is None else hits_of_text(self.hits, regions())
        return Timing(self.guide or "picture", hit_frames, self.performance)


@Parameter(name="*")
@dataclass(frozen=True)
class TimelineGuideOptions(GuideOptions):
    """The same, on a timeline, which may have markers."""

    markers_as_hits: Annotated[
        bool, Parameter(help="Every marker in the range, of the timeline or of a clip, is a hit where it begins.")
    ] = False

    @property
    def is_given(self) -> bool:
        """As `GuideOptions.is_given`."""
        return self.markers_as_hits or super().is_given

    def on_timeline(self, timeline: Any, regions: Sequence[Region], *, by_markers: bool = False) -> tuple[Timing, ...]:
        """What was given, for each of the regions with the hits inside it.

        Args of note: `by_markers` says that the regions are themselves markers, which then are no hits.

        Raises:
            RequestError: As `timing`; or there are both hits and markers, no marker, or one performance for many.
        """
        if self.markers_as_hits and self.hits is not None:
            raise RequestError("--hits and --markers-as-hits exclude each other; give one of them.")
        if self.performance is not None and len(regions) > 1:
            raise RequestError(
                f"One performance cannot begin at the IN of {len(regions)} ranges; give it with --range or --clip, for "
                "one after the other."
            )
        timing = self.timing(lambda: regions)
        if self.markers_as_hits:
            timing = replace(timing, hit_frames=hits_of_markers(timeline, regions, points_only=by_markers))
        return tuple(
            replace(
                timing,
                hit_frames=tuple(hit for hit in timing.hit_frames if region.start_frame <= hit < region.stop_frame),
            )
            for region in regions
        )
