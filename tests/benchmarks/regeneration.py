"""Which way of keeping a part of a take while the rest is made anew comes closest to the truth.

The denoiser is exact: the latent is a Gaussian field along time with a known covariance (unit variance; a slow, a fast
and a white part), for which the best noise prediction is linear and the distribution of the hole given the kept part is
known in closed form. So the figures are errors against the truth and not against taste. They say nothing about sound.

256 latent frames, a hole of 64 in the middle, 3 kept parts, 2000 draws each. Columns: Frechet distance a frame between
the hole's draws and the exact conditional; root mean square bias of the hole's mean; mean square jump at the two seams
relative to the exact one (1 is right). "exact" draws from the conditional itself: the floor of the measure.
The figures of the last run are in diffava/latent/README.md. Run: `python tests/benchmarks/regeneration.py` (3 minutes).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from diffava.config import SchedulerSection
from diffava.latent.noise_schedule import DiffusionSampler, NoiseLevel
from diffava.latent.regeneration import KeptLatent, step_down_and_back_up

FRAMES, HOLE, DRAWS, KEPT_PARTS = 256, slice(96, 160), 2000, 3
MADE_ANEW = torch.zeros(FRAMES, dtype=torch.bool)
MADE_ANEW[HOLE] = True
EYE = torch.eye(FRAMES, dtype=torch.float64)


def covariance() -> Tensor:
    lag = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)[None, :]).abs().double()
    return 0.4 * torch.exp(-lag / 64) + 0.5 * torch.exp(-((lag / 6) ** 2) / 2) + 0.1 * EYE


def noise_matrix(field: Tensor, level: NoiseLevel) -> Tensor:
    """E[noise | x] = x @ this, for x = signal * data + noise_level * noise."""
    signal, noise = level
    return noise * torch.linalg.inv(signal**2 * field + noise**2 * EYE)


def exact(field: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the hole given the kept part."""
    known = ~MADE_ANEW
    gain = torch.linalg.solve(field[known][:, known], field[known][:, MADE_ANEW])
    return kept[known] @ gain, field[MADE_ANEW][:, MADE_ANEW] - field[MADE_ANEW][:, known] @ gain


def draw_holes(field: Tensor, kept: Tensor, method: str, solver: str, steps: int, repeats: int) -> Tensor:
    """Draws of the hole, `[DRAWS, hole frames]`, by the functions that the pipeline uses."""
    generator = torch.Generator().manual_seed(7)

    def noise() -> Tensor:
        return torch.randn(DRAWS, 1, FRAMES, 1, generator=generator, dtype=torch.float64)

    sampler = DiffusionSampler(solver, steps, SchedulerSection())
    keeper = KeptLatent(kept[None, :, None], MADE_ANEW)
    x = keeper.noised(noise(), sampler.noise_level(0))
    for step in range(steps):
        level = sampler.noise_level(step)
        matrix = noise_matrix(field, level)
        for repeat in reversed(range(repeats)):
            if method == "renoise":
                x = torch.where(MADE_ANEW[:, None], x, keeper.noised(noise(), level))
            prediction = (x[:, 0, :, 0] @ matrix)[:, None, :, None]
            if method == "guide":
                prediction = reconstruction_guidance(x, prediction, matrix, kept, level)
            else:
                prediction = keeper.hold(x, prediction, sampler, step)
            if repeat and step + 1 < steps:
                x = step_down_and_back_up(x, prediction, sampler, step, noise())
        # The solver works in single precision; so does the pipeline.
        x = sampler.step(prediction, step, x).double()
    return x[:, 0, HOLE, 0]


def reconstruction_guidance(x: Tensor, prediction: Tensor, matrix: Tensor, kept: Tensor, level: NoiseLevel) -> Tensor:
    """Song et al. 2023 (pseudo-inverse guidance): the kept part's error, through the gradient of the denoiser.

    Here that gradient is a matrix; with a U-Net it is a backward pass a step.
    """
    signal, noise = level
    to_data = (EYE - noise * matrix) / signal
    error = (kept - x[:, 0, :, 0] @ to_data)[:, ~MADE_ANEW]
    gradient = error @ to_data[:, ~MADE_ANEW].T / (noise**2 / (signal**2 + noise**2))
    return prediction - noise * gradient[:, None, :, None]


def figures(draws: Tensor, field: Tensor, kept: Tensor) -> Tensor:
    mean, spread = exact(field, kept)
    sides = kept[[HOLE.start - 1, HOLE.stop]]
    values, vectors = torch.linalg.eigh(spread)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    got = torch.cov(draws.T)
    cross = torch.linalg.eigvalsh(root @ got @ root).clamp(min=0).sqrt().sum()
    bias = (draws.mean(0) - mean).square()
    frechet = (bias.sum() + spread.trace() + got.trace() - 2 * cross) / draws.shape[1]
    right = (mean[[0, -1]] - sides).square() + spread.diagonal()[[0, -1]]
    jump = (draws[:, [0, -1]] - sides).square().mean(0)
    return torch.stack([frechet, bias.mean().sqrt(), (jump / right).mean()])


def report(name: str, field: Tensor, draw: Callable[[Tensor], Tensor]) -> None:
    root = torch.linalg.cholesky(field)
    total = torch.zeros(3, dtype=torch.float64)
    for part in range(KEPT_PARTS):
        kept = root @ torch.randn(FRAMES, generator=torch.Generator().manual_seed(part), dtype=torch.float64)
        total += figures(draw(kept), field, kept) / KEPT_PARTS
    print(f"| {name:34} | {total[0]:.3f} | {total[1]:.3f} | {total[2]:.2f} |", flush=True)


def main() -> None:
    field = covariance()

    def draw_exactly(kept: Tensor) -> Tensor:
        mean, spread = exact(field, kept)
        root = torch.linalg.cholesky(spread)
        generator = torch.Generator().manual_seed(7)
        return mean + torch.randn(DRAWS, len(mean), generator=generator, dtype=torch.float64) @ root.T

    report("exact", field, draw_exactly)
    cases = [("renoise", "dpmpp_2m", 20, 1), ("renoise", "dpmpp_2m", 60, 1), ("guide", "dpmpp_2m", 20, 1)]
    cases += [("hold", "dpmpp_2m", 60, 1), ("hold", "ddim", 20, 1), ("hold", "ddim", 20, 3)]
    cases += [("hold", "dpmpp_2m", 20, repeats) for repeats in (1, 2, 3, 4, 5, 10)]
    for method, solver, steps, repeats in cases:

        def draw(kept: Tensor, case: tuple[str, str, int, int] = (method, solver, steps, repeats)) -> Tensor:
            return draw_holes(field, kept, *case)

        report(f"{method}, {solver}, {steps} steps, {repeats} each", field, draw)


if __name__ == "__main__":
    main()
