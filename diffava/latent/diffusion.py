"""From noise to the latents of all takes: the loop over the solver's steps. Knows no audio and no encoder.

The loop is written for one request; several run in turns, and what they ask of the denoiser is predicted together.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.config import FlowSection, SchedulerSection
from diffava.errors import CancelledError, DiffavaError, MemoryRanOutError, RequestError
from diffava.latent.denoiser import Denoiser
from diffava.latent.guided import Asked, Forwards, GuidedDenoiser
from diffava.latent.noise import TakeNoise
from diffava.latent.noise_schedule import DiffusionSampler, FlowSampler, Sampler
from diffava.latent.regeneration import KeptLatent, frames_made_anew, step_down_and_back_up
from diffava.latent.windows import Window, WindowPlan, plan_windows
from diffava.spec import Condition, Cue, FoleyRequest, Latent, Progress, Spec
from diffava.survivors import want_of_memory_told

PASSES_OF_REGENERATION = 5  # of each noise level; what each more buys is in the README.md of this folder
ONE_WINDOW = Forwards(1)


@dataclass(frozen=True, eq=False)
class LatentJob:
    """One request's part in `LatentDiffusion.sample_together`; `kept_latent` is that of `KeptPart.waveform`."""

    cue: Cue
    condition: Condition
    kept_latent: Float[Tensor, "C L M"] | None = None


class LatentDiffusion:
    """Latent diffusion over a range of any length, for several takes at once."""

    def __init__(
        self,
        denoiser: Denoiser,
        spec: Spec,
        schedule: SchedulerSection | FlowSection,
        forwards: Forwards = ONE_WINDOW,
    ) -> None:
        """Wrap a denoiser of noise (`SchedulerSection`) or velocity (`FlowSection`)."""
        self._denoiser = denoiser
        self._guided = GuidedDenoiser(denoiser, forwards)
        self._spec = spec
        self._schedule = schedule

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
        cue = Cue(request, (), on_progress, is_cancelled)
        (outcome,) = self.sample_together([LatentJob(cue, condition, kept_latent)])
        if isinstance(outcome, DiffavaError):
            raise outcome
        return outcome

    @torch.inference_mode()
    def sample_together(self, jobs: Sequence[LatentJob]) -> list[Latent | DiffavaError]:
        """Denoise several requests, whose windows share the denoiser's forwards where they can.

        Each gets what `sample` would give or raise, to the bit, whatever becomes of the others. Where not even one
        window fits into the memory, all that are left get a `MemoryRanOutError`.
        """
        outcomes: dict[int, Latent | DiffavaError] = {}
        runs = {number: self._run(job) for number, job in enumerate(jobs)}
        answers: dict[int, Tensor | CancelledError | None] = dict.fromkeys(runs)
        while answers:
            asked: dict[int, Asked] = {}
            for number, answer in answers.items():
                try:
                    if isinstance(answer, CancelledError):
                        raise answer
                    asked[number] = runs[number].send(answer)
                except StopIteration as ended:
                    outcomes[number] = ended.value
                except DiffavaError as error:
                    outcomes[number] = error
            try:
                with want_of_memory_told():
                    answers = dict(zip(asked, self._guided.predict(list(asked.values())), strict=True))
            except MemoryRanOutError as error:
                answers = {}
                outcomes |= dict.fromkeys(asked, error)
        return [outcomes[number] for number in range(len(jobs))]

    def _run(self, job: LatentJob) -> Generator[Asked, Any, Latent]:
        """All steps of one request; yields where it needs the denoiser, and is sent what that predicts."""
        request, cue = job.cue.request, job.cue
        sampler = self._sampler(request)
        plan = plan_windows(self._spec, request.sample_count, request.cut_samples, self._denoiser.length_multiple)
        kept = self._kept(request, job.kept_latent, plan)
        windows = plan.windows if kept is None else _windows_touching(plan, kept)
        condition = self._on_device(job.condition)
        streams = [TakeNoise(seed) for seed in request.seeds]

        def predict(latent: Tensor, step: int) -> Generator[Asked, Tensor, Tensor]:
            timestep = sampler.timesteps[step]
            prediction = yield Asked(latent, timestep, windows, condition, request.guidance_scale, cue.is_cancelled)
            return prediction if kept is None else kept.hold(latent, prediction, sampler, step)

        latent = self._draw(streams, plan)
        if kept is not None:
            latent = kept.noised(latent, sampler.noise_level(0))
        cue.on_progress(Progress("latent", 0, request.step_count))
        for step in range(request.step_count):
            if kept is not None and step + 1 < request.step_count:
                for _ in range(PASSES_OF_REGENERATION - 1):
                    fresh = self._draw(streams, plan)
                    latent = step_down_and_back_up(latent, (yield from predict(latent, step)), sampler, step, fresh)
            latent = sampler.step((yield from predict(latent, step)), step, latent)
            cue.on_progress(Progress("latent", step + 1, request.step_count))
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
