"""How a judge is trained: on clips composed of real recordings of given splits, and on nothing that a model made.

A judge is shown single takes and whole compositions, since both are asked of it later. The recordings of a kind are
few, so what says nothing about the kind is varied: pitch, place, equalisation, noise, missing bands and moments, and
two clips at once (mixup, arXiv:1710.09412, here as the sum of two sounds; masks as in SpecAugment, arXiv:1904.08779).
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from diffava.evaluation.judge import (
    CLIP_S,
    CLIP_SAMPLES,
    MEL_BINS,
    Hearing,
    Judge,
    heard_by,
    load_judge,
    relative,
    save_judge,
)
from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.kinds import kinds
from diffava.sounds.recordings import Split
from diffava.sounds.takes import TakeLibrary
from diffava.training.loop import load_weights, train
from diffava.training.plan import Plan

VERSION = 1  # of the training: raise it when the training changes
LEAST_ORIGINS = 3  # a kind that fewer sessions of a split recorded says more about a session than about the kind
BATCH = 32
CLIPS_PER_KIND = 110


@dataclass(frozen=True)
class JudgePlan:
    """Which recordings a judge learns from; judge "b" never hears what the generator was trained on."""

    name: str
    splits: tuple[Split, ...]
    step_count: int = 1200
    seed: int = 0


JUDGES = (JudgePlan("a", ("generator", "judge")), JudgePlan("b", ("judge",)))


def judged_kinds(library: TakeLibrary) -> tuple[str, ...]:
    """The kinds of a benchmark: all that at least three sessions recorded in every split."""

    def enough(kind: str, split: Split) -> bool:
        return len({take.origin for take in library.of(kind, split)}) >= LEAST_ORIGINS

    return tuple(k.name for k in kinds() if all(enough(k.name, s) for s in ("generator", "judge", "held_out")))


class JudgeTask:
    """Training a judge with `diffava.training.loop`."""

    def __init__(self, library: TakeLibrary, plan: JudgePlan, clips_per_kind: int = CLIPS_PER_KIND) -> None:
        torch.manual_seed(plan.seed)
        self.judge = Judge(judged_kinds(library))
        self.module: nn.Module = self.judge
        self._library, self._plan = library, plan
        hearing, mels = Hearing(), []
        for index, kind in enumerate(self.judge.kinds):
            for number in range(clips_per_kind):
                rng = np.random.default_rng([plan.seed, index, number])
                mels.append(hearing.log_mel(training_clip(library, plan.splits, kind, rng)).half())
        self._mels = torch.stack(mels)
        self._clips_per_kind = clips_per_kind

    def batch(self, step: int) -> tuple[Float[Tensor, "B T M"], Float[Tensor, "B K"]]:
        """Varied clips and the share of each kind in each."""
        rng = np.random.default_rng([self._plan.seed, 1, step])
        count = len(self.judge.kinds)
        labels = torch.from_numpy(rng.permutation(np.resize(rng.permutation(count), BATCH)))
        rows = labels * self._clips_per_kind + torch.from_numpy(rng.integers(self._clips_per_kind, size=BATCH))
        mels = torch.stack([_varied(mel, rng) for mel in self._mels[rows].float()])
        targets = torch.nn.functional.one_hot(labels, count).float()
        return _mixed(mels, targets, rng)

    def loss(self, batch: tuple[Float[Tensor, "B T M"], Float[Tensor, "B K"]]) -> dict[str, Tensor]:
        """Cross entropy with a little label smoothing."""
        shown, targets = batch
        return {"loss": cross_entropy(self.module(shown), targets, label_smoothing=0.05)}

    def validate(self) -> dict[str, float]:
        """How often it names a clip composed of held-out takes rightly, every kind counting the same."""
        clips, labels = held_out_clips(self._library, self.judge.kinds, 4)
        return {"held_out_accuracy": float((heard_by(self.judge, clips)[0].argmax(1) == labels).mean())}


def training_clip(library: TakeLibrary, splits: tuple[Split, ...], kind: str, rng: Generator) -> Float[np.ndarray, "S"]:
    """A composition or a single take, up to a fifth higher or lower and so faster or slower."""
    takes = {split: library.of(kind, split) for split in splits}
    sizes = np.array([len({take.origin for take in found}) for found in takes.values()], float)
    split = splits[rng.choice(len(splits), p=sizes / sizes.sum())]
    speed = float(np.exp(rng.uniform(-1, 1) * math.log(1.2)))
    if rng.random() < 0.6:
        drawn = draw_clip(library, split, CLIP_S * speed, int(rng.integers(2**31)), kinds=(kind,))
        return _at_speed(waveform_of(drawn, library), speed)
    origins = sorted({take.origin for take in takes[split]})
    origin = origins[rng.integers(len(origins))]  # a session with many takes is not heard more often than one with few
    of_origin = [take for take in takes[split] if take.origin == origin]
    take = _at_speed(library.waveform(of_origin[rng.integers(len(of_origin))]), speed)[:CLIP_SAMPLES]
    whole = np.zeros(CLIP_SAMPLES, np.float32)
    start = rng.integers(CLIP_SAMPLES - len(take) + 1)
    whole[start : start + len(take)] = take
    return whole


def held_out_clips(
    library: TakeLibrary, names: tuple[str, ...], per_kind: int, first_seed: int = 7_000_000
) -> tuple[list[Float[np.ndarray, "_"]], Int64[np.ndarray, "N"]]:
    """Clips composed of held-out takes, the same number of each kind, and the index of each one's kind."""
    clips = []
    for index, name in enumerate(names):
        for number in range(per_kind):
            drawn = draw_clip(library, "held_out", CLIP_S, first_seed + index * 1000 + number, kinds=(name,))
            clips.append(waveform_of(drawn, library))
    return clips, np.repeat(np.arange(len(names)), per_kind)


def train_judge(library: TakeLibrary, plan: JudgePlan, folder: Path, say: Callable[[str], None] = print) -> Judge:
    """The judge of a plan, from `folder` if it was trained before."""
    name = f"judge-{plan.name}-{fingerprint(library, plan)}"
    path, run = folder / f"{name}.safetensors", folder / name
    if path.exists():
        return load_judge(path)
    task = JudgeTask(library, plan)
    schedule = Plan(
        plan.step_count, learning_rate=4e-3, weight_decay=0.05, average=0.99, mixed_precision="bf16", seed=plan.seed
    )
    load_weights(task.module, train(task, run, schedule, say, device="cpu"))  # it listens there
    save_judge(task.judge, path)
    return task.judge.eval()


def fingerprint(library: TakeLibrary, plan: JudgePlan) -> str:
    """What a judge hangs on, so that one of other recordings or of another plan is not taken for it."""
    made_of = json.dumps([VERSION, asdict(plan), [asdict(take) for take in library.takes]])
    return hashlib.sha256(made_of.encode()).hexdigest()[:8]


def _at_speed(samples: Float[np.ndarray, "S"], speed: float) -> Float[np.ndarray, "N"]:
    """Linear interpolation: the faint images that it leaves far up are no clue to the kind."""
    positions = np.arange(int(len(samples) / speed)) * speed
    return np.asarray(np.interp(positions, np.arange(len(samples)), samples), np.float32)


def _varied(log_mel: Float[Tensor, "T M"], rng: Generator) -> Float[Tensor, "T M"]:
    mel = log_mel.roll(int(rng.integers(log_mel.shape[0])), 0) if rng.random() < 0.3 else log_mel
    knots = np.interp(np.arange(MEL_BINS), np.linspace(0, MEL_BINS - 1, 6), rng.normal(0, 0.6, 6))
    mel = mel + torch.from_numpy(knots).float()
    if rng.random() < 0.5:
        level = mel.amax() - rng.uniform(3, 7)
        slope = torch.linspace(0, float(rng.uniform(-2, 2)), MEL_BINS)
        noise = level + slope + 0.3 * torch.from_numpy(rng.standard_normal(tuple(mel.shape))).float()
        mel = torch.logaddexp(mel, noise)
    return mel


def _mixed(
    mels: Float[Tensor, "B T M"], targets: Float[Tensor, "B K"], rng: Generator
) -> tuple[Float[Tensor, "B T M"], Float[Tensor, "B K"]]:
    """Three clips in ten are given a fainter second one; then bands and moments of what is shown are hidden."""
    others = torch.from_numpy(rng.permutation(len(mels)))
    share = torch.from_numpy(np.where(rng.random(len(mels)) < 0.3, rng.uniform(0, 0.5, len(mels)), 0)).float()
    peaks = mels.amax((1, 2), keepdim=True)
    mels = mels - peaks
    second = mels[others] + (share.clamp(min=1e-9) / (1 - share)).log()[:, None, None]
    shown = relative(torch.where(share[:, None, None] > 0, torch.logaddexp(mels, second), mels))
    for clip in shown:
        for _ in range(2):
            width, first = int(rng.integers(0, 10)), int(rng.integers(0, MEL_BINS))
            clip[:, first : first + width] = 0
            length, begin = int(rng.integers(0, 50)), int(rng.integers(0, len(clip)))
            clip[begin : begin + length] = 0
    return shown, targets * (1 - share[:, None]) + targets[others] * share[:, None]
