"""What the vocoder learns from: excerpts that hang on the step alone, and a distance between sounds."""

from dataclasses import replace

import pytest
import torch

from diffava.config import IstftVocoderSection, load_config
from diffava.spec import Spec
from diffava.training.latent_space import composed_mel, fit_latent_space, round_trip_rmse
from diffava.training.spectral_loss import stft_distance
from diffava.training.vocoder import VocoderPlan, VocoderTask
from diffava.waveform.istft_vocoder import IstftVocoder
from diffava.waveform.stacked_pca import StackedPca
from support.toy_sounds import toy_library

SPEC = Spec.of(load_config("mini"))
PLAN = VocoderPlan(batch_size=2, excerpt_frames=20, composed_clips=2, validation_excerpts=3)


def task(plan=PLAN, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vocoder = IstftVocoder(IstftVocoderSection(width=16, block_count=1), SPEC)
    return VocoderTask(vocoder, StackedPca(), toy_library(), SPEC, plan)


@pytest.fixture(scope="module")
def toy_task():
    return task()


def test_a_batch_hangs_on_the_step_alone_so_that_a_run_resumes_exactly(toy_task):
    one, again, other = toy_task.batch(7), task(seed=1).batch(7), toy_task.batch(8)
    assert torch.equal(one.mel, again.mel)
    assert torch.equal(one.samples, again.samples)
    assert one.noise_frames == again.noise_frames
    assert not torch.equal(one.samples, other.samples)


def test_the_vocoder_answers_a_batch_with_exactly_its_samples(toy_task):
    batch = toy_task.batch(0)
    assert batch.samples.shape == (2, 20 * SPEC.hop_samples)
    assert toy_task.module(batch.mel).shape == batch.samples.shape


def test_a_few_steps_bring_the_loss_down(toy_task):
    trained = task()
    optimizer = torch.optim.Adam(trained.module.parameters(), lr=3e-3)
    batch = trained.batch(0)
    losses = []
    for _ in range(8):
        terms = trained.loss(batch)
        terms["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(terms["loss"].detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_with_repulsion_sounds_of_other_noise_are_told_apart():
    terms = task(replace(PLAN, repulsion=1.0)).loss(task().batch(0))
    assert terms["apart"] > 0
    together = terms["convergence"] + terms["log"] + terms["mel"]
    torch.testing.assert_close(terms["loss"], together - terms["apart"] / 2)


def test_validation_measures_both_ways_on_held_out_takes_and_repeats_itself(toy_task):
    figures = toy_task.validate()
    assert figures.keys() == {"clean", "round_trip"}
    assert figures == toy_task.validate()


def test_a_sound_is_at_no_distance_from_itself_and_farther_from_what_differs_more():
    generator = torch.Generator().manual_seed(0)
    sound, noise = (torch.randn(1, 9600, generator=generator) for _ in range(2))
    distances = [float(stft_distance(sound, sound + strength * noise)) for strength in (0.0, 0.1, 0.5)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] > 0.05


def test_silence_has_a_finite_distance_from_sound():
    silence = torch.zeros(1, 9600)
    assert torch.isfinite(stft_distance(silence, silence + 1e-3)).all()


def test_a_latent_space_fitted_to_clips_gives_their_mel_back():
    mel = composed_mel(toy_library(), "generator", SPEC, 1.28, range(12))
    assert mel.shape == (12, 128, 80)
    few, many = (fit_latent_space(mel, 4, components) for components in (8, 64))
    assert round_trip_rmse(many.pca, mel) < round_trip_rmse(few.pca, mel) / 2
    assert 0 < few.explained_variance < many.explained_variance <= 1
