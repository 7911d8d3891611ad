"""Takes on disk: WAV, mono, 24-bit PCM at `SAMPLE_RATE_HZ`, written and read in blocks. Knows no timeline.

A float sample x is stored as the whole number nearest to x * 2**23 (halves to even), kept within the 24 bits: so
+1.0 becomes 2**23 - 1 and anything louder is clipped. No dither: the same samples must give the same bytes. Reading
gives that number / 2**23, which float32 holds exactly, so that reading and writing again changes nothing.
The header holds no date, no peaks and no `bext` chunk: Resolve takes a time reference there for a start timecode and
then finds no media under a source range that starts at 0.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

from diffava_resolve.errors import MediaError, OutputError
from diffava_resolve.files import cannot_write, discard, publish, temporary_sibling
from diffava_resolve.spec import SAMPLE_RATE_HZ

FULL_SCALE = 1 << 23
BLOCK_SAMPLES = 1 << 16
SHA_DIGITS_IN_NAME = 12


@dataclass(frozen=True)
class TakeFile:
    """A finished take; `is_new` is False if the very same file was there before (a repeated request)."""

    path: Path
    sample_count: int
    sha256: str
    is_new: bool = True


class TakeWriter:
    """Writes one take; it appears under its name only when finished, and leaves nothing behind otherwise.

    Args of note: `named_by_content` puts the first digits of the file's sha256 behind the stem, so that a take never
    replaces another one to which an older timeline still points. With `sample_count`, any other length is refused.

    Raises:
        OutputError: The file cannot be created.
    """

    def __init__(self, path: Path, *, named_by_content: bool = False, sample_count: int | None = None) -> None:
        self._path = path
        self._named_by_content = named_by_content
        self._expected = sample_count
        self._written = 0
        self._temporary = temporary_sibling(path)
        try:
            self._file = soundfile.SoundFile(
                self._temporary, "w", SAMPLE_RATE_HZ, channels=1, format="WAV", subtype="PCM_24"
            )
        except (soundfile.LibsndfileError, OSError) as error:
            discard(self._temporary)
            raise _cannot_write_audio(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    @property
    def path(self) -> Path:
        """The name that the take was to have, before its content's hash."""
        return self._path

    @property
    def sample_count(self) -> int:
        """How many samples were written so far."""
        return self._written

    def write(self, samples: np.ndarray) -> None:
        """Append mono float samples `[S]` in [-1, 1].

        Raises:
            OutputError: The disk is full, or more samples than announced.
            MediaError: A sample is not a finite number.
        """
        if not np.isfinite(samples).all():
            raise MediaError(f"The audio for {self._path.name} has samples that are no numbers; nothing was written.")
        if self._expected is not None and self._written + len(samples) > self._expected:
            raise self._wrong_length(self._written + len(samples))
        try:
            self._file.write(quantised(samples) << 8)  # libsndfile stores the upper 24 of 32 bits
        except (soundfile.LibsndfileError, OSError) as error:
            raise _cannot_write_audio(self._path, error) from error
        self._written += len(samples)

    def finish(self, inspect: Callable[[Path], None] = lambda path: None) -> TakeFile:
        """Close the file, give it its name and say what is in it.

        Args:
            inspect: Sees the whole file before it has its name; what this raises leaves nothing behind.

        Raises:
            OutputError: The length is not the announced one, or the disk is full.
        """
        if self._expected is not None and self._written != self._expected:
            raise self._wrong_length(self._written)
        try:
            self._file.close()
            if soundfile.info(self._temporary).frames != self._written:
                raise cannot_write(self._path, "the file on disk is shorter than what was written; is the disk full?")
        except (soundfile.LibsndfileError, OSError) as error:
            raise _cannot_write_audio(self._path, error) from error
        inspect(self._temporary)
        sha256 = file_sha256(self._temporary)
        path = self._path
        if self._named_by_content:
            path = path.with_name(f"{path.stem}-{sha256[:SHA_DIGITS_IN_NAME]}{path.suffix}")
        is_new = not (path.is_file() and file_sha256(path) == sha256)
        publish(self._temporary, path)
        return TakeFile(path, self._written, sha256, is_new)

    def _abandon(self) -> None:
        try:
            self._file.close()
        except (soundfile.LibsndfileError, OSError):
            pass  # the file is thrown away in any case
        finally:
            discard(self._temporary)

    def _wrong_length(self, found: int) -> OutputError:
        return cannot_write(self._path, f"it should have {self._expected} samples and got {found}; try again")


def quantised(samples: np.ndarray) -> np.ndarray:
    """Float samples `[S]` as 24-bit whole numbers in int32, as the module's docstring says."""
    scaled = np.rint(np.asarray(samples, dtype=np.float64) * FULL_SCALE)
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int32)


def read_blocks(
    path: Path, start_sample: int = 0, stop_sample: int | None = None, *, block_samples: int = BLOCK_SAMPLES
) -> Iterator[np.ndarray]:
    """Samples `[start_sample, stop_sample)` of a take as float32 blocks `[<= block_samples]`.

    Raises:
        MediaError: The file is missing, is no take (mono, 48 kHz), or ends before `stop_sample`.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if (file.samplerate, file.channels) != (SAMPLE_RATE_HZ, 1):
                raise MediaError(
                    f"{path} has {file.channels} channels at {file.samplerate} Hz; "
                    f"a take has one at {SAMPLE_RATE_HZ} Hz. Point to a take that was made here."
                )
            stop = file.frames if stop_sample is None else stop_sample
            if not 0 <= start_sample <= stop <= file.frames:
                raise MediaError(f"{path} has {file.frames} samples; {start_sample} to {stop} were asked for.")
            file.seek(start_sample)
            for position in range(start_sample, stop, block_samples):
                block = file.read(min(block_samples, stop - position), dtype="float32")
                if not len(block):
                    raise MediaError(f"{path} ends at sample {position}, before {stop}: it was changed while read.")
                yield block
    except (soundfile.LibsndfileError, OSError) as error:
        raise MediaError(f"{path} cannot be read as audio ({error}); restore it, or generate the take anew.") from error


def sample_count_of(path: Path) -> int:
    """The length of an audio file in samples.

    Raises:
        MediaError: It is missing or no audio.
    """
    try:
        return int(soundfile.info(path).frames)
    except (soundfile.LibsndfileError, OSError) as error:
        raise MediaError(f"{path} cannot be read as audio ({error}); restore it, or generate the take anew.") from error


def file_sha256(path: Path) -> str:
    """The sha256 of a whole file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cannot_write_audio(path: Path, error: OSError | soundfile.LibsndfileError) -> OutputError:
    """The one sentence for both kinds; libsndfile says only 'System error.' when the disk is full."""
    if isinstance(error, OSError):
        return cannot_write(path, error)
    return cannot_write(path, f"the disk refused it ({error}), most likely because it is full; free some space")
