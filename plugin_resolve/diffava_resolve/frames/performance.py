"""A performed sound from a file of any kind: one channel at `SAMPLE_RATE_HZ`, exactly as long as is wanted.

Its first sample is the first one wanted; silence follows where it ends early. Streams, and knows no timeline. The file
is foreign and decoded in a process of its own. A wrong
file is the person's own choice on the command line, so it is refused as a wrong request.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from diffava_resolve.decoding import here
from diffava_resolve.decoding.allowed import OPEN_OPTIONS
from diffava_resolve.decoding.decoders import decoded
from diffava_resolve.errors import MediaError, RequestError
from diffava_resolve.frames.source import SourceFile
from diffava_resolve.spec import SAMPLE_RATE_HZ

_SILENT_LEVEL = 0.001  # 60 dB below full scale: the noise of a cable that nobody spoke into


def check_performance(path: Path) -> None:
    """Open the file and see that it holds sound, so that a wrong name is refused before anything is started.

    Raises:
        RequestError: It is missing, cannot be read, or holds no sound.
    """
    list(decoded(_check, path))


class PerformedSound:
    """The first `sample_count` samples of a file's sound, mixed to one channel by the mean of all.

    FFmpeg's resampler changes the rate; it keeps sample 0 at sample 0. `notes` is complete once `blocks` is at its end.
    """

    def __init__(self, path: Path, sample_count: int) -> None:
        self._path = path
        self._sample_count = sample_count
        self.notes: tuple[str, ...] = ()

    def blocks(self) -> Iterator[np.ndarray]:
        """Float32 blocks `[S]`, `sample_count` samples in all.

        Raises:
            RequestError: The file cannot be read to its end, or is silent where it is used.
        """
        missing, peak = self._sample_count, 0.0
        with closing(decoded(_mono_blocks, self._path, self._sample_count)) as blocks:
            for block in blocks:
                if len(block) > missing:
                    self.notes = (f"The performance {self._path.name} goes on after OUT; that part is not used.",)
                part = np.clip(block[:missing], -1, 1)
                missing -= len(part)
                peak = max(peak, float(np.abs(part).max(initial=0)))
                yield part
        if peak < _SILENT_LEVEL:
            raise RequestError(
                f"The performance {self._path} is silent in the range; give a recording in which something is heard."
            )
        if missing:
            seconds = missing / SAMPLE_RATE_HZ
            self.notes = (f"The performance {self._path.name} ends {seconds:.2f} s before OUT; silence follows it.",)
        while missing:
            silence = np.zeros(min(missing, SAMPLE_RATE_HZ), np.float32)
            missing -= len(silence)
            yield silence


def _check(path: Path) -> Iterator[None]:
    with _opened(path):
        yield None


def _mono_blocks(path: Path, sample_count: int) -> Iterator[np.ndarray]:
    """The file's sound, to its end or a little more than `sample_count` samples of it."""
    given = 0
    with closing(_all_mono_blocks(path)) as blocks:
        for block in blocks:
            yield block
            here.goes_on()
            given += len(block)
            if given > sample_count:
                return


def _all_mono_blocks(path: Path) -> Generator[np.ndarray, None, None]:
    with _opened(path) as container:
        resampler: av.AudioResampler | None = None
        try:
            for frame in container.decode(audio=0):
                resampler = resampler or av.AudioResampler("fltp", frame.layout, SAMPLE_RATE_HZ)
                for part in resampler.resample(frame):
                    yield _mixed(part)
            for part in resampler.resample(None) if resampler is not None else ():
                yield _mixed(part)
        except (av.FFmpegError, ValueError) as error:
            raise _unreadable(path, str(error)) from error


def _mixed(part: av.AudioFrame) -> np.ndarray:
    mono: np.ndarray = part.to_ndarray().mean(axis=0, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise ValueError("it has samples that are no numbers")
    return mono


def _opened(path: Path) -> InputContainer:
    try:
        SourceFile.of(path)
        here.reads(path)
        container: InputContainer = av.open(f"file:{path.absolute()}", options=OPEN_OPTIONS)
    except MediaError as error:
        raise _unreadable(path, "it is missing, empty or no file") from error
    except (av.FFmpegError, ValueError, OSError) as error:
        raise _unreadable(path, str(getattr(error, "strerror", None) or error).lower()) from error
    if not container.streams.audio:
        container.close()
        raise _unreadable(path, "it holds no sound")
    return container


def _unreadable(path: Path, reason: str) -> RequestError:
    return RequestError(f"The performance {path} cannot be read ({reason}); give an audio file, a WAV say.")
