"""A numbered image sequence: the picture that is shown at any second of it. Knows nothing of timelines or sizes."""

import gc
from fractions import Fraction
from pathlib import Path

from diffava_resolve.errors import MediaError
from diffava_resolve.frames.movie import Movie, StillPicture
from diffava_resolve.frames.source import SourceFile
from diffava_resolve.spec import ImageSequence


class SequencePictures:
    """The pictures of an `ImageSequence`; whatever FFmpeg decodes: PNG, JPEG, TIFF, EXR, DPX, WebP.

    Its `rate` counts the numbers, as in OTIO: with a `frame_step` of 2 each file is shown twice as long.

    Args:
        sequence: Where the files are.
        tolerance_s: How far outside the sequence a second may lie and still mean the first or last picture; at least
            one picture's duration is always granted.
    """

    def __init__(self, sequence: ImageSequence, *, tolerance_s: Fraction = Fraction(0)) -> None:
        self._sequence = sequence
        self._shown: tuple[int, StillPicture] | None = None
        self._duration_s = sequence.frame_step / sequence.rate
        self._tolerance_s = max(tolerance_s, self._duration_s)

    def close(self) -> None:
        """Nothing stays open between two pictures."""

    def picture_at(self, second: Fraction) -> StillPicture:
        """The picture that is shown at `second` of the sequence.

        Raises:
            MediaError: The second lies outside the sequence by more than the tolerance; the file is missing or damaged.
        """
        length_s = self._sequence.frame_count * self._duration_s
        if not -self._tolerance_s <= second < length_s + self._tolerance_s:
            raise MediaError(
                f"The timeline asks the pictures {self.path_of(0)} ... for the one at {float(second):.3f} s, "
                f"but all {self._sequence.frame_count} span {float(length_s):.3f} s; relink the clip or trim it."
            )
        index = min(max(int(second // self._duration_s), 0), self._sequence.frame_count - 1)
        if self._shown is None or self._shown[0] != index:
            self._shown = index, self._read(index)
        return self._shown[1]

    def path_of(self, index: int) -> Path:
        """The file of the picture number `index`, from 0."""
        number = self._sequence.first_number + index * self._sequence.frame_step
        digits = f"{number:0{self._sequence.zero_padding}d}"
        return self._sequence.directory / f"{self._sequence.prefix}{digits}{self._sequence.suffix}"

    def _read(self, index: int) -> StillPicture:
        path = self.path_of(index)
        if not path.exists():
            raise MediaError(
                f"The picture {path} is missing from its sequence "
                f"(picture {index + 1} of {self._sequence.frame_count}); render it again or relink the clip."
            )
        source = SourceFile.of(path)
        with Movie(source) as movie:
            picture = movie.picture_at(Fraction(0))
        gc.collect(0)  # PyAV's objects refer to each other, and hold a picture's decoder with its threads
        source.check_unchanged()
        return picture
