import pytest
import torch

from diffava.builders import build
from diffava.config import FlowSection, SchedulerSection, load_config
from diffava.latent.denoiser import UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.latent.noise_schedule import DiffusionSampler, FlowSampler
from diffava.latent.regeneration import KeptLatent, frames_made_anew, step_down_and_back_up
from diffava.spec import Condition, FoleyRequest, KeptPart, Spec

SPEC = Spec.of(load_config("audioldm-s"))


@pytest.fixture(scope="module")
def nano():
    return build("nano")


def regenerate(pipeline, frames, start, stop, kept_latent, sampler="dpmpp_2m", seeds=(4,), cuts=()):
    samples = frames * 1920
    kept = KeptPart(torch.zeros(samples), start * 1920, stop * 1920)
    request = FoleyRequest("x", samples, seeds=seeds, step_count=6, kept=kept, sampler=sampler, cut_samples=cuts)
    vectors = torch.nn.functional.normalize(torch.randn(len(cuts) + 2, 32, generator=torch.Generator().manual_seed(1)))
    diffusion = LatentDiffusion(UNetDenoiser(pipeline.parts["unet"]), pipeline.spec, pipeline.config.scheduler)
    condition = Condition(vectors[1:], vectors[0])
    return diffusion.sample(request, condition, kept_latent, lambda _: None, lambda: False).values


def some_latent(pipeline, frames):
    size = (pipeline.spec.latent_channels, frames, pipeline.spec.latent_mel_bins)
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def test_kept_frames_stay_and_the_part_is_made_anew(nano):
    kept = some_latent(nano, 200)
    result = regenerate(nano, 200, 60, 100, kept)[0]
    torch.testing.assert_close(result[:, :60], kept[:, :60], rtol=0, atol=1e-3)
    torch.testing.assert_close(result[:, 100:], kept[:, 100:], rtol=0, atol=1e-3)
    assert (result[:, 60:100] - kept[:, 60:100]).abs().mean() > 0.1


def test_ddim_keeps_frames_up_to_the_noise_level_that_it_ends_at(nano):
    kept = some_latent(nano, 100)
    result = regenerate(nano, 100, 0, 50, kept, sampler="ddim")[0]
    torch.testing.assert_close(result[:, 50:], kept[:, 50:], rtol=0, atol=0.2)
    assert (result[:, 50:] - kept[:, 50:]).std() < 0.05


def test_what_is_made_anew_depends_on_what_is_kept(nano):
    first = regenerate(nano, 100, 40, 60, some_latent(nano, 100))[0]
    other = regenerate(nano, 100, 40, 60, -some_latent(nano, 100))[0]
    assert (first - other)[:, 40:60].abs().mean() > 0.01


def test_the_same_seed_makes_the_same_part_to_the_bit_and_takes_differ(nano):
    kept = some_latent(nano, 100)
    both = regenerate(nano, 100, 40, 60, kept, seeds=(4, 5))
    assert torch.equal(both[:1], regenerate(nano, 100, 40, 60, kept, seeds=(4,)))
    assert (both[0] - both[1])[:, 40:60].abs().mean() > 0.1


def test_only_windows_that_touch_the_part_are_denoised_and_each_noise_level_but_the_last_five_times(nano):
    lengths = []
    handle = nano.parts["unet"].register_forward_hook(lambda module, inputs, output: lengths.append(inputs[0].shape[2]))
    regenerate(nano, 1501, 700, 710, some_latent(nano, 1501))
    handle.remove()
    touching = 1  # of 16 windows, 128 frames long and about 92 apart
    assert len(lengths) == touching * (5 * 5 + 1)


def test_every_latent_frame_that_the_part_touches_is_made_anew():
    kept = KeptPart(torch.zeros(10 * 1920 + 7), 2 * 1920 + 1, 5 * 1920 + 1)
    assert torch.nonzero(frames_made_anew(SPEC, kept, 16))[:, 0].tolist() == [2, 3, 4, 5]


def test_the_padding_behind_the_range_is_made_anew_with_a_part_that_ends_the_range():
    kept = KeptPart(torch.zeros(10 * 1920 + 7), 9 * 1920, 10 * 1920 + 7)
    assert torch.nonzero(frames_made_anew(SPEC, kept, 16))[:, 0].tolist() == list(range(9, 16))


@pytest.mark.parametrize(
    "sampler", [DiffusionSampler("dpmpp_2m", 20, SchedulerSection()), FlowSampler(20, FlowSection())]
)
def test_a_step_down_and_back_up_leaves_the_latent_at_its_noise_level(sampler):
    generator = torch.Generator().manual_seed(0)
    data, noise, fresh = (torch.randn(200_000, generator=generator) for _ in range(3))
    level = sampler.noise_level(12)
    latent = level[0] * data + level[1] * noise
    again = step_down_and_back_up(latent, sampler.prediction_of(latent, data, 12), sampler, 12, fresh)
    left = again - level[0] * data
    assert left.std() == pytest.approx(level[1], rel=0.01)
    assert abs(torch.corrcoef(torch.stack([left, noise]))[0, 1]) < 0.9  # it is not the noise that it was


def test_holding_is_renoising_with_one_fixed_noise():
    generator = torch.Generator().manual_seed(0)
    values, noise = torch.randn(2, 4, 3, generator=generator), torch.randn(1, 2, 4, 3, generator=generator)
    kept = KeptLatent(values, torch.tensor([False, False, True, True]))
    sampler = DiffusionSampler("dpmpp_2m", 20, SchedulerSection())
    held = kept.hold(kept.noised(noise, sampler.noise_level(9)), torch.full_like(noise, 9.0), sampler, 9)
    torch.testing.assert_close(held[:, :, :2], noise[:, :, :2], rtol=1e-4, atol=1e-4)
    assert torch.equal(held[:, :, 2:], torch.full_like(noise, 9.0)[:, :, 2:])
