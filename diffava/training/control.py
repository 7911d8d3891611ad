"""Training T2AV's AV ControlNet by the denoiser's own loss. Knows batches of embeddings and latents, no files.

What learns is the condition operator with the guide's layers, the branch, and, where latent-diffusion tuning is on, the
denoiser too. DiffAVA's alignment is frozen: its temporal transformer says what is seen, its fused text is the FiLM
vector (T2AV, arXiv:2403.07938; which of the parts its authors train together is not published).
"""

from typing import Any, Protocol, runtime_checkable

import torch
from diffusers import DDIMScheduler
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from diffava.condition.alignment import Alignment
from diffava.condition.control_sequence import ControlSequence
from diffava.config import SchedulerSection
from diffava.latent.control import ControlBranch
from diffava.latent.transformer import LatentTransformer
from diffava.latent.unet_control import Residuals, UNetControl
from diffava.training.prepared.batches import ControlBatch, ControlFeed
from diffava.training.processes import device_of, on_device

TIME_SHIFT = 0.7  # of the logit-normal times, towards the noise, as `diffava.training.generator` has it
HELD_OUT_CLIPS = 256


@runtime_checkable  # so that tests can check arguments against it
class ControlledDenoiser(Protocol):
    """A denoiser with its control branch, as its loss sees it."""

    denoiser: nn.Module
    branch: nn.Module

    def noised(
        self, latent: Float[Tensor, "B C L M"], noise: Float[Tensor, "B C L M"], level: Float[Tensor, "B"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The noisy latent, what is to be predicted, and the timestep; `level` is uniform in [0, 1)."""
        ...

    def predict(self, noisy: Tensor, timestep: Tensor, film: Tensor, control: Tensor, kept: Tensor) -> Tensor:
        """The prediction; the control of items whose `kept` is 0 is left out."""
        ...


class FlowControl:
    """The latent transformer: velocities of flow matching, with logit-normal times (Esser et al. 2024)."""

    def __init__(self, denoiser: LatentTransformer, branch: ControlBranch) -> None:
        self.denoiser: nn.Module = denoiser
        self.branch: nn.Module = branch
        self._denoiser, self._branch = denoiser, branch

    def noised(
        self, latent: Float[Tensor, "B C L M"], noise: Float[Tensor, "B C L M"], level: Float[Tensor, "B"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """On the straight path between both."""
        time = torch.sigmoid(torch.special.ndtri(level.clamp(1e-4, 1 - 1e-4)) + TIME_SHIFT)
        spread = time[:, None, None, None]
        return (1 - spread) * latent + spread * noise, noise - latent, time

    def predict(self, noisy: Tensor, timestep: Tensor, film: Tensor, control: Tensor, kept: Tensor) -> Tensor:
        """The velocity."""
        hidden, steering = self._denoiser.embedded(noisy, timestep, film)
        added = [kept[:, None, None] * part for part in self._branch(hidden, steering, control)]
        velocity: Tensor = self._denoiser(noisy, timestep, film, added)
        return velocity


class DiffusionControl:
    """AudioLDM's U-Net: its noise, by eq. 1 of arXiv:2305.12903, on AudioLDM's schedule."""

    def __init__(self, denoiser: Any, branch: UNetControl, schedule: SchedulerSection) -> None:
        self.denoiser: nn.Module = denoiser
        self.branch: nn.Module = branch
        self._signal = DDIMScheduler(**dict(schedule)).alphas_cumprod

    def noised(
        self, latent: Float[Tensor, "B C L M"], noise: Float[Tensor, "B C L M"], level: Float[Tensor, "B"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Any of the schedule's levels, all alike."""
        timestep = (level * len(self._signal)).long()
        signal = self._signal.to(latent)[timestep][:, None, None, None]
        return signal.sqrt() * latent + (1 - signal).sqrt() * noise, noise, timestep

    def predict(self, noisy: Tensor, timestep: Tensor, film: Tensor, control: Tensor, kept: Tensor) -> Tensor:
        """The noise."""
        added: Residuals = self.branch(noisy, timestep, film, control)
        weight = kept[:, None, None, None]
        left = Residuals(tuple(weight * part for part in added.down), weight * added.mid)
        prediction: Tensor = self.denoiser(
            noisy, timestep, encoder_hidden_states=None, class_labels=film, **left.arguments
        ).sample
        return prediction


class ControlTask:
    """The denoising loss with everything that is known about a clip given."""

    def __init__(
        self,
        controlled: ControlledDenoiser,
        sequence: ControlSequence,
        alignment: Alignment,
        feed: ControlFeed,
        empty_prompt: Float[Tensor, "D"],
        *,
        tune_denoiser: bool = False,
    ) -> None:
        """Take the parts; whichever do not learn are frozen here.

        Args:
            controlled: Denoiser and branch.
            sequence: What the branch reads.
            alignment: Frozen.
            feed: Where batches come from.
            empty_prompt: What the FiLM vector of an item becomes whose control is left out: guidance's other side.
            tune_denoiser: Latent-diffusion tuning, which T2AV compares on and off.
        """
        self._controlled, self._sequence, self._alignment, self._feed = controlled, sequence, alignment, feed
        self._empty = empty_prompt
        learning = {"branch": controlled.branch, "sequence": sequence}
        for frozen in (controlled.denoiser, alignment):
            frozen.eval().requires_grad_(False)
        if tune_denoiser:
            learning["denoiser"] = controlled.denoiser
        for part in learning.values():
            part.requires_grad_(True)
        self.module: nn.Module = nn.ModuleDict(learning)

    def batch(self, number: int) -> ControlBatch:
        """Clips, noise, conditions and guides drawn from the number."""
        return self._feed.batch(number)

    def loss(self, batch: ControlBatch) -> dict[str, Tensor]:
        """The squared error over the frames that the clip has."""
        return {"loss": self._error(batch, batch.video, batch.kept)}

    def validate(self) -> dict[str, float]:
        """The loss on held-out clips; without any control; and with each picture exchanged for another clip's.

        The last two say how much the branch helps, and how much of that it takes from the picture.
        """
        sums = dict.fromkeys(("loss", "uncontrolled", "exchanged"), 0.0)
        count = 0
        for cpu_batch in self._feed.held_out(HELD_OUT_CLIPS):
            batch: ControlBatch = on_device(cpu_batch, device_of(self.module))
            size, kept = len(batch.latent), torch.ones_like(batch.kept)
            sums["loss"] += size * float(self._error(batch, batch.video, kept))
            sums["uncontrolled"] += size * float(self._error(batch, batch.video, 0 * kept))
            sums["exchanged"] += size * float(self._error(batch, batch.video.roll(1, 0), kept))
            count += size
        return {name: value / max(1, count) for name, value in sums.items()}

    def _error(self, batch: ControlBatch, video: Float[Tensor, "B T V"], kept: Float[Tensor, "B"]) -> Tensor:
        self._place(batch.latent.device)
        with torch.no_grad():
            seen = self._alignment.temporal_transformer(video)
            film = self._film(batch)
        film = torch.where(batch.kept[:, None] > 0, film, self._empty.to(film))
        control = self._sequence(seen, batch.text, batch.guide, batch.token_of_frame)
        noisy, target, timestep = self._controlled.noised(batch.latent, batch.noise, batch.level)
        prediction = self._controlled.predict(noisy, timestep, film, control, kept)
        has_frame = batch.present[:, batch.token_of_frame][:, None, :, None].float()
        error = (prediction.float() - target).square() * has_frame
        return error.sum() / (has_frame.sum() * target.shape[1] * target.shape[3])

    def _film(self, batch: ControlBatch) -> Float[Tensor, "B D"]:
        """Each item's kind: the fused text (as in use), the prompt alone, or the sound, as AudioLDM was trained."""
        fused = self._alignment.fuse(batch.text, batch.video) * batch.present[..., None]
        of = {"aligned": normalize(fused.sum(dim=1), dim=-1), "text": batch.text, "sound": batch.sound}
        return torch.stack([of[kind][row] for row, kind in enumerate(batch.film_kind)])

    def _place(self, device: torch.device) -> None:
        """Frozen parts where the batch is; no work once they are."""
        for part in (self._controlled.denoiser, self._alignment):
            part.to(device)
