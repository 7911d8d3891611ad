"""Solvers of the reverse process: diffusers' for noise predictions, Euler's for the velocities of flow matching.

Knows no denoiser, no window and no condition.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from diffava.config import FlowSection, SamplerName, SchedulerSection
from diffava.errors import RequestError

NoiseLevel = tuple[float, float]  # (signal, noise) factors of a latent: x = signal * data + noise * epsilon
FLOW_STEPS_STOP = 1000  # more than any use; the bound is the diffusion schedule's


@runtime_checkable
class Sampler(Protocol):
    """One run of one solver, for the predictions of one kind of denoiser."""

    @property
    def timesteps(self) -> tuple[int | float, ...]:
        """What the denoiser is told at each step."""
        ...

    def noise_level(self, step: int) -> NoiseLevel:
        """The factors of the latent before step number `step`."""
        ...

    def split(self, latent: Tensor, prediction: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The data and the noise that a prediction says the latent is made of."""
        ...

    def prediction_of(self, latent: Tensor, data: Tensor, step: int) -> Tensor:
        """The prediction that says the latent is made of `data`."""
        ...

    def step(self, prediction: Tensor, step: int, latent: Tensor) -> Tensor:
        """The latent one step closer to the data; call it for 0, 1, 2, ... in order."""
        ...


class FlowSampler:
    """Euler's method on the straight paths of flow matching: `x_t = (1 - t) data + t noise`, velocity `noise - data`.

    Source: Lipman et al. 2023 (arXiv:2210.02747); the shifted times are Esser et al. 2024 (arXiv:2403.03206).

    Raises:
        RequestError: More steps than any use has.
    """

    def __init__(self, step_count: int, flow: FlowSection) -> None:
        if step_count >= FLOW_STEPS_STOP:
            raise RequestError(f"The sampler cannot run {step_count} steps; ask for at most {FLOW_STEPS_STOP - 1}.")
        even = [1 - k / step_count for k in range(step_count + 1)]
        self._times = [flow.shift * u / (1 + (flow.shift - 1) * u) for u in even]
        self.timesteps: tuple[float, ...] = tuple(self._times[:-1])

    def noise_level(self, step: int) -> NoiseLevel:
        """`(1 - t, t)`."""
        return 1 - self._times[step], self._times[step]

    def split(self, latent: Tensor, prediction: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Follow the straight path to both of its ends."""
        time = self._times[step]
        return latent - time * prediction, latent + (1 - time) * prediction

    def prediction_of(self, latent: Tensor, data: Tensor, step: int) -> Tensor:
        """The velocity of the straight path from `data` through the latent."""
        return (latent - data) / self._times[step]

    def step(self, prediction: Tensor, step: int, latent: Tensor) -> Tensor:
        """One straight step."""
        return latent + (self._times[step + 1] - self._times[step]) * prediction


class DiffusionSampler:
    """One run of one solver of diffusers. Made anew for every run, because its schedulers keep a step's state.

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
        if name not in _SCHEDULERS:
            raise RequestError(
                f"The sampler '{name}' is for models of flow matching; choose {' or '.join(_SCHEDULERS)}."
            )
        self._scheduler: Any = _SCHEDULERS[name](schedule)
        self._scheduler.set_timesteps(step_count)
        self.timesteps: tuple[int, ...] = tuple(int(t) for t in self._scheduler.timesteps)

    def noise_level(self, step: int) -> NoiseLevel:
        """(signal, noise) factors of the latent before step number `step`: `x = signal * x0 + noise * epsilon`."""
        if isinstance(self._scheduler, DPMSolverMultistepScheduler):
            # Its timesteps are rounded; the sigmas are what it integrates over.
            sigma = float(self._scheduler.sigmas[step])
            signal = (1 + sigma**2) ** -0.5
            return signal, sigma * signal
        alpha_bar = float(self._scheduler.alphas_cumprod[self.timesteps[step]])
        return alpha_bar**0.5, (1 - alpha_bar) ** 0.5

    def split(self, latent: Tensor, prediction: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The prediction is the noise; what it leaves is the data."""
        signal, noise = self.noise_level(step)
        return (latent - noise * prediction) / signal, prediction

    def prediction_of(self, latent: Tensor, data: Tensor, step: int) -> Tensor:
        """The noise that lies between `data` and the latent."""
        signal, noise = self.noise_level(step)
        return (latent - signal * data) / noise

    def step(self, prediction: Tensor, step: int, latent: Tensor) -> Tensor:
        """The latent one step closer to the data; call it for 0, 1, 2, ... in order."""
        result: Tensor = self._scheduler.step(prediction, self._scheduler.timesteps[step], latent).prev_sample
        return result


def _ddim(schedule: SchedulerSection) -> DDIMScheduler:
    return DDIMScheduler(**dict(schedule), clip_sample=False, set_alpha_to_one=False)


def _dpmpp_2m(schedule: SchedulerSection) -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(
        **{**dict(schedule), "steps_offset": 0}, algorithm_type="dpmsolver++", solver_order=2, use_lu_lambdas=True
    )


_SCHEDULERS: dict[SamplerName, Callable[[SchedulerSection], Any]] = {"ddim": _ddim, "dpmpp_2m": _dpmpp_2m}
