"""What a person wants done to a take after it was made (loudness, true peaks, fades), and what that is for one take.

On a new clip, what is not said is not done. On a clip made anew, what is not said stays as with the take before.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from diffava_resolve.errors import RequestError
from diffava_resolve.spec import SAMPLE_RATE_HZ, Finish, Region
from diffava_resolve.timeline.loudness import Loudness
from diffava_resolve.timeline.positions import format_region

LOUDNESS_LUFS = (-60.0, -5.0)
TRUE_PEAK_DBTP = (-20.0, 0.0)
_LENGTH = re.compile(r"f(?P<frames>\d+)|(?P<seconds>\d+(?:\.\d*)?|\.\d+)s|0")


@dataclass(frozen=True)
class Finishing:
    """The wishes; None is none.

    `loudness` is in LUFS (EBU R 128, of one channel), "match" (the take before, or its part) or "off". Fades are
    lengths in frames (`f12`) or seconds (`0.5s`); `0` is none.

    Raises:
        RequestError: One of them is out of its bounds.
    """

    loudness: float | Literal["match", "off"] | None = None
    true_peak_dbtp: float | None = None
    fade_in: str | None = None
    fade_out: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.loudness, (int, float)):
            _refuse_outside("The loudness", self.loudness, LOUDNESS_LUFS, "LUFS, -23 for broadcast")
        if self.true_peak_dbtp is not None:
            _refuse_outside("The true peak", self.true_peak_dbtp, TRUE_PEAK_DBTP, "dBTP")
        for text in (self.fade_in, self.fade_out):
            if text is not None and not _LENGTH.fullmatch(text.strip()):
                raise RequestError(
                    f"“{text}” is no length of a fade; give frames such as f12, or seconds such as 0.5s."
                )

    def of_new(self, region: Region) -> Finish:
        """What is done to a take for `region`.

        Raises:
            RequestError: There is nothing to match, or the fades do not fit.
        """
        if self.loudness == "match":
            raise RequestError("There is no take before whose loudness could be matched; give --loudness a number.")
        if self.true_peak_dbtp is not None and self.loudness in (None, "off"):
            raise RequestError("A limit of true peaks goes with a loudness; give --loudness too.")
        return self._of(region, Finish(), lambda: None)

    def of_whole(self, region: Region, before: Finish, measure: Callable[[], Loudness | None]) -> Finish:
        """What is done to a take made anew; `measure` says how loud the take before is.

        Raises:
            RequestError: The take before is silent, or the fades do not fit.
        """
        return self._of(region, before, measure)

    def of_part(self, region: Region, before: Finish, measure: Callable[[], Loudness | None]) -> Finish:
        """What is done to a part made anew of a take for `region`; `measure` says how loud the part was before.

        The take's fades hold on for as much of them as lies in the part. Its level is the model's, which has heard what
        surrounds the part, unless a loudness is given.

        Raises:
            RequestError: The part before is silent, or new fades are given.
        """
        if self.fade_in is not None or self.fade_out is not None:
            raise RequestError("Fades are of a whole clip; give them without --range.")
        return self._of(region, replace(before, loudness_lufs=None), measure)

    def _of(self, region: Region, before: Finish, measure: Callable[[], Loudness | None]) -> Finish:
        loudness_lufs = before.loudness_lufs if self.loudness is None else None
        if self.loudness == "match":
            found = measure()
            if found is None:
                raise RequestError("The take before is silent: it has no loudness to match; give --loudness a number.")
            loudness_lufs = found.lufs
        elif isinstance(self.loudness, (int, float)):
            loudness_lufs = float(self.loudness)
        fade_in, fade_out = (
            kept if text is None else _samples(text, region.rate)
            for text, kept in ((self.fade_in, before.fade_in_samples), (self.fade_out, before.fade_out_samples))
        )
        if fade_in + fade_out > region.sample_count:
            raise RequestError(
                f"The fades together are {(fade_in + fade_out) / SAMPLE_RATE_HZ:.2f} s long and "
                f"{format_region(region)} is {region.sample_count / SAMPLE_RATE_HZ:.2f} s; give shorter ones."
            )
        true_peak_dbtp = before.true_peak_dbtp if self.true_peak_dbtp is None else self.true_peak_dbtp
        return Finish(loudness_lufs, true_peak_dbtp, fade_in, fade_out)


def _samples(length: str, rate: Fraction) -> int:
    match = _LENGTH.fullmatch(length.strip())
    if match is None:
        raise ValueError(f"{length!r} is no length")
    frames, seconds = match["frames"], match["seconds"]
    length_s = Fraction(int(frames)) / rate if frames else Fraction(seconds or 0)
    return round(length_s * SAMPLE_RATE_HZ)


def _refuse_outside(subject: str, value: float, bounds: tuple[float, float], unit: str) -> None:
    if not bounds[0] <= value <= bounds[1] or math.isnan(value):
        raise RequestError(f"{subject} is {value:g}; give a number from {bounds[0]:g} to {bounds[1]:g} {unit}.")
