"""Options that say what is done to the sound once it was made: loudness, true peaks, fades."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from diffava_resolve.errors import RequestError
from diffava_resolve.session import Finishing


@Parameter(name="*")
@dataclass(frozen=True)
class FinishOptions:
    """What is done to each take; what is not given is not done, or stays as with the take before."""

    loudness: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="Loudness in LUFS (EBU R 128; -23 for broadcast), or off; on regenerate also match: the take before.",
        ),
    ] = None
    true_peak: Annotated[
        float | None,
        Parameter(
            allow_leading_hyphen=True,
            help="With --loudness: no true peak above this many dBTP, by a look-ahead limiter; by default -1.",
        ),
    ] = None
    fade_in: Annotated[str | None, Parameter(help="Length of a fade at the beginning: frames f12 or seconds 0.5s.")] = (
        None
    )
    fade_out: Annotated[str | None, Parameter(help="The same at the end.")] = None

    def finishing(self) -> Finishing:
        """The wishes.

        Raises:
            RequestError: One of them is no number or no length, or out of its bounds.
        """
        return Finishing(_loudness(self.loudness), self.true_peak, self.fade_in, self.fade_out)


def _loudness(text: str | None) -> float | Literal["match", "off"] | None:
    if text is None:
        return None
    if text == "match":
        return "match"
    if text == "off":
        return "off"
    try:
        return float(text)
    except ValueError as error:
        raise RequestError(f"“{text}” is no loudness; give LUFS such as -23, match or off.") from error
