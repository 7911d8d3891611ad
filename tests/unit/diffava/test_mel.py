import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from diffava.config import load_config
from diffava.spec import Spec
from diffava.waveform import mel as mel_module
from diffava.waveform.mel import MelAnalysis

SPEC = Spec.of(load_config("audioldm-s"))


def noise(samples, seed=0):
    return 0.3 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def test_the_mel_is_that_of_an_independent_implementation():
    samples = noise(16_000)
    bank = mel_filter_bank(513, 64, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    expected = spectrogram(
        samples.numpy().astype(np.float64),
        window_function(1024, "hann", periodic=True),
        frame_length=1024,
        hop_length=160,
        power=1.0,  # magnitude, as AudioLDM
        center=True,
        pad_mode="reflect",
        mel_filters=bank,
        mel_floor=1e-5,
        log_mel="log",
    ).T
    ours = MelAnalysis(SPEC)(samples)
    assert ours.shape == (100, 64)
    torch.testing.assert_close(ours, torch.from_numpy(expected[:100]).float(), rtol=0, atol=2e-4)


def test_silence_is_the_floor_of_the_logarithm():
    assert torch.allclose(MelAnalysis(SPEC)(torch.zeros(1600)), torch.tensor(1e-5).log())


def test_a_louder_sound_has_a_mel_louder_by_the_logarithm_of_its_gain():
    quiet = MelAnalysis(SPEC)(noise(8000))
    torch.testing.assert_close(MelAnalysis(SPEC)(2 * noise(8000)) - quiet, torch.full_like(quiet, np.log(2)))


@pytest.mark.parametrize("frame", [10, 50, 77])
def test_frame_i_is_centred_on_sample_i_times_the_hop(frame):
    click = torch.zeros(16_000)
    click[frame * SPEC.hop_samples] = 1.0
    level = MelAnalysis(SPEC)(click).exp().mean(dim=1)
    assert level.argmax() == frame
    torch.testing.assert_close(level[frame - 2 : frame], level[frame + 1 : frame + 3].flip(0), rtol=1e-3, atol=1e-4)


def test_a_long_sound_in_blocks_has_the_mel_of_one_block(monkeypatch):
    samples = noise(40_000)
    whole = MelAnalysis(SPEC)(samples)
    monkeypatch.setattr(mel_module, "BLOCK_FRAMES", 37)
    torch.testing.assert_close(MelAnalysis(SPEC)(samples), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (160, 1), (161, 2), (640, 4), (641, 5)])
def test_even_the_shortest_sound_has_a_frame_a_started_hop(samples, frames):
    assert MelAnalysis(SPEC)(noise(samples)).shape == (frames, 64)
