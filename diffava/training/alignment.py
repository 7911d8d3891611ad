"""Training DiffAVA's own part, the alignment, by eq. 2 against the frozen CLAP audio of each second.

Knows a bank's arrays, not how they were made.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from diffava.condition.alignment import Alignment
from diffava.condition.contrastive_loss import contrastive_loss
from diffava.training.clip_bank import ClipBank

VAGUE = 0.6  # of the prompts leave to the picture what the sound is; exact ones alone would teach to ignore it


@dataclass(frozen=True)
class AlignmentBatch:
    """Prompts, picture tokens and sounds of whole seconds."""

    text: Float[Tensor, "B D"]
    video: Float[Tensor, "B T V"]
    seconds: Float[Tensor, "B T D"]


class AlignmentTask:
    """Eq. 2 of arXiv:2305.12903, in batches of 128 as the paper has them."""

    def __init__(self, module: Alignment, bank: ClipBank, held_out: ClipBank, batch_size: int = 128) -> None:
        self.module = module
        self._bank, self._held_out, self._batch_size = bank, held_out, batch_size

    def batch(self, step: int) -> AlignmentBatch:
        """Clips and prompts drawn from the step's number."""
        rng = np.random.default_rng((11, step))
        return self._read(self._bank, np.sort(rng.choice(len(self._bank), self._batch_size, replace=False)), rng)

    def loss(self, batch: AlignmentBatch) -> dict[str, Tensor]:
        """Eq. 2, divided by the number of seconds so that it reads the same for clips of any length."""
        fused = self.module.fuse(batch.text, batch.video)
        return {"loss": contrastive_loss(batch.seconds, fused, mean_over_time=True)}

    def validate(self) -> dict[str, float]:
        """On clips of unseen recordings: the loss, and how near each second's sound the prompt is before and after."""
        batch = self._read(self._held_out, np.arange(len(self._held_out)), np.random.default_rng(12))
        fused = self.module.fuse(batch.text, batch.video)
        said = batch.text[:, None].expand_as(fused)
        return {
            "loss": float(contrastive_loss(batch.seconds, fused, mean_over_time=True)),
            "cosine_prompt": float(cosine_similarity(batch.seconds, said, dim=-1).mean()),
            "cosine_aligned": float(cosine_similarity(batch.seconds, fused, dim=-1).mean()),
        }

    def _read(self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator) -> AlignmentBatch:
        vague = rng.random(len(rows)) < VAGUE
        numbers = np.arange(len(rows))
        exact = np.asarray(bank["exact"][rows])[numbers, rng.integers(0, bank["exact"].shape[1], len(rows))]
        loose = np.asarray(bank["vague"][rows])[numbers, rng.integers(0, bank["vague"].shape[1], len(rows))]
        seconds = np.asarray(bank["seconds"][rows], np.float32)
        video = np.asarray(bank["tokens"][rows][:, : seconds.shape[1]], np.float32)
        said = np.where(vague[:, None], loose, exact).astype(np.float32)
        return AlignmentBatch(torch.from_numpy(said), torch.from_numpy(video), torch.from_numpy(seconds))
