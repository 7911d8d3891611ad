import warnings

import pytest
import torch

from diffava.builders import build
from diffava.config import SchedulerSection
from diffava.errors import CancelledError, RequestError
from diffava.latent.denoiser import UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.latent.guided import Forwards
from diffava.latent.noise import TakeNoise
from diffava.latent.noise_schedule import DiffusionSampler
from diffava.spec import Condition, FoleyRequest, Progress
from diffava.waveform.autoencoder import MelAutoencoder
from diffava.waveform.vocoder import Vocoder

SCHEDULE = SchedulerSection()


@pytest.fixture(scope="module")
def nano():
    return build("nano")


def ignore(_):
    pass


def never():
    return False


def request(frames, **fields):
    return FoleyRequest("steps on gravel", frames * 1920, **{"step_count": 4, "guidance_scale": 2.5, **fields})


def unit_vectors(count, dim, seed=0):
    vectors = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=-1)


def condition_of(shots=1, dim=32):
    vectors = unit_vectors(shots + 1, dim)
    return Condition(vectors[1:], vectors[0])


def denoise(pipeline, asked, condition=None, windows_per_forward=1):
    diffusion = LatentDiffusion(
        UNetDenoiser(pipeline.parts["unet"]), pipeline.spec, pipeline.config.scheduler, Forwards(windows_per_forward)
    )
    condition = condition or condition_of(len(asked.cut_samples) + 1)
    return diffusion.sample(asked, condition, None, ignore, never).values


@pytest.fixture
def oracle(nano):
    """The deprecated pipeline of diffusers on the same weights, given embeddings and latents."""
    from diffusers import AudioLDMPipeline, DDIMScheduler
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    text = ClapTextConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, projection_dim=32
    )
    scheduler = DDIMScheduler(**dict(SCHEDULE), clip_sample=False, set_alpha_to_one=False)
    with warnings.catch_warnings():
        # It is deprecated as a whole; it stays the judge of what AudioLDM's inference is.
        warnings.simplefilter("ignore")
        pipeline = AudioLDMPipeline(
            vae=nano.parts["vae"],
            text_encoder=ClapTextModelWithProjection(text),
            tokenizer=nano.features.text.tokenizer,
            unet=nano.parts["unet"],
            scheduler=scheduler,
            vocoder=nano.parts["vocoder"],
        )
        pipeline.set_progress_bar_config(disable=True)
        yield pipeline


@pytest.mark.parametrize("guidance_scale", [1.0, 2.5])
def test_latents_and_sound_are_those_of_the_audioldm_pipeline_of_diffusers(nano, oracle, guidance_scale):
    asked = request(128, seeds=(11, 12), sampler="ddim", step_count=10, guidance_scale=guidance_scale)
    condition = condition_of()
    spec = nano.spec
    noise = torch.stack([TakeNoise(s).draw(spec.latent_channels, 128, spec.latent_mel_bins) for s in asked.seeds])
    seen = []
    audio = oracle(
        prompt_embeds=condition.shots.expand(2, -1),
        negative_prompt_embeds=condition.unconditional.expand(2, -1),
        latents=noise,
        num_inference_steps=10,
        guidance_scale=guidance_scale,
        audio_length_in_s=5.12,
        callback=lambda step, timestep, latents: seen.append(latents),
        output_type="pt",
    ).audios
    # Both takes in one forward, as there: forwards of other sizes add up in another order.
    ours = denoise(nano, asked, condition, windows_per_forward=2)
    assert audio.shape == (2, 81920)
    assert torch.equal(ours, seen[-1])
    decoded = [torch.cat(list(MelAutoencoder(nano.parts["vae"], spec).decode(latent))) for latent in ours]
    mel = torch.stack(decoded)
    torch.testing.assert_close(mel, oracle.decode_latents(seen[-1])[:, 0], rtol=1e-4, atol=1e-4)
    pieces = [torch.cat(list(Vocoder(nano.parts["vocoder"]).vocode([one]))) for one in mel]
    torch.testing.assert_close(torch.stack(pieces), audio, rtol=1e-3, atol=1e-4)


def test_with_the_fast_solver_too_latents_are_those_of_the_audioldm_pipeline(nano, oracle):
    """As its users would set it: the solver made from the pipeline's own schedule."""
    from diffusers import DPMSolverMultistepScheduler

    oracle.scheduler = DPMSolverMultistepScheduler.from_config(oracle.scheduler.config, use_lu_lambdas=True)
    asked, condition = request(64, seeds=(11,), sampler="dpmpp_2m", step_count=6), condition_of()
    seen = []
    oracle(
        prompt_embeds=condition.shots,
        negative_prompt_embeds=condition.unconditional[None],
        latents=TakeNoise(11).draw(nano.spec.latent_channels, 64, nano.spec.latent_mel_bins)[None],
        num_inference_steps=6,
        guidance_scale=2.5,
        audio_length_in_s=2.56,
        callback=lambda step, timestep, latents: seen.append(latents),
        output_type="pt",
    )
    assert len(seen) == 6
    assert torch.equal(denoise(nano, asked, condition), seen[-1])


@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m"])
def test_a_range_of_one_window_is_plain_sampling_to_the_bit(nano, name):
    asked = request(64, seeds=(5,), sampler=name, guidance_scale=1.0)
    condition = condition_of()
    sampler = DiffusionSampler(name, asked.step_count, SCHEDULE)
    latent = TakeNoise(5).draw(nano.spec.latent_channels, 64, nano.spec.latent_mel_bins)[None]
    with torch.no_grad():
        for step, timestep in enumerate(sampler.timesteps):
            noise = nano.parts["unet"](latent, timestep, None, class_labels=condition.shots).sample
            latent = sampler.step(noise, step, latent)
    assert torch.equal(denoise(nano, asked, condition), latent)


def test_takes_of_one_batch_have_the_bits_of_takes_made_alone(nano):
    together = denoise(nano, request(300, seeds=(1, 2, 3), cut_samples=(50 * 1920,)))
    for take, seed in enumerate((1, 2, 3)):
        alone = denoise(nano, request(300, seeds=(seed,), cut_samples=(50 * 1920,)))
        assert torch.equal(together[take : take + 1], alone)


def test_windows_in_larger_forwards_give_the_same_latents_to_float_precision(nano):
    asked = request(300, seeds=(1, 2))
    # Sums in another order; the first steps multiply what differs by sigma, 84 at most.
    torch.testing.assert_close(denoise(nano, asked, windows_per_forward=4), denoise(nano, asked), rtol=1e-3, atol=1e-3)


def test_no_forward_of_the_u_net_holds_more_windows_than_allowed(nano):
    sizes = []
    handle = nano.parts["unet"].register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[0]))
    denoise(nano, request(600, seeds=(1, 2), step_count=1), windows_per_forward=3)
    handle.remove()
    assert max(sizes) == 6  # with guidance's other side
    assert sum(sizes) == 2 * 2 * 6


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_latent(nano):
    first, again, other = (denoise(nano, request(40, seeds=(seed,))) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.1


def test_sampling_neither_reads_nor_moves_the_global_generator(nano):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = denoise(nano, request(40, seeds=(7,)))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(first, denoise(nano, request(40, seeds=(7,))))


def test_a_longer_range_starts_from_the_noise_of_a_shorter_one():
    short, long = TakeNoise(3).draw(8, 30, 16), TakeNoise(3).draw(8, 1000, 16)
    assert torch.equal(short, long[:, :30])
    assert long.std() == pytest.approx(1, abs=0.02)


def test_every_bit_of_a_seed_counts():
    """torch's generator on the CPU reads the low 32 bits alone: seeds that differ above made the same sound."""
    drawn = {TakeNoise(7 + (1 << bit)).draw(1, 1, 1).item() for bit in (3, 31, 32, 40, 63)}
    assert len(drawn) == 5


def test_the_largest_seed_of_the_wire_is_a_seed():
    assert not torch.equal(TakeNoise(2**64 - 1).draw(1, 8, 4), TakeNoise(0).draw(1, 8, 4))


@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m"])
@pytest.mark.parametrize("step_count", [1, 2, 20, 333, 999])
def test_a_perfect_denoiser_leads_any_number_of_steps_back_to_the_data(name, step_count):
    data = torch.linspace(-1, 1, 12)
    noise = torch.randn(12, generator=torch.Generator().manual_seed(0))
    sampler = DiffusionSampler(name, step_count, SCHEDULE)
    signal, level = sampler.noise_level(0)
    x = signal * data + level * noise
    for step in range(step_count):
        signal, level = sampler.noise_level(step)
        x = sampler.step((x - signal * data) / level, step, x)
    # DDIM ends at the first noise level of AudioLDM's schedule, 0.039, and not at zero (set_alpha_to_one is off).
    tolerance = 0.12 if name == "ddim" else 1e-4
    torch.testing.assert_close(x, data, rtol=0, atol=tolerance)


def test_the_noise_schedule_is_audioldms():
    """Its largest sigma, and the timesteps of the "leading" spacing with an offset of 1."""
    assert DiffusionSampler("ddim", 10, SCHEDULE).timesteps == (901, 801, 701, 601, 501, 401, 301, 201, 101, 1)
    signal, noise = DiffusionSampler("dpmpp_2m", 20, SCHEDULE).noise_level(0)
    assert noise / signal == pytest.approx(83.8, abs=0.05)


def test_more_steps_than_noise_levels_are_refused_with_the_number_to_ask_for():
    with pytest.raises(RequestError, match="cannot run 1000 steps; ask for at most 999"):
        DiffusionSampler("ddim", 1000, SCHEDULE)


def test_progress_counts_every_step_from_zero(nano):
    seen = []
    diffusion = LatentDiffusion(UNetDenoiser(nano.parts["unet"]), nano.spec, SCHEDULE)
    diffusion.sample(request(16), condition_of(), None, seen.append, never)
    assert seen == [Progress("latent", done, 4) for done in range(5)]


def test_cancelling_stops_before_the_next_forward_of_the_u_net(nano):
    seen, forwards = [], []
    handle = nano.parts["unet"].register_forward_hook(lambda *_: forwards.append(1))
    diffusion = LatentDiffusion(UNetDenoiser(nano.parts["unet"]), nano.spec, SCHEDULE)
    with pytest.raises(CancelledError, match="cancelled"):
        diffusion.sample(request(600, step_count=50), condition_of(), None, seen.append, lambda: len(forwards) >= 7)
    handle.remove()
    assert len(forwards) == 7
    assert seen[-1].completed == 1  # 6 windows a step


def error_on_a_gaussian(sampler, step_count, spread=0.3):
    """Distance to the exact end of the probability flow, whose denoiser for Gaussian data is known."""
    x = torch.ones(1, dtype=torch.float64)
    for step in range(step_count):
        signal, level = sampler.noise_level(step)
        variance = signal**2 * spread**2 + level**2
        if step == 0:
            exact = spread / variance**0.5
        x = sampler.step(level * x / variance, step, x)
    return abs(float(x) - exact) / exact


def test_twenty_steps_of_the_fast_solver_come_closer_than_a_hundred_of_ddim():
    fast = error_on_a_gaussian(DiffusionSampler("dpmpp_2m", 20, SCHEDULE), 20)
    assert fast < 0.01
    assert fast < error_on_a_gaussian(DiffusionSampler("ddim", 100, SCHEDULE), 100)
