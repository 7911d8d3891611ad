"""The waveform stage at 48 kHz: stacked PCA and the vocoder that inverts a predicted spectrum."""

import numpy as np
import pytest
import torch

from diffava.config import IstftVocoderSection, load_config
from diffava.spec import Latent, Spec
from diffava.waveform.istft_vocoder import NOISE_FRAMES, PIECE_FRAMES, IstftVocoder
from diffava.waveform.mel import LOG_FLOOR, MelAnalysis
from diffava.waveform.parts import MelCodec, MelVocoder
from diffava.waveform.resample import resampled
from diffava.waveform.stacked_pca import StackedPca, StackedPcaCodec
from diffava.waveform.synthesis import WaveformSynthesis

SPEC = Spec.of(load_config("mini"))
HOP = SPEC.hop_samples


@pytest.fixture(scope="module")
def vocoder():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return IstftVocoder(IstftVocoderSection(width=16, block_count=2), SPEC).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pca():
    return StackedPca.fit(correlated(2000), components=64).pca


def correlated(rows, seed=0):
    """Stacked frames that vary in 40 directions, and a little in all others, around a quiet mean."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(40, 320, generator=torch.Generator().manual_seed(99))
    varied = torch.randn(rows, 40, generator=generator) @ directions / 40**0.5
    return varied + 0.01 * torch.randn(rows, 320, generator=generator) - 6


def noise(samples, seed=0):
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def vocode(vocoder, pieces):
    return torch.cat(list(vocoder.vocode(pieces)))


def test_both_parts_satisfy_the_protocols_of_the_stage(vocoder, pca):
    assert isinstance(StackedPcaCodec(pca, SPEC), MelCodec)
    assert isinstance(vocoder, MelVocoder)


def test_a_mel_is_nearly_itself_after_the_latent_space(pca):
    mel = correlated(100, seed=1).reshape(400, 80)
    latent = pca.encode(mel)
    assert latent.shape == (64, 100, 1)
    assert (pca.decode(latent) - mel).square().mean().sqrt() < 0.02


def test_latents_of_what_was_fitted_have_unit_variance_and_no_correlation(pca):
    latent = pca.encode(correlated(2000).reshape(-1, 80))[..., 0]
    torch.testing.assert_close(torch.cov(latent), torch.eye(64), rtol=0, atol=0.01)


def test_latents_of_a_batch_are_those_of_each_mel(pca):
    mels = correlated(60, seed=2).reshape(3, 80, 80)
    latents = pca.encode(mels)
    assert latents.shape == (3, 64, 20, 1)
    torch.testing.assert_close(latents[1], pca.encode(mels[1]))
    torch.testing.assert_close(pca.decode(latents)[2], pca.decode(latents[2]))


def test_no_decoded_mel_is_below_the_floor(pca):
    assert pca.decode(-100 * torch.ones(64, 5, 1)).min() == pytest.approx(np.log(LOG_FLOOR))


def test_the_share_of_variance_that_is_kept_grows_to_one():
    shares = [StackedPca.fit(correlated(1000), components).explained_variance for components in (10, 40, 320)]
    assert shares == sorted(shares)
    assert shares[1] > 0.99
    assert shares[2] == pytest.approx(1)


def test_the_codec_gives_a_long_range_in_pieces_that_join_to_the_whole(pca):
    codec = StackedPcaCodec(pca, SPEC)
    mel = correlated(300, seed=3).reshape(1200, 80)
    pieces = list(codec.encode(mel))
    assert max(len(piece) for piece in pieces) <= SPEC.window_latent_frames
    latent = torch.cat(pieces).permute(1, 0, 2)
    torch.testing.assert_close(latent, pca.encode(mel))
    torch.testing.assert_close(torch.cat(list(codec.decode(latent))), pca.decode(latent))


@pytest.mark.parametrize("piece_frames", [1, 7, 50, 99])
def test_a_mel_in_pieces_gives_the_samples_of_the_whole_mel(vocoder, piece_frames):
    mel = MelAnalysis(SPEC)(noise(100 * HOP))
    whole = vocode(vocoder, [mel])
    assert whole.shape == (100 * HOP,)
    assert whole.std() > 0.01  # not silence, in which everything would be equal
    torch.testing.assert_close(vocode(vocoder, mel.split(piece_frames)), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_even_the_shortest_mel_has_a_hop_a_frame(vocoder, frames):
    assert vocode(vocoder, [torch.full((frames, 80), -3.0)]).shape == (frames * HOP,)


def test_no_mel_gives_no_sample(vocoder):
    assert list(vocoder.vocode([])) == []


def test_the_context_is_all_that_a_frame_hangs_on(vocoder):
    mel = torch.full((121, 80), -5.0).requires_grad_()
    reach = vocoder.context_frames
    vocoder.requires_grad_(False)
    vocoder(mel[None])[0][(60 - reach) * HOP : (61 - reach) * HOP].square().sum().backward()
    seen = torch.nonzero(mel.grad.abs().sum(dim=1))[:, 0]
    assert max(60 - int(seen.min()), int(seen.max()) - 60) == reach


def test_a_long_mel_is_never_run_whole(vocoder):
    lengths = []
    handle = vocoder.register_forward_pre_hook(lambda module, inputs: lengths.append(inputs[0].shape[1]))
    vocode(vocoder, [torch.full((2000, 80), -5.0)])
    handle.remove()
    assert max(lengths) <= PIECE_FRAMES + 3 * vocoder.context_frames


def test_the_same_mel_gives_the_same_samples_in_a_new_vocoder(vocoder):
    again = IstftVocoder(IstftVocoderSection(width=16, block_count=2), SPEC).eval()
    again.load_state_dict(vocoder.state_dict())
    mel = MelAnalysis(SPEC)(noise(100 * HOP))
    assert torch.equal(vocode(again, [mel]), vocode(vocoder, [mel]))


def test_the_noise_is_kept_out_of_the_weights_and_does_not_repeat_within_its_length(vocoder):
    assert not {"noise", "window"} & vocoder.state_dict().keys()
    assert vocoder.noise.abs().square().mean() == pytest.approx(1, rel=0.02)
    assert len(torch.unique(vocoder.noise[:, 100].abs())) == NOISE_FRAMES


@pytest.mark.parametrize("at", [14_400, 14_640, 15_000])
def test_an_impulse_is_heard_where_it_was_before_anything_is_learnt(vocoder, at):
    click = torch.zeros(48_000)
    click[at] = 1.0
    energy = vocode(vocoder, [MelAnalysis(SPEC)(click)]).square()
    moment = float((energy * torch.arange(48_000)).sum() / energy.sum())
    assert abs(moment - at) < HOP  # a frame; only a trained network can place it within one


def test_a_sound_at_a_frames_centre_leaves_at_that_sample(vocoder):
    """The mel of a pulse is even around its frame, and so is what an even network makes of it: no offset."""
    click = torch.zeros(48_000)
    click[40 * HOP] = 1.0
    mel = MelAnalysis(SPEC)(click)
    spectrum = vocoder.spectrum(mel[None])
    frames = spectrum._replace(fixed=spectrum.fixed.abs().to(torch.complex64), noise_gain=0 * spectrum.noise_gain)
    samples = vocoder.samples_of(frames, 0)[0]
    assert int(samples.abs().argmax()) == (40 - vocoder.context_frames) * HOP


@pytest.mark.parametrize("sample_count", [1, 4799, 4800, 5000])
def test_equal_rates_change_no_sample(sample_count):
    sound = noise(4800)
    out = torch.cat(list(resampled(sound.split(1000), 48_000, 48_000, sample_count)))
    assert out.shape == (sample_count,)
    kept = min(sample_count, 4800)
    assert torch.equal(out[:kept], sound[:kept])
    assert not out[kept:].any()


def test_the_stage_makes_the_samples_asked_for_and_reads_a_kept_take_back(vocoder, pca):
    synthesis = WaveformSynthesis(StackedPcaCodec(pca, SPEC), vocoder, SPEC)
    take = noise(48_000 - 100)
    latent = synthesis.encode(take, lambda: False)
    assert latent.shape == (64, 25, 1)
    torch.testing.assert_close(
        latent, pca.encode(MelAnalysis(SPEC)(torch.nn.functional.pad(take, (0, 100)))), rtol=1e-3, atol=1e-3
    )
    out = [w.samples for w in synthesis.waveforms(Latent(latent[None]), 47_900, lambda _: None, lambda: False)]
    assert sum(len(samples) for samples in out) == 47_900
