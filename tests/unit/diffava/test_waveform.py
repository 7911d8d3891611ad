from itertools import pairwise

import pytest
import soxr
import torch
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from diffava.builders import build
from diffava.model_parts import set_moderate_level
from diffava.spec import Latent
from diffava.waveform.autoencoder import MelAutoencoder
from diffava.waveform.chunks import crossfaded, overlapping_chunks
from diffava.waveform.mel import MelAnalysis
from diffava.waveform.resample import resampled
from diffava.waveform.synthesis import WaveformSynthesis
from diffava.waveform.vocoder import Vocoder, context_frames

HOP = 160


@pytest.fixture(scope="module")
def nano():
    return build("nano")


@pytest.fixture(scope="module")
def narrow_vocoder(nano):
    """AudioLDM's vocoder, rates, kernels and dilations as published, with few channels."""
    config = SpeechT5HifiGanConfig(
        model_in_dim=64,
        sampling_rate=16_000,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        normalize_before=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vocoder = SpeechT5HifiGan(config).eval().requires_grad_(False)
        set_moderate_level(nano.parts["vae"], vocoder)
    return vocoder


def synthesis_of(model):
    return WaveformSynthesis(
        MelAutoencoder(model.parts["vae"], model.spec), Vocoder(model.parts["vocoder"]), model.spec
    )


def random_mel(frames, seed=0):
    return torch.randn(frames, 64, generator=torch.Generator().manual_seed(seed))


def vocode(vocoder, pieces):
    return torch.cat(list(Vocoder(vocoder).vocode(pieces)))


@pytest.mark.parametrize("piece_frames", [1, 7, 40, 100, 299])
def test_a_mel_in_pieces_gives_the_samples_of_the_whole_mel(narrow_vocoder, piece_frames):
    mel = random_mel(300)
    whole = narrow_vocoder(mel)[: 300 * HOP]
    assert whole.std() > 0.03  # not silence, in which everything would be equal
    torch.testing.assert_close(vocode(narrow_vocoder, mel.split(piece_frames)), whole, rtol=1e-4, atol=1e-5)


def test_the_context_is_exactly_what_the_vocoder_can_see(narrow_vocoder):
    double = SpeechT5HifiGan(narrow_vocoder.config).double()
    double.load_state_dict(narrow_vocoder.state_dict())
    mel = random_mel(121).double().requires_grad_()
    double(mel)[60 * HOP : 61 * HOP].sum().backward()
    seen = torch.nonzero(mel.grad.abs().sum(dim=1))[:, 0]
    assert context_frames(narrow_vocoder.config) == max(60 - int(seen.min()), int(seen.max()) - 60)


def test_a_mel_one_frame_later_sounds_one_hop_later(narrow_vocoder):
    mel = random_mel(120)
    early, late = vocode(narrow_vocoder, [mel]), vocode(narrow_vocoder, [torch.cat([random_mel(1, seed=9), mel])])
    inside = slice(30 * HOP, 90 * HOP)
    torch.testing.assert_close(late[HOP:][inside], early[inside], rtol=1e-4, atol=1e-5)


def test_the_extra_samples_at_the_end_are_cropped_and_one_frame_is_one_hop(narrow_vocoder):
    assert narrow_vocoder(random_mel(256)).shape == (40_992,)
    assert vocode(narrow_vocoder, [random_mel(256)]).shape == (40_960,)
    assert vocode(narrow_vocoder, [random_mel(1)]).shape == (HOP,)


def test_the_vocoder_runs_on_a_piece_and_its_context_and_never_on_the_whole(narrow_vocoder):
    lengths = []
    handle = narrow_vocoder.register_forward_hook(lambda module, inputs, output: lengths.append(inputs[0].shape[1]))
    vocode(narrow_vocoder, random_mel(1000).split(50))
    handle.remove()
    assert max(lengths) <= 50 + 3 * context_frames(narrow_vocoder.config)


@pytest.mark.parametrize("length", [1, 256, 257, 480, 481, 15_000, 200_000])
def test_chunks_cover_everything_and_neighbours_share_exactly_the_overlap(length):
    chunks = overlapping_chunks(length, 256, 32)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == length
    assert all(0 < stop - start <= 256 for start, stop in chunks)
    assert all(before[1] - after[0] == 32 for before, after in pairwise(chunks))


def test_chunks_of_one_sequence_join_to_that_sequence():
    sequence = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    chunks = (sequence[start:stop] for start, stop in overlapping_chunks(1000, 256, 32))
    torch.testing.assert_close(torch.cat(list(crossfaded(chunks, 32))), sequence)


def test_chunks_that_disagree_join_without_a_jump():
    joined = torch.cat(list(crossfaded([torch.zeros(100), torch.ones(100)], 32)))
    assert joined.shape == (168,)
    assert joined.diff().abs().max() < 0.06


def test_a_range_of_one_chunk_is_decoded_exactly_as_the_vae_does(nano):
    latent = torch.randn(8, 128, 16, generator=torch.Generator().manual_seed(0))
    (mel,) = MelAutoencoder(nano.parts["vae"], nano.spec).decode(latent)
    with torch.no_grad():
        expected = nano.parts["vae"].decode(latent[None] * (1 / nano.parts["vae"].config.scaling_factor)).sample[0, 0]
    assert torch.equal(mel, expected)


def test_the_latent_of_a_mel_is_the_scaled_mean_of_its_posterior(nano):
    mel = random_mel(512)
    latent = torch.cat(list(MelAutoencoder(nano.parts["vae"], nano.spec).encode(mel)))
    with torch.no_grad():
        expected = (
            nano.parts["vae"].encode(mel[None, None]).latent_dist.mean[0] * nano.parts["vae"].config.scaling_factor
        )
    torch.testing.assert_close(latent.permute(1, 0, 2), expected)


def test_the_latent_of_a_kept_take_is_that_of_its_mel_at_the_models_rate(nano):
    take = 0.1 * torch.randn(48_000 * 2, generator=torch.Generator().manual_seed(0)) * torch.linspace(0, 1, 96_000)
    latent = synthesis_of(nano).encode(take, lambda: False)
    mel = MelAnalysis(nano.spec)(torch.from_numpy(soxr.resample(take.numpy(), 48_000, 16_000, quality="VHQ")))
    with torch.no_grad():
        expected = (
            nano.parts["vae"].encode(mel[None, None]).latent_dist.mean[0] * nano.parts["vae"].config.scaling_factor
        )
    torch.testing.assert_close(latent, expected, rtol=1e-3, atol=1e-4)


def test_samples_stay_inside_full_scale_though_the_resampler_overshoots(nano):
    handle = nano.parts["vocoder"].register_forward_hook(lambda module, inputs, output: output.sign())
    synthesis = synthesis_of(nano)
    latent = Latent(torch.randn(1, 8, 25, 16, generator=torch.Generator().manual_seed(0)))
    samples = torch.cat([w.samples for w in synthesis.waveforms(latent, 48_000, lambda _: None, lambda: False)])
    handle.remove()
    assert samples.abs().max() == 1


def test_decoding_a_minute_holds_one_chunk_at_a_time(nano):
    lengths = []
    handle = nano.parts["vae"].decoder.register_forward_hook(
        lambda module, inputs, output: lengths.append(inputs[0].shape[2])
    )
    pieces = MelAutoencoder(nano.parts["vae"], nano.spec).decode(torch.randn(8, 1500, 16))
    total = 0
    for drawn, piece in enumerate(pieces, start=1):
        assert len(lengths) <= drawn + 1  # one chunk ahead, for the crossfade
        assert piece.shape[0] <= 4 * nano.spec.window_latent_frames
        total += piece.shape[0]
    handle.remove()
    assert total == 6000
    assert max(lengths) <= nano.spec.window_latent_frames


@pytest.mark.parametrize("piece_samples", [100, 4096, 16_000])
@pytest.mark.parametrize("at", [0, 1, 777, 15_999])
def test_an_impulse_keeps_its_moment_through_the_resampler(piece_samples, at):
    sound = torch.zeros(16_000)
    sound[at] = 1.0
    out = torch.cat(list(resampled(sound.split(piece_samples), 16_000, 48_000, 48_000)))
    assert abs(int(out.argmax()) - 3 * at) <= 1
    torch.testing.assert_close(out, torch.from_numpy(soxr.resample(sound.numpy(), 16_000, 48_000, quality="VHQ")))


@pytest.mark.parametrize("sample_count", [1, 2, 2002, 47_999, 48_000])
def test_the_resampler_gives_exactly_the_samples_asked_for(sample_count):
    sound = torch.ones(16_000)
    assert sum(p.shape[0] for p in resampled(sound.split(1000), 16_000, 48_000, sample_count)) == sample_count


def test_what_is_missing_at_the_end_is_silence():
    out = torch.cat(list(resampled([torch.ones(100)], 48_000, 16_000, 640)))
    assert out.shape == (640,)
    assert torch.equal(out[40:], torch.zeros(600))


def test_the_resampler_reads_its_input_only_as_it_is_needed():
    read = []

    def pieces():
        for k in range(100):
            read.append(k)
            yield torch.zeros(1600)

    stream = resampled(pieces(), 16_000, 48_000, 480_000)
    next(stream)
    assert len(read) < 10
