"""What OTIO's items show: clips, gaps, tracks with their transitions, stacks, nesting and retimes, as exposures.

Every item has its own time (the media's for a clip, from 0 for a composition); `source_range` and the time effects lead
from the parent's time into it. Knows nothing of frames, of regions and of where media lie.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isfinite

import opentimelineio as otio

from diffava_resolve.timeline.durations import children_with_start_s, duration_s, source_start_s
from diffava_resolve.timeline.exposures import IDENTITY, Exposure, Linear, Piece, dissolved, frozen, laid_over, moved
from diffava_resolve.timeline.rates import exact_rate, seconds_of


@dataclass(frozen=True)
class Showing:
    """Reads exposures out of OTIO items.

    Attributes:
        is_see_through: whether a clip is an overlay (a title) under which the lower tracks still count as what is seen.
        note: told in a sentence what could not be read exactly.
    """

    is_see_through: Callable[[otio.schema.Clip], bool]
    note: Callable[[str], None]

    def of_item(self, item: otio.core.Item, start_s: Fraction, stop_s: Fraction) -> list[Exposure]:
        """What an item shows from `start_s` to `stop_s` after its start in its parent, without holes.

        Before 0 and after its length it shows its handles, as transitions want them. A retime keeps the length in the
        parent. Forward at speed k it shows its source from the start of `source_range`; backwards it
        shows the same stretch of source, `k` times its length, from its end (as Resolve writes it).
        """
        if start_s >= stop_s:
            return []
        if not item.enabled or isinstance(item, otio.schema.Gap):
            return [Exposure(start_s, stop_s)]
        speed = self._speed(item)
        source_s = source_start_s(item)
        if speed == 0:
            held_s = source_s + _half_frame_s(item)
            inside = self._own(item, held_s, held_s + Fraction(1, 1000))
            return [frozen(inside[0], held_s, start_s, stop_s)]
        into = Linear(source_s if speed > 0 else source_s - speed * duration_s(item), speed)
        return moved(self._own(item, *sorted((into(start_s), into(stop_s)))), into)

    def _own(self, item: otio.core.Item, start_s: Fraction, stop_s: Fraction) -> list[Exposure]:
        """What the item holds between two seconds of its own time."""
        if isinstance(item, otio.schema.Track):
            return self._of_track(item, start_s, stop_s)
        if isinstance(item, otio.core.Composition):
            return self._of_stack(item, start_s, stop_s)
        if self.is_see_through(item):
            return [Exposure(start_s, stop_s)]
        return [Exposure(start_s, stop_s, (Piece(item, IDENTITY),))]

    def _of_stack(self, stack: otio.core.Composition, start_s: Fraction, stop_s: Fraction) -> list[Exposure]:
        if not len(stack):
            self.note(f"The nested timeline “{stack.name}” is empty in this file; what lies below it is shown.")
        seen = [Exposure(start_s, stop_s)]
        for child in stack:
            if isinstance(child, otio.core.Item) and not _is_audio(child):
                seen = laid_over(seen, self._within(child, start_s, stop_s))
        return seen

    def _within(self, child: otio.core.Item, start_s: Fraction, stop_s: Fraction) -> list[Exposure]:
        """A child of a stack, without its handles: nothing before its start and after its end."""
        first_s = min(max(start_s, Fraction(0)), stop_s)
        last_s = max(first_s, min(stop_s, duration_s(child)))
        shown = [Exposure(start_s, first_s), *self.of_item(child, first_s, last_s), Exposure(last_s, stop_s)]
        return [exposure for exposure in shown if exposure.start_s < exposure.stop_s]

    def _of_track(self, track: otio.schema.Track, start_s: Fraction, stop_s: Fraction) -> list[Exposure]:
        seen: list[Exposure] = []
        cursor_s = start_s
        for stretch in _stretches(track):
            begin_s, end_s = max(stretch.start_s, cursor_s), min(stretch.stop_s, stop_s)
            if begin_s >= end_s:
                continue
            if begin_s > cursor_s:  # only before the track's start
                seen.append(Exposure(cursor_s, begin_s))
            shown = self._placed(stretch.outgoing, begin_s, end_s)
            if stretch.fade_s is not None:
                if stretch.kind != otio.schema.TransitionTypes.SMPTE_Dissolve:
                    self.note(f"The transition “{stretch.name}” ({stretch.kind}) is treated as a dissolve.")
                shown = dissolved(shown, self._placed(stretch.incoming, begin_s, end_s), *stretch.fade_s)
            seen += shown
            cursor_s = end_s
        return [*seen, Exposure(cursor_s, stop_s)] if cursor_s < stop_s else seen

    def _placed(self, placed: "_Placed | None", start_s: Fraction, stop_s: Fraction) -> list[Exposure]:
        if placed is None:
            return [Exposure(start_s, stop_s)]
        item, at_s = placed
        return moved(self.of_item(item, start_s - at_s, stop_s - at_s), Linear(-at_s, Fraction(1)))

    def _speed(self, item: otio.core.Item) -> Fraction:
        """The product of all retimes on the item; a freeze frame is 0."""
        speed = Fraction(1)
        for effect in item.effects:
            if isinstance(effect, otio.schema.LinearTimeWarp) and isfinite(
                effect.time_scalar
            ):  # FreezeFrame is one, with scalar 0
                speed *= Fraction(effect.time_scalar).limit_denominator(10_000)
            elif isinstance(effect, otio.schema.TimeEffect) or _is_final_cut_time_remap(effect):
                name = effect.effect_name or effect.name or type(effect).__name__
                self.note(f"The retime “{name}” on “{item.name}” cannot be read; the clip is shown at normal speed.")
        return speed


_Placed = tuple[otio.core.Item, Fraction]  # an item and the second of its track at which it starts


@dataclass(frozen=True)
class _Stretch:
    """Part of a track in which one item shows, or, where `fade_s` is given, one dissolves into the next."""

    start_s: Fraction
    stop_s: Fraction
    outgoing: _Placed | None
    incoming: _Placed | None = None
    fade_s: tuple[Fraction, Fraction] | None = None
    kind: str = ""
    name: str = ""


def _stretches(track: otio.schema.Track) -> Iterator[_Stretch]:
    """The track from its start to its end without holes; a transition at an end of the track fades from or to nothing.

    A stretch never starts before the last one stopped, so transitions that overlap do not show a moment twice.
    """
    cursor_s = Fraction(0)
    before: _Placed | None = None
    children = [*children_with_start_s(track), (None, Fraction(0))]
    for (child, at_s), (after, after_s) in pairwise(children):
        if isinstance(child, otio.schema.Transition):
            fade_s = (at_s - seconds_of(child.in_offset), at_s + seconds_of(child.out_offset))
            incoming = (after, after_s) if isinstance(after, otio.core.Item) else None
            limit_s = after_s + duration_s(after) if incoming else at_s
            stretch = _Stretch(
                cursor_s, min(fade_s[1], limit_s), before, incoming, fade_s, child.transition_type, child.name
            )
        else:
            before = (child, at_s)
            lead_s = seconds_of(after.in_offset) if isinstance(after, otio.schema.Transition) else Fraction(0)
            stretch = _Stretch(cursor_s, at_s + duration_s(child) - lead_s, before)
        if stretch.start_s < stretch.stop_s:
            yield stretch
            cursor_s = stretch.stop_s


def _is_audio(child: otio.core.Item) -> bool:
    return isinstance(child, otio.schema.Track) and child.kind != otio.schema.TrackKind.Video


def _half_frame_s(item: otio.core.Item) -> Fraction:
    """Half a frame of the item's own rate: a freeze holds the middle of its frame, clear of both neighbours."""
    known = item.source_range or item.media_reference.available_range
    return 1 / (2 * exact_rate(known.start_time.rate))


def _is_final_cut_time_remap(effect: otio.schema.Effect) -> bool:
    return str(effect.metadata.get("fcp_xml", {}).get("effectid", "")) == "timeremap"
