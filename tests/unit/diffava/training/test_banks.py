"""What the banks of a training say of its clips."""

import numpy as np
import torch
from torch.nn.functional import normalize

from diffava.sounds.composition import waveform_of
from diffava.sounds.takes import RATE_HZ
from diffava.training.banks import ClipSource, audio_bank
from support.toy_sounds import toy_library


class Levels:
    """An audio encoder whose vectors say how loud a sound is and how long."""

    sample_rate_hz = RATE_HZ

    def encode(self, waveforms):
        seconds = torch.full((len(waveforms),), waveforms.shape[1] / RATE_HZ)
        return normalize(torch.stack([waveforms.square().mean(1).sqrt(), seconds], 1), dim=1)

    def encode_seconds(self, waveforms):
        count = waveforms.shape[1] // RATE_HZ
        parts = waveforms[:, : count * RATE_HZ].unflatten(1, (count, RATE_HZ))
        return torch.stack([self.encode(part) for part in parts])


def test_a_second_without_sound_stands_for_its_clip(tmp_path):
    source = ClipSource(toy_library(), "generator", 5, 12, 3.5)
    bank = audio_bank(tmp_path / "audio", source, Levels())
    kinds_of_second = set()
    for number in range(source.count):
        samples = torch.from_numpy(waveform_of(source.clip(number), source.library))
        own = Levels().encode_seconds(samples[None])[0].half().numpy()
        for second in range(3):
            is_silent = not samples[second * RATE_HZ : (second + 1) * RATE_HZ].any()
            expected = bank["audio"][number] if is_silent else own[second]
            np.testing.assert_array_equal(bank["seconds"][number, second], expected)
            kinds_of_second.add(is_silent)
    assert kinds_of_second == {True, False}
