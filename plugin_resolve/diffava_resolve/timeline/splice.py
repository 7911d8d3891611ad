"""A take of which one part was made anew: the old samples, a crossfade, the new ones, a crossfade, the old ones.

Both crossfades lie inside the part, so that every sample outside `[start_sample, stop_sample)` is the old one, bit for
bit. Works block by block: memory does not grow with the take. Knows no timeline.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from diffava_resolve.errors import OutputError, RequestError
from diffava_resolve.spec import SAMPLE_RATE_HZ
from diffava_resolve.timeline.audio_file import TakeWriter, read_blocks, sample_count_of

CROSSFADE_SAMPLES = SAMPLE_RATE_HZ // 100
"""10 ms: long enough that no step clicks, short enough that no hit is smeared."""


@dataclass(frozen=True)
class Part:
    """The part `[start_sample, stop_sample)` of a take, and how long its two crossfades are."""

    start_sample: int
    stop_sample: int
    fade_in_samples: int
    fade_out_samples: int

    @classmethod
    def of_take(
        cls,
        start_sample: int,
        stop_sample: int,
        sample_count: int,
        *,
        cut_samples: Sequence[int] = (),
        crossfade_samples: int = CROSSFADE_SAMPLES,
    ) -> Self:
        """The part with crossfades as long as wanted, as far as there is room for them.

        There is none at the take's own ends (nothing is there to fade from); the two together never take more than
        the part; and none reaches across a cut, since the sound of one shot would be heard in the next.

        Raises:
            RequestError: The part is empty or not inside the take.
        """
        if not 0 <= start_sample < stop_sample <= sample_count:
            raise RequestError(
                f"The part to make anew, samples {start_sample} to {stop_sample}, is not inside the take's "
                f"0 to {sample_count}; choose a range inside the clip."
            )
        cuts = [cut for cut in cut_samples if start_sample < cut < stop_sample]
        room = min(crossfade_samples, (stop_sample - start_sample) // 2)
        fade_in = min(room, min(cuts, default=stop_sample) - start_sample) if start_sample > 0 else 0
        fade_out = min(room, stop_sample - max(cuts, default=start_sample)) if stop_sample < sample_count else 0
        return cls(start_sample, stop_sample, fade_in, fade_out)

    def weights(self, first_sample: int, count: int) -> np.ndarray:
        """The share of the new audio in samples `[first_sample, first_sample + count)` of the take, float64 in [0, 1].

        A raised cosine of equal gain: the shares of old and new add up to 1. The new part was denoised to continue
        what surrounds it, so the two are alike at the edges, where equal power would bulge by 3 dB and could clip.
        """
        position = np.arange(first_sample, first_sample + count, dtype=np.float64) + 0.5
        rise = ramp(position - self.start_sample, self.fade_in_samples)
        fall = ramp(self.stop_sample - position, self.fade_out_samples)
        shares: np.ndarray = np.minimum(rise, fall)
        return shares


class SplicedTakeWriter:
    """A `TakeWriter` to which whole new takes are given, and that keeps the old samples outside the part.

    The blocks given to `write` cover the take from its first sample to its last, in order; what lies outside the part
    is not looked at.
    """

    def __init__(self, writer: TakeWriter, old_take: Path, part: Part) -> None:
        self._writer = writer
        self._part = part
        self._old_take = old_take
        self._sample_count = sample_count_of(old_take)

    def write(self, new_samples: np.ndarray) -> None:
        """Append the next samples `[S]` of the new take, spliced.

        Raises:
            MediaError: The old take cannot be read.
            OutputError: The disk is full, or the new take is longer than the old one.
        """
        first = self._writer.sample_count
        stop = first + len(new_samples)
        if stop > self._sample_count:
            raise OutputError(f"The new take is longer than the {self._sample_count} samples of the old; try again.")
        if len(new_samples):
            old = np.concatenate([*read_blocks(self._old_take, first, stop)])
            self._writer.write(mixed(old, np.asarray(new_samples), self._part.weights(first, len(new_samples))))


def splice(writer: TakeWriter, old_take: Path, part: Part, new_samples: Iterator[np.ndarray]) -> None:
    """Write `old_take` with `part` replaced by blocks that hold exactly the part's samples.

    Raises:
        MediaError: The old take cannot be read.
        OutputError: The disk is full, or the blocks hold more or fewer samples than the part.
    """
    for block in read_blocks(old_take, 0, part.start_sample):
        writer.write(block)
    spliced = SplicedTakeWriter(writer, old_take, part)
    for block in new_samples:
        spliced.write(block)
    if writer.sample_count != part.stop_sample:
        raise OutputError(
            f"The new part should reach sample {part.stop_sample} of the take and reached {writer.sample_count}; "
            "try again."
        )
    for block in read_blocks(old_take, part.stop_sample):
        writer.write(block)


def mixed(old: np.ndarray, new: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`old` where the weight is 0, `new` where it is 1, both in between, computed so that both ends are exact."""
    mix: np.ndarray = old.astype(np.float64) * (1 - weights) + new.astype(np.float64) * weights
    return mix


def ramp(distance_samples: np.ndarray, length_samples: int) -> np.ndarray:
    """0 before distance 0, 1 from `length_samples` on, a raised cosine between them."""
    if length_samples == 0:
        return (distance_samples > 0).astype(np.float64)
    share = np.clip(distance_samples / length_samples, 0, 1)
    risen: np.ndarray = 0.5 - 0.5 * np.cos(np.pi * share)
    return risen
