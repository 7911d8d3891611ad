"""Training what makes the sound: the latent transformer and T2AV's control branch, by flow matching, in one run.

Every input is left out now and then, so that text alone, a picture alone, hits alone, a performance alone and their
mixtures all work, and guidance has another side. Knows a bank's arrays, not how they were made.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from diffava.condition.alignment import Alignment
from diffava.condition.control_sequence import ControlSequence
from diffava.latent.control import ControlBranch
from diffava.latent.transformer import LatentTransformer
from diffava.training.clip_bank import ClipBank
from diffava.training.processes import device_of, on_device

TIME_SHIFT = 0.7  # of the logit-normal times, towards the noise, where it is decided what is heard
FILM_DROPPED = 0.1  # the condition becomes that of the empty prompt: guidance's other side
CONTROL_SHARE = 0.5  # of a batch that is controlled; the rest keeps sound from the prompt alone alive
CROPPED = 0.25  # of the batches are shorter than a clip, since windows at cuts are
SHORTEST_FRAMES = 48
TOKEN_FRAMES = 25  # latent frames of a picture token: a second
SEEN_SHARE = 0.6  # of the batches have pictures; hits and performances also come without
FILM_MIX = {"exact": 0.8, "vague": 0.2}
FILM_MIX_SEEN = {"exact": 0.25, "vague": 0.05, "audio": 0.2, "aligned": 0.5}
GUIDE_MIX = {"both": 0.2, "energy": 0.45, "onsets": 0.35}
GUIDE_MIX_SEEN = {"both": 0.1, "energy": 0.15, "onsets": 0.15, "picture": 0.6}


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
    """One step's clips; `tokens` and `guide` are those of the controlled items."""

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
        heard: ClipBank,
        held_out: ClipBank,
        empty_prompt: Float[Tensor, "D"],
        batch_size: int = 32,
        seen: ClipBank | None = None,
        alignment: Alignment | None = None,
    ) -> None:
        """Train `module` on clips that are only heard, and on some that are `seen` as well.

        A frozen `alignment` turns the picture tokens of those into conditions.
        """
        self.module, self._heard, self._seen, self._held_out = module, heard, seen, held_out
        self._empty, self._alignment, self._batch_size = empty_prompt, alignment, batch_size

    def batch(self, step: int) -> Batch:
        """Clips, conditions and guides, all drawn from the step's number."""
        rng = np.random.default_rng((0, step))
        seen = self._seen is not None and rng.random() < SEEN_SHARE
        bank = self._seen if seen and self._seen is not None else self._heard
        rows = np.sort(rng.choice(len(bank), self._batch_size, replace=False))
        return self._read(bank, rows, rng)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The squared error of the velocity; also that of the controlled items alone."""
        # Drawn on the CPU, whose generator the loop seeds by the batch's number: a GPU then computes with the same.
        time = torch.sigmoid(torch.randn(len(batch.latent)) + TIME_SHIFT).to(batch.latent)
        noise = torch.randn(batch.latent.shape).to(batch.latent)
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
                batch = on_device(self._read(self._held_out, rows, rng), device_of(self.module))
                for name, value in self.loss(batch).items():
                    sums[name] = sums.get(name, 0.0) + float(value) / rounds
        return sums

    def _read(self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator) -> Batch:
        count, frames = len(rows), bank["latent"].shape[-1]
        latent = torch.from_numpy(np.asarray(bank["latent"][rows], dtype=np.float32))[..., None]
        film, text, seen = self._conditions(bank, rows, rng)
        controlled = torch.from_numpy(np.flatnonzero(rng.random(count) < CONTROL_SHARE))
        guide = self._guides(bank, rows, rng)
        token_of_frame = torch.arange(frames) // TOKEN_FRAMES
        if rng.random() < CROPPED:
            length = int(rng.integers(SHORTEST_FRAMES, frames))
            first = int(rng.integers(0, frames - length))
            span = slice(first, first + length)
            latent, guide, token_of_frame = latent[:, :, span], guide[:, span], token_of_frame[span]
        dropped = torch.from_numpy(rng.random(count) < FILM_DROPPED)
        film = torch.where(dropped[:, None], self._empty, film)
        tokens = None if seen is None else seen[controlled]
        return Batch(latent, film, text, tokens, guide[controlled], controlled, token_of_frame)

    def _conditions(
        self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """FiLM vectors, the prompts' embeddings, and what the temporal transformer makes of the pictures, if any."""
        numbers = np.arange(len(rows))
        exact, vague = (
            np.asarray(bank[name][rows])[numbers, rng.integers(0, bank[name].shape[1], len(rows))]
            for name in ("exact", "vague")
        )
        said = np.where((rng.random(len(rows)) < 0.6)[:, None], exact, vague).astype(np.float32)
        text, seen, mix = torch.from_numpy(said), None, FILM_MIX
        of = {"exact": exact, "vague": vague}
        if self._alignment is not None and "tokens" in bank:
            mix = FILM_MIX_SEEN
            tokens = torch.from_numpy(np.asarray(bank["tokens"][rows], dtype=np.float32))
            with torch.no_grad():
                seen = self._alignment.temporal_transformer(tokens)
                aligned = normalize(self._alignment.fuse(text, tokens).mean(dim=1), dim=-1)
            of |= {"audio": np.asarray(bank["audio"][rows]), "aligned": aligned.numpy()}
        names = list(mix)
        pick = rng.choice(len(names), len(rows), p=list(mix.values()))
        film = np.stack([of[names[which]][row] for row, which in enumerate(pick)]).astype(np.float32)
        return torch.from_numpy(film), text, seen

    def _guides(self, bank: ClipBank, rows: np.ndarray, rng: np.random.Generator) -> Float[Tensor, "B L G"]:
        mix = GUIDE_MIX_SEEN if self._alignment is not None and "tokens" in bank else GUIDE_MIX
        kinds = np.array(list(mix))[rng.choice(len(mix), len(rows), p=list(mix.values()))][:, None, None]
        energy, onsets = (np.asarray(bank[name][rows], dtype=np.float32) for name in ("energy", "onsets"))
        if "picture" in mix:
            energy = np.where(kinds == "picture", np.asarray(bank["seen_energy"][rows], dtype=np.float32), energy)
            onsets = np.where(kinds == "picture", np.asarray(bank["seen_onsets"][rows], dtype=np.float32), onsets)
        has_energy, has_onsets = (kinds != "onsets").astype(np.float32), (kinds != "energy").astype(np.float32)
        flags = [np.broadcast_to(flag, (*energy.shape[:2], 1)) for flag in (has_energy, has_onsets)]
        return torch.from_numpy(np.concatenate([energy * has_energy, onsets * has_onsets, *flags], axis=2))
