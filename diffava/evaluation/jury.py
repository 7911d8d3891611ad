"""The two judges, and what they say of real held-out recordings, which is what generated sounds are held against."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int64

from diffava.evaluation.cases import Case
from diffava.evaluation.judge import Judge, heard_by
from diffava.evaluation.judge_training import held_out_clips
from diffava.sounds.takes import RATE_HZ, TakeLibrary

REAL_PER_KIND = 8
WINDOW_SAMPLES = round(0.96 * RATE_HZ)  # of one row of FAD, as VGGish has it


@dataclass(frozen=True, eq=False)
class Jury:
    """Judge `a` learnt from all recordings but the held-out ones, judge `b` only from what no generator ever heard."""

    a: Judge
    b: Judge
    library: TakeLibrary
    real_per_kind: int = REAL_PER_KIND

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that both can name."""
        return self.a.kinds

    def named_right(
        self, judge: Judge, sounds: list[Float[np.ndarray, "_"]], labels: Int64[np.ndarray, "N"]
    ) -> list[float]:
        """1 for each sound that a judge calls by its label, else 0."""
        right: list[float] = (heard_by(judge, sounds)[0].argmax(1) == labels).astype(float).tolist()
        return right

    def labels(self, cases: tuple[Case, ...]) -> Int64[np.ndarray, "N"]:
        """The index of each case's first kind."""
        return np.array([self.kinds.index(case.score.sources[0].kind) for case in cases])

    @cached_property
    def real(self) -> tuple[list[Float[np.ndarray, "_"]], Int64[np.ndarray, "N"]]:
        """Clips composed of held-out takes, as many of each kind, and their labels."""
        return held_out_clips(self.library, self.kinds, self.real_per_kind)

    @cached_property
    def real_right(self) -> tuple[list[float], list[float]]:
        """Whether judge a, and judge b, names each real clip rightly."""
        clips, labels = self.real
        return self.named_right(self.a, clips, labels), self.named_right(self.b, clips, labels)

    @cached_property
    def real_features(self) -> Float[np.ndarray, "N D"]:
        """Judge a's features of the real clips."""
        return heard_by(self.a, self.real[0])[1]

    @cached_property
    def real_windows(self) -> Float[np.ndarray, "N D"]:
        """Judge a's features of the real clips' windows."""
        return self.windows(self.real[0]).reshape(-1, self.real_features.shape[1])

    def windows(self, sounds: list[Float[np.ndarray, "_"]]) -> Float[np.ndarray, "N W D"]:
        """Judge a's features of the windows of 0.96 s of each clip, none overlapping."""
        count = len(sounds[0]) // WINDOW_SAMPLES
        parts = [part for sound in sounds for part in np.split(sound[: count * WINDOW_SAMPLES], count)]
        return heard_by(self.a, parts)[1].reshape(len(sounds), count, -1)


def ratio_interval(
    values: list[float], references: list[float], rounds: int = 500, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap interval of the ratio of two independent means."""
    rng = np.random.default_rng(seed)
    one, other = np.array(values), np.array(references)
    drawn = [rng.choice(one, len(one)).mean() / max(1e-9, rng.choice(other, len(other)).mean()) for _ in range(rounds)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)
