"""The algebra of what is seen: stretches of time in which the same pieces of media show, moved, mixed and laid over.

Everything is linear in time, so that nesting, retimes and dissolves compose exactly. Knows nothing of OTIO's structure;
a piece carries its clip only as a name tag.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import opentimelineio as otio


@dataclass(frozen=True)
class Linear:
    """A value that changes evenly: `at_zero + slope * t`."""

    at_zero: Fraction
    slope: Fraction = Fraction(0)

    def __call__(self, t: Fraction) -> Fraction:
        """The value at `t`."""
        return self.at_zero + self.slope * t

    def after(self, inner: "Linear") -> "Linear":
        """The composition `self(inner(t))`."""
        return Linear(self(inner.at_zero), self.slope * inner.slope)

    def inverse(self) -> "Linear":
        """The `t` at which a value is reached; the slope must not be 0."""
        return Linear(-self.at_zero / self.slope, 1 / self.slope)


ONE = Linear(Fraction(1))
IDENTITY = Linear(Fraction(0), Fraction(1))


@dataclass(frozen=True)
class Piece:
    """One clip's media as seen: at second `t` its source second `source_s(t)` with `share(t)` of the mix."""

    clip: otio.schema.Clip
    source_s: Linear
    share: Linear = ONE


@dataclass(frozen=True)
class Exposure:
    """From `start_s` to `stop_s` these pieces are seen, bottom first; none means that what lies below shows."""

    start_s: Fraction
    stop_s: Fraction
    pieces: tuple[Piece, ...] = ()

    @property
    def share(self) -> Linear:
        """How much of the mix the pieces take together; constantly 1 hides what lies below."""
        return Linear(
            sum((piece.share.at_zero for piece in self.pieces), Fraction(0)),
            sum((piece.share.slope for piece in self.pieces), Fraction(0)),
        )


def moved(exposures: Sequence[Exposure], to_inner: Linear) -> list[Exposure]:
    """The exposures in an outer time, in which `to_inner(t)` is their own; a negative slope plays them backwards."""
    if to_inner == IDENTITY:
        return list(exposures)
    to_outer = to_inner.inverse()
    outer = []
    for exposure in exposures:
        start_s, stop_s = sorted((to_outer(exposure.start_s), to_outer(exposure.stop_s)))
        pieces = (
            replace(piece, source_s=piece.source_s.after(to_inner), share=piece.share.after(to_inner))
            for piece in exposure.pieces
        )
        outer.append(Exposure(start_s, stop_s, tuple(pieces)))
    return outer if to_inner.slope > 0 else outer[::-1]


def frozen(exposure: Exposure, at_s: Fraction, start_s: Fraction, stop_s: Fraction) -> Exposure:
    """What `exposure` shows at `at_s`, held still from `start_s` to `stop_s`."""
    held = tuple(
        replace(piece, source_s=Linear(piece.source_s(at_s)), share=Linear(piece.share(at_s)))
        for piece in exposure.pieces
    )
    return Exposure(start_s, stop_s, held)


def laid_over(lower: Sequence[Exposure], upper: Sequence[Exposure]) -> list[Exposure]:
    """Two stacks of the same stretch, the upper hiding the lower as far as its share of the mix goes."""
    return list(_combined(lower, upper, _hide))


def dissolved(
    outgoing: Sequence[Exposure], incoming: Sequence[Exposure], start_s: Fraction, stop_s: Fraction
) -> list[Exposure]:
    """A dissolve of the same stretch of two stacks: the incoming goes from share 0 at `start_s` to 1 at `stop_s`."""
    slope = 1 / (stop_s - start_s)
    rising = Linear(-start_s * slope, slope)
    falling = Linear(1 - rising.at_zero, -slope)

    def mix(below: Exposure, above: Exposure) -> tuple[Piece, ...]:
        return (*_faded(below, falling), *_faded(above, rising))

    return list(_combined(outgoing, incoming, mix))


def _hide(below: Exposure, above: Exposure) -> tuple[Piece, ...]:
    if above.share == ONE:
        return above.pieces
    left = Linear(1 - above.share.at_zero, -above.share.slope)
    return (*_faded(below, left), *above.pieces)


def _faded(exposure: Exposure, share: Linear) -> tuple[Piece, ...]:
    """The pieces with their share multiplied; where both change, the product is taken as linear between the ends."""
    start_s, stop_s = exposure.start_s, exposure.stop_s

    def product(other: Linear) -> Linear:
        if not other.slope:
            return Linear(other.at_zero * share.at_zero, other.at_zero * share.slope)
        if not share.slope:
            return Linear(share.at_zero * other.at_zero, share.at_zero * other.slope)
        first, last = other(start_s) * share(start_s), other(stop_s) * share(stop_s)
        slope = (last - first) / (stop_s - start_s)
        return Linear(first - slope * start_s, slope)

    return tuple(replace(piece, share=product(piece.share)) for piece in exposure.pieces)


def _combined(
    lower: Sequence[Exposure], upper: Sequence[Exposure], mix: Callable[[Exposure, Exposure], tuple[Piece, ...]]
) -> Iterator[Exposure]:
    """Both cut at each other's edges. They must cover the same stretch without holes."""
    below, above = iter(lower), iter(upper)
    under, over = next(below, None), next(above, None)
    while under is not None and over is not None:
        start_s, stop_s = max(under.start_s, over.start_s), min(under.stop_s, over.stop_s)
        cells = (replace(part, start_s=start_s, stop_s=stop_s) for part in (under, over))
        yield Exposure(start_s, stop_s, mix(*cells))
        under = next(below, None) if under.stop_s == stop_s else under
        over = next(above, None) if over is not None and over.stop_s == stop_s else over
