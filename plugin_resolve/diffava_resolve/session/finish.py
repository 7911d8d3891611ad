"""What is done to a take between the server and its file: fades, loudness, true peaks. Same samples, same bytes.

    server's samples -> fades -> gain to the loudness, peaks limited -> (cut into the old take) -> WAV

The level can only be set once the whole sound was heard: it waits in a file beside the take, as it was sent, in
float32. Knows neither server nor timeline.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from diffava_resolve.client.protocol import Samples
from diffava_resolve.errors import MediaError, OutputError
from diffava_resolve.files import cannot_write, discard, temporary_sibling
from diffava_resolve.spec import Finish, Finished
from diffava_resolve.timeline.limiter import limited
from diffava_resolve.timeline.loudness import Loudness, loudness_of_sound
from diffava_resolve.timeline.splice import ramp
from diffava_resolve.timeline.true_peak import true_peak_dbtp

CLOSE_LU = 0.02
MAX_ATTEMPTS = 8
MAX_LIMITING_DB = 12.0
"""How much a peak may be taken back to make a sound louder: beyond it, attacks are gone and only loudness is left."""

_BYTES = 4  # of a float32


def notes_of(finished: Finished | None) -> tuple[str, ...]:
    """What a person must know of how a sound was finished."""
    return (finished.note,) if finished is not None and finished.note else ()


class Finisher:
    """Finishes one sound, which is samples `[first_sample, ...)` of a take of `take_sample_count`."""

    def __init__(self, finish: Finish, take_sample_count: int, first_sample: int = 0) -> None:
        self._finish = finish
        self._take_sample_count = take_sample_count
        self._first_sample = first_sample
        self.finished: Finished | None = None
        """There once all blocks were read, if the level was set."""

    def blocks(self, sound: Iterable[Samples], beside: Path) -> Iterator[Samples]:
        """The finished sound; `beside` is the file into which it goes.

        Raises:
            OutputError: There is no room for the sound while it waits.
        """
        faded = self._faded(sound)
        if self._finish.loudness_lufs is None:
            yield from faded
            return
        waiting = temporary_sibling(beside.with_suffix(".f32"))
        try:
            yield from self._levelled(_Waiting(waiting, beside, faded), self._finish.loudness_lufs)
        finally:
            discard(waiting)

    def _faded(self, sound: Iterable[Samples]) -> Iterator[Samples]:
        finish, first = self._finish, self._first_sample
        for block in sound:
            stop = first + len(block)
            if first < finish.fade_in_samples or stop > self._take_sample_count - finish.fade_out_samples:
                position = np.arange(first, stop, dtype=np.float64) + 0.5
                rise = ramp(position, finish.fade_in_samples)
                fall = ramp(self._take_sample_count - position, finish.fade_out_samples)
                block = (block * rise * fall).astype(np.float32)  # noqa: PLW2901  the block, faded
            first = stop
            yield block

    def _levelled(self, sound: "_Waiting", target_lufs: float) -> Iterator[Samples]:
        before = loudness_of_sound(sound.blocks())
        if before is None:
            self.finished = Finished(note="The sound is silent, so that its loudness was left as it is.")
            yield from sound.blocks()
            return
        peak_dbtp = true_peak_dbtp(sound.blocks())
        room_db = np.inf if peak_dbtp is None else self._finish.true_peak_dbtp - peak_dbtp
        gain_db, reached = self._gain_db(sound, before, target_lufs, float(room_db))
        note = ""
        if abs(reached.lufs - target_lufs) > 10 * CLOSE_LU:
            note = (
                f"The sound reaches {reached.lufs:.1f} LUFS instead of {target_lufs:g}: for more, its peaks would have "
                f"to be taken back by more than {MAX_LIMITING_DB:g} dB for {self._finish.true_peak_dbtp:g} dBTP."
            )
        self.finished = Finished(
            gain_db=gain_db,
            limited_db=max(0.0, gain_db - float(room_db)),
            loudness_before_lufs=before.lufs,
            loudness_lufs=reached.lufs,
            measured_as=before.measured_as,
            note=note,
        )
        yield from self._with_gain(sound, gain_db)

    def _gain_db(
        self, sound: "_Waiting", before: Loudness, target_lufs: float, room_db: float
    ) -> tuple[float, Loudness]:
        """The gain whose outcome is close to the target, and the outcome.

        One correction is enough where no peak is limited. A limiter takes loudness away, and less of the gain arrives
        the more it works: then the next guess follows the line through the last two.
        """
        most_db = room_db + MAX_LIMITING_DB
        gain_db, slope = min(target_lufs - before.lufs, most_db), 1.0
        last: tuple[float, float] | None = None
        reached = before
        for _ in range(MAX_ATTEMPTS):
            measured = loudness_of_sound(self._with_gain(sound, gain_db))
            if measured is None:  # the gain has put it below the gate: there is nothing to come closer to
                break
            reached = measured
            missing = target_lufs - reached.lufs
            if abs(missing) <= CLOSE_LU or (missing > 0 and gain_db >= most_db):
                break
            if last is not None and abs(gain_db - last[0]) > CLOSE_LU:
                slope = float(np.clip((reached.lufs - last[1]) / (gain_db - last[0]), 0.1, 1.0))
            last = (gain_db, reached.lufs)
            gain_db = min(gain_db + missing / slope, most_db)
        return gain_db, reached

    def _with_gain(self, sound: "_Waiting", gain_db: float) -> Iterator[Samples]:
        return limited(sound.read, sound.sample_count, gain_db, self._finish.true_peak_dbtp)


class _Waiting:
    """A sound in a file of bare float32 samples, to be read again and again from anywhere."""

    def __init__(self, path: Path, take: Path, blocks: Iterable[Samples]) -> None:
        self._path = path
        self.sample_count = 0
        try:
            with path.open("wb") as file:
                for block in blocks:
                    if not np.isfinite(block).all():
                        raise MediaError(f"The audio for {take.name} has samples that are no numbers.")
                    file.write(np.ascontiguousarray(block, "<f4").tobytes())
                    self.sample_count += len(block)
        except OSError as error:
            raise cannot_write(take, error) from error

    def read(self, start_sample: int, stop_sample: int) -> Samples:
        try:
            return np.fromfile(self._path, "<f4", stop_sample - start_sample, offset=start_sample * _BYTES)
        except OSError as error:
            raise OutputError(f"The unfinished sound {self._path} cannot be read back; try again.") from error

    def blocks(self) -> Iterator[Samples]:
        for start in range(0, self.sample_count, 1 << 16):
            yield self.read(start, min(start + (1 << 16), self.sample_count))
