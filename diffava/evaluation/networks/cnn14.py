"""PANNs' Cnn14 at 16 kHz: the classifier behind FD, IS and both KL. Knows samples at 16 kHz, no files but weights.

The network of Kong et al. 2020 in the names of `Cnn14_16k_mAP=0.438.pth` (Zenodo 3987831), read as audioldm_eval reads
it (feature_extractors/panns/models.py at 8dc07ee): features after `fc1` and its ReLU, logits of AudioSet's 527 classes.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from diffava.evaluation.networks.weights import fill, read_weights

RATE_HZ = 16_000
FFT_SAMPLES, HOP_SAMPLES = 512, 160
MEL_BINS = 64  # 50 to 8000 Hz; the filters themselves are in the published file
POWER_FLOOR = 1e-10
WIDTHS = (64, 128, 256, 512, 1024, 2048)
DIMENSIONS, CLASSES = 2048, 527
LEAST_SAMPLES = 5120  # a third of a second: five poolings must leave a frame
# The file's own discrete Fourier transform with Hann's window, as two convolutions; `torch.stft` is the same.
TRANSFORM = "spectrogram_extractor."


class ConvBlock(nn.Module):
    """Two convolutions with batch normalisation."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, maps: Float[Tensor, "B C T M"]) -> Float[Tensor, "B K T M"]:
        """Maps of the same size."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(maps))))))


class LogMelFilters(nn.Module):
    """The file's mel filters, from power to decibels."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("melW", torch.zeros(FFT_SAMPLES // 2 + 1, MEL_BINS))
        self.melW: Tensor

    def forward(self, power: Float[Tensor, "B T F"]) -> Float[Tensor, "B T M"]:
        """10 log10 of the mel power, at least -100 dB."""
        return 10 * (power @ self.melW).clamp(min=POWER_FLOOR).log10()


class Cnn14(nn.Module):
    """From samples to features and logits. Its parameters have the names and shapes of the published file."""

    def __init__(self) -> None:
        super().__init__()
        self.logmel_extractor = LogMelFilters()
        self.bn0 = nn.BatchNorm2d(MEL_BINS)
        for number, (before, channels) in enumerate(zip((1, *WIDTHS[:-1]), WIDTHS, strict=True), 1):
            setattr(self, f"conv_block{number}", ConvBlock(before, channels))
        self.fc1 = nn.Linear(DIMENSIONS, DIMENSIONS)
        self.fc_audioset = nn.Linear(DIMENSIONS, CLASSES)

    def forward(self, samples: Float[Tensor, "B S"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B K"]]:
        """Features and logits of sounds of one length."""
        window = torch.hann_window(FFT_SAMPLES, periodic=True, device=samples.device)
        spectrum = torch.stft(samples, FFT_SAMPLES, HOP_SAMPLES, window=window, return_complex=True)
        log_mel = self.logmel_extractor(spectrum.abs().square().transpose(1, 2))
        # Normalised by mel bin: the batch normalisation's channels are the bins here.
        maps = self.bn0(log_mel[:, None].transpose(1, 3)).transpose(1, 3)
        for number in range(1, len(WIDTHS) + 1):
            maps = getattr(self, f"conv_block{number}")(maps)
            if number < len(WIDTHS):
                maps = avg_pool2d(maps, 2)
        over_time = maps.mean(dim=3)
        features = relu(self.fc1(over_time.amax(dim=2) + over_time.mean(dim=2)))
        return features, self.fc_audioset(features)


def open_cnn14(path: Path, device: torch.device | str = "cpu") -> Cnn14:
    """The network with the weights of a file.

    Raises:
        CheckpointError: The file cannot be read or is of another network.
    """
    with torch.device("meta"):
        network = Cnn14()
    fill(network, read_weights(path, inside=("model",)), path, ignored=(TRANSFORM,))
    return network.to(device)


@torch.inference_mode()
def cnn14_features(network: Cnn14, samples: Float[Tensor, "S"]) -> tuple[Float[Tensor, "D"], Float[Tensor, "K"]]:
    """Features and logits of one sound of at least `LEAST_SAMPLES`; a shorter one is followed by silence."""
    missing = max(0, LEAST_SAMPLES - len(samples))
    padded = torch.nn.functional.pad(samples, (0, missing)).to(next(network.parameters()).device)
    features, logits = network(padded[None])
    return features[0].cpu(), logits[0].cpu()
