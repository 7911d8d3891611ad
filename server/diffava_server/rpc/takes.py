"""What went out of each take: that it is whole and in order, and its hash for the receipt. Knows no network."""

import hashlib

import numpy as np

from diffava_server.engine.protocol import Audio, Job
from diffava_server.errors import EngineFailedError


class SentTakes:
    """Follows the audio of one job. A take that is a sample short would shift everything behind it on a timeline."""

    def __init__(self, job: Job) -> None:
        self._sample_count = job.sample_count
        self._hashes = [hashlib.sha256() for _ in job.seeds]
        self._take = 0
        self._next_sample = 0

    def add(self, audio: Audio) -> None:
        """Note the next block.

        Raises:
            EngineFailedError: It does not follow the one before, is longer than the take, or is no sound at all.
        """
        if self._next_sample == self._sample_count:
            self._take, self._next_sample = self._take + 1, 0
        stop_sample = self._next_sample + len(audio.pcm_f32le) // 4
        follows = (audio.take, audio.first_sample) == (self._take, self._next_sample)
        if not follows or self._take >= len(self._hashes) or stop_sample > self._sample_count:
            raise EngineFailedError(
                f"The engine gave sample {audio.first_sample} of take {audio.take} where sample {self._next_sample} of "
                f"take {self._take} was due; this is a defect of the model, please report it."
            )
        if not np.isfinite(np.frombuffer(audio.pcm_f32le, "<f4")).all():
            raise EngineFailedError(
                f"The model gave values that are no numbers, near sample {audio.first_sample} of take {audio.take}; "
                "try another guidance scale or seed."
            )
        self._hashes[self._take].update(audio.pcm_f32le)
        self._next_sample = stop_sample

    def sha256(self) -> tuple[str, ...]:
        """Each take's hash, once all are whole.

        Raises:
            EngineFailedError: Something is missing.
        """
        if (self._take, self._next_sample) != (len(self._hashes) - 1, self._sample_count):
            raise EngineFailedError(
                f"The engine ended at sample {self._next_sample} of take {self._take}, and {len(self._hashes)} takes "
                f"of {self._sample_count} samples were due; this is a defect of the model, please report it."
            )
        return tuple(take.hexdigest() for take in self._hashes)
