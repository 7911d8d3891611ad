"""Solvers of the reverse diffusion, as diffusers writes them. Knows no denoiser, no window and no condition."""

from collections.abc import Callable
from typing import Any

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from diffava.config import SamplerName, SchedulerSection
from diffava.errors import RequestError


class Sampler:
    """One run of one solver. Made anew for every run, because diffusers' schedulers keep a step's state.

    - `ddim`: DDIM with eta 0 and AudioLDM's "leading" timesteps (the paper's base; diffusers' `AudioLDMPipeline`).
      AudioLDM's own command line uses eta 1; 0 is our choice, so that a take is a function of its seed's noise alone.
    - `dpmpp_2m`: DPM-Solver++(2M) on steps uniform in log-SNR (Lu et al. 2022). Diffusers' default spacing is poor on
      this schedule, whose largest sigma is 83.8.

    Raises:
        RequestError: `step_count` is more than the noise schedule can place.
    """

    def __init__(self, name: SamplerName, step_count: int, schedule: SchedulerSection) -> None:
        if step_count >= schedule.num_train_timesteps:  # DDIM's steps_offset would index past the last noise level
            raise RequestError(
                f"The sampler cannot run {step_count} steps; ask for at most {schedule.num_train_timesteps - 1}."
            )
        self._scheduler: Any = _SCHEDULERS[name](schedule)
        self._scheduler.set_timesteps(step_count)
        self.timesteps: tuple[int, ...] = tuple(int(t) for t in self._scheduler.timesteps)

    def noise_level(self, step: int) -> tuple[float, float]:
        """(signal, noise) factors of the latent before step number `step`: `x = signal * x0 + noise * epsilon`."""
        if isinstance(self._scheduler, DPMSolverMultistepScheduler):
            # Its timesteps are rounded; the sigmas are what it integrates over.
            sigma = float(self._scheduler.sigmas[step])
            signal = (1 + sigma**2) ** -0.5
            return signal, sigma * signal
        alpha_bar = float(self._scheduler.alphas_cumprod[self.timesteps[step]])
        return alpha_bar**0.5, (1 - alpha_bar) ** 0.5

    def step(self, noise_prediction: Tensor, step: int, latent: Tensor) -> Tensor:
        """The latent one step closer to the data; call it for 0, 1, 2, ... in order."""
        result: Tensor = self._scheduler.step(noise_prediction, self._scheduler.timesteps[step], latent).prev_sample
        return result


def _ddim(schedule: SchedulerSection) -> DDIMScheduler:
    return DDIMScheduler(**dict(schedule), clip_sample=False, set_alpha_to_one=False)


def _dpmpp_2m(schedule: SchedulerSection) -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(
        **{**dict(schedule), "steps_offset": 0}, algorithm_type="dpmsolver++", solver_order=2, use_lu_lambdas=True
    )


_SCHEDULERS: dict[SamplerName, Callable[[SchedulerSection], Any]] = {"ddim": _ddim, "dpmpp_2m": _dpmpp_2m}
