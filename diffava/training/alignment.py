"""Training DiffAVA's own part, the alignment, by eq. 2 against the frozen CLAP audio of each second.

Knows batches of embeddings, not where they come from.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from diffava.condition.alignment import Alignment
from diffava.condition.contrastive_loss import contrastive_loss
from diffava.training.clip_bank import ClipBank
from diffava.training.processes import device_of, gathered, on_device

VAGUE = 0.6  # of the prompts leave to the picture what the sound is; exact ones alone would teach to ignore it
TOKEN_NOISE = 0.1  # of the tokens' spread, while learning from drawn scenes: a held-out scene's tokens lie apart
HARDEST_SCALE = 100.0  # the inverse temperature's bound where it is learned, as in CLIP


@dataclass(frozen=True)
class AlignmentBatch:
    """Prompts, picture tokens and sounds of whole seconds; `present` says which seconds each clip has, if not all."""

    text: Float[Tensor, "B D"]
    video: Float[Tensor, "B T V"]
    seconds: Float[Tensor, "B T D"]
    present: Bool[Tensor, "B T"] | None = None


@runtime_checkable  # so that tests can check arguments against it
class AlignmentData(Protocol):
    """Where batches come from."""

    def batch(self, number: int) -> AlignmentBatch:
        """A batch to learn from, a pure function of its number."""
        ...

    def held_out(self) -> Iterator[AlignmentBatch]:
        """Batches of what is not learned from, the same each time."""
        ...


@dataclass(frozen=True)
class Objective:
    """What eq. 2 leaves open; the defaults are the equation as it is printed.

    The temperature is not named in the paper: CLIP's 0.07, fixed. Learned, it begins there. `mean_over_time` divides by
    the number of seconds, so that the loss reads the same for clips of any length.
    """

    temperature: float = 0.07
    learn_temperature: bool = False
    symmetric: bool = False
    mean_over_time: bool = False


class AlignmentTask:
    """Eq. 2 of arXiv:2305.12903.

    On several processes every clip of the step is a negative of every other. Micro-batches that one process takes one
    after another (`accumulate`) do not see each other: their clips are fewer negatives, which is not the paper's loss.
    """

    def __init__(self, alignment: Alignment, data: AlignmentData, objective: Objective | None = None) -> None:
        self.alignment, self._data = alignment, data
        self._objective = objective or Objective()
        log_scale = torch.full((), -float(np.log(self._objective.temperature)))
        self._log_scale = nn.ParameterList([nn.Parameter(log_scale, self._objective.learn_temperature)])
        self.module: nn.Module = alignment
        if self._objective.learn_temperature:
            self.module = nn.ModuleDict({"alignment": alignment, "scale": self._log_scale})

    def batch(self, number: int) -> AlignmentBatch:
        """Clips and prompts drawn from the number."""
        return self._data.batch(number)

    def loss(self, batch: AlignmentBatch) -> dict[str, Tensor]:
        """Eq. 2 over the clips of all processes, and the temperature if it is learned."""
        fused = gathered(self.alignment.fuse(batch.text, batch.video))
        present = None if batch.present is None else gathered(batch.present.float()) > 0
        losses = {"loss": self._contrast(gathered(batch.seconds), fused, present)}
        if self._objective.learn_temperature:
            losses["temperature"] = 1 / self._scale()
        return losses

    def validate(self) -> dict[str, float]:
        """On clips that are not learned from: the loss, and how well the prompt finds its sound before and after.

        `cosine`: how near each second's sound it is. `recall`: how often, of all held-out clips' sounds (the mean over
        their seconds), its own is the nearest; `rank`: where its own stands among them on average, 1 being the best.
        """
        losses, cosines, vectors = [], [], []
        for cpu_batch in self._data.held_out():
            batch: AlignmentBatch = on_device(cpu_batch, device_of(self.module))
            fused = self.alignment.fuse(batch.text, batch.video)
            said = batch.text[:, None].expand_as(fused)
            present = torch.ones_like(fused[..., 0]).bool() if batch.present is None else batch.present
            losses.append(float(self._contrast(batch.seconds, fused, batch.present)))
            cosines.append([cosine_similarity(batch.seconds, one, dim=-1)[present] for one in (said, fused)])
            vectors.append([_mean(one, present) for one in (batch.seconds, said, fused)])
        prompt, aligned = (float(torch.cat(side).mean()) for side in zip(*cosines, strict=True))
        sound, said_all, fused_all = (torch.cat(side) for side in zip(*vectors, strict=True))
        figures = {"loss": float(np.mean(losses)), "cosine_prompt": prompt, "cosine_aligned": aligned}
        for name, vector in (("prompt", said_all), ("aligned", fused_all)):
            figures[f"recall_{name}"], figures[f"rank_{name}"] = retrieval(vector, sound)
        return figures

    def _contrast(self, seconds: Tensor, fused: Tensor, present: Tensor | None) -> Tensor:
        return contrastive_loss(
            seconds,
            fused,
            temperature=1 / self._scale().to(fused),
            symmetric=self._objective.symmetric,
            mean_over_time=self._objective.mean_over_time,
            present=present,
        )

    def _scale(self) -> Tensor:
        scale: Tensor = self._log_scale[0].exp().clamp(max=HARDEST_SCALE)
        return scale


def retrieval(queries: Float[Tensor, "N D"], sounds: Float[Tensor, "N D"]) -> tuple[float, float]:
    """How often a query's own sound is the nearest of all, and its mean place; ties count half."""
    scores = queries @ sounds.T
    own = scores.diagonal()[:, None]
    better, equal = (scores > own).sum(dim=1), (scores == own).sum(dim=1) - 1
    places = 1 + better + equal / 2
    return float((places == 1).float().mean()), float(places.mean())


def _mean(embeddings: Float[Tensor, "B T D"], present: Bool[Tensor, "B T"]) -> Float[Tensor, "B D"]:
    """The mean over the seconds that there are, of unit length."""
    return normalize((embeddings * present[..., None]).sum(dim=1), dim=-1)


class BankAlignmentData:
    """Composed clips of `diffava.training.banks`: an exact or a vague prompt of each, drawn anew each time."""

    def __init__(self, bank: ClipBank, held_out: ClipBank, batch_size: int = 128) -> None:
        self._bank, self._held_out, self._batch_size = bank, held_out, batch_size

    def batch(self, number: int) -> AlignmentBatch:
        """Clips and prompts drawn from the number."""
        rng = np.random.default_rng((11, number))
        rows = np.sort(rng.choice(len(self._bank), self._batch_size, replace=False))
        batch = self._read(self._bank, rows, rng)
        noise = torch.from_numpy(rng.standard_normal(batch.video.shape, np.float32))
        return replace(batch, video=batch.video + TOKEN_NOISE * batch.video.std() * noise)

    def held_out(self) -> Iterator[AlignmentBatch]:
        """All clips of unseen recordings at once."""
        yield self._read(self._held_out, np.arange(len(self._held_out)), np.random.default_rng(12))

    def _read(self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator) -> AlignmentBatch:
        vague = rng.random(len(rows)) < VAGUE
        numbers = np.arange(len(rows))
        exact = np.asarray(bank["exact"][rows])[numbers, rng.integers(0, bank["exact"].shape[1], len(rows))]
        loose = np.asarray(bank["vague"][rows])[numbers, rng.integers(0, bank["vague"].shape[1], len(rows))]
        seconds = np.asarray(bank["seconds"][rows], np.float32)
        video = np.asarray(bank["tokens"][rows][:, : seconds.shape[1]], np.float32)
        said = np.where(vague[:, None], loose, exact).astype(np.float32)
        return AlignmentBatch(torch.from_numpy(said), torch.from_numpy(video), torch.from_numpy(seconds))
