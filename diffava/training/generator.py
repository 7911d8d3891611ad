"""Training what makes the sound: the latent transformer and T2AV's control branch, by flow matching, in one run.

Every input is left out now and then, so that text alone, a picture alone, hits alone, a performance alone and their
mixtures all work, and guidance has another side. Knows a bank's arrays, not how they were made.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffava.condition.alignment import Alignment
from diffava.condition.control_sequence import ControlSequence
from diffava.latent.control import ControlBranch
from diffava.latent.transformer import LatentTransformer
from diffava.training.clip_bank import ClipBank

FILM_DROPPED = 0.12  # the condition becomes that of the empty prompt: guidance's other side
CONTROL_SHARE = 0.65  # of a batch that is controlled; the rest keeps sound from the prompt alone alive
CROPPED = 0.25  # of the batches are shorter than a clip, since windows at cuts are
SHORTEST_FRAMES = 48
FILM_MIX = {"exact": 0.4, "vague": 0.1, "audio": 0.2, "aligned": 0.3}
GUIDE_MIX = {"both": 0.15, "energy": 0.3, "onsets": 0.25, "picture": 0.3}


class GeneratorModel(nn.Module):
    """Denoiser, control branch and what the branch reads, as one thing to train."""

    def __init__(
        self, denoiser: LatentTransformer, branch: ControlBranch | None, sequence: ControlSequence | None
    ) -> None:
        super().__init__()
        self.denoiser, self.branch, self.sequence = denoiser, branch, sequence

    def forward(
        self,
        latent: Float[Tensor, "B C L 1"],
        time: Float[Tensor, "B"],
        film: Float[Tensor, "B D"],
        control: Float[Tensor, "N L G"] | None,
        controlled: Tensor,
    ) -> Float[Tensor, "B C L 1"]:
        """The velocity of every item; `control` is that of the items numbered by `controlled` alone."""
        if self.branch is None or control is None:
            velocity: Tensor = self.denoiser(latent, time, film)
            return velocity
        hidden, steering = self.denoiser.embedded(latent, time, film)
        added = self.branch(hidden[controlled], steering[controlled], control)
        spread = [hidden.new_zeros(hidden.shape).index_add(0, controlled, part.to(hidden.dtype)) for part in added]
        velocity = self.denoiser(latent, time, film, spread)
        return velocity


@dataclass(frozen=True)
class Batch:
    """One step's clips; `seen` and `guide` are those of the controlled items."""

    latent: Tensor
    film: Tensor
    text: Tensor
    tokens: Tensor | None
    guide: Tensor
    controlled: Tensor
    token_of_frame: Tensor


class GeneratorTask:
    """Flow matching (Lipman et al. 2023) with logit-normal times (Esser et al. 2024)."""

    def __init__(
        self,
        module: GeneratorModel,
        bank: ClipBank,
        held_out: ClipBank,
        empty_prompt: Float[Tensor, "D"],
        alignment: Alignment | None,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        """Train `module` on a bank; `alignment`, frozen, turns its picture tokens into conditions if there is one."""
        self.module, self._bank, self._held_out = module, bank, held_out
        self._empty, self._alignment, self._batch_size, self._seed = empty_prompt, alignment, batch_size, seed

    def batch(self, step: int) -> Batch:
        """Clips, conditions and guides, all drawn from the step's number."""
        rng = np.random.default_rng((self._seed, step))
        rows = np.sort(rng.choice(len(self._bank), self._batch_size, replace=False))
        return self._read(self._bank, rows, rng)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The squared error of the velocity; also that of the controlled items alone."""
        count = len(batch.latent)
        time = torch.sigmoid(torch.randn(count))
        noise = torch.randn_like(batch.latent)
        spread = time[:, None, None, None]
        control = None
        if self.module.sequence is not None:
            picked = batch.controlled
            text = batch.text[picked]
            if batch.tokens is None:
                control = self.module.sequence(None, text, batch.guide, None)
            else:
                control = self.module.sequence(batch.tokens, text, batch.guide, batch.token_of_frame)
        velocity = self.module(
            (1 - spread) * batch.latent + spread * noise, time, batch.film, control, batch.controlled
        )
        error = (velocity.float() - (noise - batch.latent)).square().mean(dim=(1, 2, 3))
        losses = {"loss": error.mean()}
        if control is not None:
            losses["controlled"] = error[batch.controlled].mean()
        return losses

    def validate(self) -> dict[str, float]:
        """The losses on clips of recordings that are not trained on, with noise drawn the same every time."""
        sums: dict[str, float] = {}
        rounds = max(1, len(self._held_out) // self._batch_size)
        for number in range(rounds):
            rng = np.random.default_rng((7, number))
            rows = np.arange(number * self._batch_size, min(len(self._held_out), (number + 1) * self._batch_size))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(number)
                for name, value in self.loss(self._read(self._held_out, rows, rng)).items():
                    sums[name] = sums.get(name, 0.0) + float(value) / rounds
        return sums

    def _read(self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator) -> Batch:
        count, frames = len(rows), bank["latent"].shape[-1]
        latent = torch.from_numpy(np.asarray(bank["latent"][rows], dtype=np.float32))[..., None]
        film, text, tokens = self._conditions(bank, rows, rng)
        controlled = torch.from_numpy(np.flatnonzero(rng.random(count) < CONTROL_SHARE))
        guide = self._guides(bank, rows, rng)
        token_of_frame = torch.arange(frames) // 25
        if rng.random() < CROPPED:
            length = int(rng.integers(SHORTEST_FRAMES, frames))
            first = int(rng.integers(0, frames - length))
            span = slice(first, first + length)
            latent, guide, token_of_frame = latent[:, :, span], guide[:, span], token_of_frame[span]
        dropped = torch.from_numpy(rng.random(count) < FILM_DROPPED)
        film = torch.where(dropped[:, None], self._empty, film)
        seen = None
        if tokens is not None and self._alignment is not None:
            with torch.no_grad():
                seen = self._alignment.temporal_transformer(tokens[controlled])
        return Batch(latent, film, text, seen, guide[controlled], controlled, token_of_frame)

    def _conditions(
        self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """FiLM vectors, the text of the control sequence, and the picture's tokens (all items or none have one)."""
        names = [name for name in FILM_MIX if self._alignment is not None or name in ("exact", "vague")]
        weights = np.array([FILM_MIX[name] for name in names])
        pick = rng.choice(len(names), len(rows), p=weights / weights.sum())
        variants = rng.integers(0, bank["exact"].shape[1], len(rows))
        of = {
            "exact": np.asarray(bank["exact"][rows])[np.arange(len(rows)), variants],
            "vague": np.asarray(bank["vague"][rows])[np.arange(len(rows)), variants % bank["vague"].shape[1]],
        }
        said = np.where((rng.random(len(rows)) < 0.6)[:, None], of["exact"], of["vague"])
        text = torch.from_numpy(said.astype(np.float32))
        tokens = None
        if self._alignment is not None:
            tokens = torch.from_numpy(np.asarray(bank["tokens"][rows], dtype=np.float32))
            with torch.no_grad():
                fused = self._alignment.fuse(text, tokens).mean(dim=1)
            of["audio"] = np.asarray(bank["audio"][rows])
            of["aligned"] = torch.nn.functional.normalize(fused, dim=-1).numpy()
            if rng.random() < 0.35:  # hits and performances also come without a picture
                tokens = None
        film = np.stack([of[names[which]][row] for row, which in enumerate(pick)]).astype(np.float32)
        return torch.from_numpy(film), text, tokens

    def _guides(self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator) -> Float[Tensor, "B L G"]:
        energy, onsets = (np.asarray(bank[name][rows], dtype=np.float32) for name in ("energy", "onsets"))
        names = [name for name in GUIDE_MIX if name != "picture" or self._alignment is not None]
        weights = np.array([GUIDE_MIX[name] for name in names])
        kinds = np.array(names)[rng.choice(len(names), len(rows), p=weights / weights.sum())]
        if "picture" in names:
            from_picture = (kinds == "picture")[:, None, None]
            energy = np.where(from_picture, np.asarray(bank["seen_energy"][rows], dtype=np.float32), energy)
            onsets = np.where(from_picture, np.asarray(bank["seen_onsets"][rows], dtype=np.float32), onsets)
        has_energy = np.isin(kinds, ("both", "energy", "picture"))[:, None, None].astype(np.float32)
        has_onsets = np.isin(kinds, ("both", "onsets", "picture"))[:, None, None].astype(np.float32)
        flags = [np.broadcast_to(flag, (*energy.shape[:2], 1)) for flag in (has_energy, has_onsets)]
        return torch.from_numpy(np.concatenate([energy * has_energy, onsets * has_onsets, *flags], axis=2))
