"""From noise to the latents of all takes: the loop over the solver's steps. Knows no audio and no encoder."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.config import FlowSection, SchedulerSection
from diffava.errors import RequestError
from diffava.latent.denoiser import Denoiser, GuidedDenoiser
from diffava.latent.noise import TakeNoise
from diffava.latent.noise_schedule import DiffusionSampler, FlowSampler, Sampler
from diffava.latent.regeneration import KeptLatent, frames_made_anew, step_down_and_back_up
from diffava.latent.windows import Window, WindowPlan, plan_windows
from diffava.spec import Condition, FoleyRequest, Latent, Progress, Spec

PASSES_OF_REGENERATION = 5  # of each noise level; what each more buys is in the README.md of this folder


class LatentDiffusion:
    """Latent diffusion over a range of any length, for several takes at once."""

    def __init__(
        self,
        denoiser: Denoiser,
        spec: Spec,
        schedule: SchedulerSection | FlowSection,
        windows_per_forward: int | None = None,
    ) -> None:
        """Wrap a denoiser of noise (`SchedulerSection`) or velocity (`FlowSection`).

        `windows_per_forward` is that of `GuidedDenoiser`.
        """
        self._denoiser = denoiser
        self._guided = GuidedDenoiser(denoiser, windows_per_forward)
        self._spec = spec
        self._schedule = schedule

    @torch.inference_mode()
    def sample(
        self,
        request: FoleyRequest,
        condition: Condition,
        kept_latent: Float[Tensor, "C L M"] | None,
        on_progress: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
    ) -> Latent:
        """Denoise one latent a seed.

        Args:
            request: Length, cuts, seeds, solver, steps and guidance; `kept` says which part is made anew.
            condition: One FiLM vector a shot, and what happens when.
            kept_latent: The latent of `request.kept`, if there is one.
            on_progress: Called before the first step and after each.
            is_cancelled: Asked before each forward of the denoiser.

        Raises:
            CancelledError: `is_cancelled` said so.
            RequestError: The solver cannot place that many steps.
        """
        sampler = self._sampler(request)
        plan = plan_windows(self._spec, request.sample_count, request.cut_samples, self._denoiser.length_multiple)
        kept = self._kept(request, kept_latent, plan)
        windows = plan.windows if kept is None else _windows_touching(plan, kept)
        condition = self._on_device(condition)
        streams = [TakeNoise(seed) for seed in request.seeds]

        def predict(latent: Tensor, step: int) -> Tensor:
            prediction = self._guided.predict(
                latent, sampler.timesteps[step], windows, condition, request.guidance_scale, is_cancelled
            )
            return prediction if kept is None else kept.hold(latent, prediction, sampler, step)

        latent = self._draw(streams, plan)
        if kept is not None:
            latent = kept.noised(latent, sampler.noise_level(0))
        on_progress(Progress("latent", 0, request.step_count))
        for step in range(request.step_count):
            if kept is not None and step + 1 < request.step_count:
                for _ in range(PASSES_OF_REGENERATION - 1):
                    fresh = self._draw(streams, plan)
                    latent = step_down_and_back_up(latent, predict(latent, step), sampler, step, fresh)
            latent = sampler.step(predict(latent, step), step, latent)
            on_progress(Progress("latent", step + 1, request.step_count))
        return Latent(latent[:, :, : plan.frames])

    def _sampler(self, request: FoleyRequest) -> Sampler:
        if isinstance(self._schedule, FlowSection):
            if request.sampler not in (None, "euler"):
                raise RequestError(f"The sampler '{request.sampler}' is for models that predict noise; choose 'euler'.")
            return FlowSampler(request.step_count, self._schedule)
        return DiffusionSampler(request.sampler or "dpmpp_2m", request.step_count, self._schedule)

    def _draw(self, streams: list[TakeNoise], plan: WindowPlan) -> Tensor:
        size = (self._spec.latent_channels, plan.padded_frames, self._spec.latent_mel_bins)
        return torch.stack([stream.draw(*size) for stream in streams]).to(self._denoiser.device)

    def _on_device(self, condition: Condition) -> Condition:
        device = self._denoiser.device
        control = None if condition.control is None else condition.control.to(device)
        return replace(
            condition,
            shots=condition.shots.to(device),
            unconditional=condition.unconditional.to(device),
            control=control,
        )

    def _kept(self, request: FoleyRequest, values: Tensor | None, plan: WindowPlan) -> KeptLatent | None:
        if request.kept is None or values is None:
            return None
        mask = frames_made_anew(self._spec, request.kept, plan.padded_frames)
        padding = values[:, -1:].expand(-1, plan.padded_frames - plan.frames, -1)
        padded = torch.cat([values, padding], dim=1)
        return KeptLatent(padded.to(self._denoiser.device, torch.float32), mask.to(self._denoiser.device))


def _windows_touching(plan: WindowPlan, kept: KeptLatent) -> tuple[Window, ...]:
    """Windows with a vote in a frame that is made anew; the others predict what is replaced anyway."""
    mask = kept.made_anew.cpu()
    return tuple(w for w in plan.windows if bool((mask[w.start : w.stop] & (w.weights > 0)).any()))
