"""The small audio tower: any length, unit vectors, each second by itself."""

import pytest
import torch

from diffava.features.mel_audio import AudioEncoder, MelAudioEncoder, MelAudioTower

RATE_HZ, HOP = 4800, 48


def mel(samples):
    """Stands for the model's: 8 numbers a hop that say something of its samples."""
    return samples.unfold(0, HOP, HOP)[:, :8] * 10 - 5


@pytest.fixture(scope="module")
def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MelAudioEncoder(MelAudioTower((4, 4, 8, 8), 6), mel, RATE_HZ)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 0.1


def test_it_is_what_training_needs(encoder):
    assert isinstance(encoder, AudioEncoder)


@pytest.mark.parametrize("seconds", [0.5, 1, 3.3])
def test_a_sound_of_any_length_becomes_a_unit_vector(encoder, seconds):
    embeddings = encoder.encode(noise(2, round(seconds * RATE_HZ)))
    assert embeddings.shape == (2, 6)
    torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(2))


def test_each_second_is_embedded_by_itself(encoder):
    sound = noise(1, round(2.5 * RATE_HZ))
    changed = sound.clone()
    changed[:, 2 * RATE_HZ :] = 0
    first, second = encoder.encode_seconds(sound), encoder.encode_seconds(changed)
    assert first.shape == (1, 3, 6)
    assert torch.equal(first[:, :2], second[:, :2])
    assert not torch.equal(first[:, 2], second[:, 2])


def test_one_short_contact_in_a_long_silence_is_heard(encoder):
    silence = torch.zeros(1, 5 * RATE_HZ)
    contact = silence.clone()
    contact[:, RATE_HZ : RATE_HZ + 4 * HOP] = 0.9
    assert (encoder.encode(silence) - encoder.encode(contact)).abs().max() > 1e-3
