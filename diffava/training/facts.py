"""What a model was trained on and with: counted from the recordings, or said by whoever ran the training."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import soundfile
from pydantic import BaseModel, ConfigDict

from diffava.sounds.recordings import Recording


class DataFacts(BaseModel):
    """Counts over the recordings; seconds and files by split, files by licence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[str, ...]
    recordings: dict[str, int]
    seconds: dict[str, float]
    licences: dict[str, int]  # of what was trained on: the generator's split


class RunFacts(BaseModel):
    """What no file says: how long each part was trained on which hardware, and what was tried in vain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hardware: str  # its class, such as "2 CPU cores"
    hours: dict[str, float]  # by part, in the order of training
    steps: dict[str, int] = {}
    notes: tuple[str, ...] = ()  # a sentence each: what fell short and what was tried


class TrainingFacts(BaseModel):
    """Both, as they are kept beside the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataFacts
    run: RunFacts


def count_data(recordings: Iterable[Recording]) -> DataFacts:
    """Count files and their seconds, as they lie on disk before silence is trimmed."""
    counts: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    kinds: set[str] = set()
    for recording in recordings:
        counts[recording.split] += 1
        seconds[recording.split] += float(soundfile.info(recording.path).duration)
        if recording.split == "generator":
            kinds.add(recording.kind)
            licences[recording.licence.partition(" (")[0]] += 1
    return DataFacts(
        kinds=tuple(sorted(kinds)),
        recordings=dict(sorted(counts.items())),
        seconds={split: round(total, 1) for split, total in sorted(seconds.items())},
        licences=dict(sorted(licences.items())),
    )
