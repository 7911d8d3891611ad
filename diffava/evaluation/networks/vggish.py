"""VGGish: 128 numbers for every 0.96 s of a sound, as FAD reads them. Knows samples at 16 kHz, no files but weights.

The network of Hershey et al. 2017 in the names of torchvggish's file (harritaylor/torchvggish, release v0.1, commit
f3f9096). As audioldm_eval has it: no PCA, no quantisation, and the last ReLU left out.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from diffava.evaluation.networks.weights import fill, read_weights

RATE_HZ = 16_000
DIMENSIONS = 128
WINDOW_SAMPLES, HOP_SAMPLES, FFT_SAMPLES = 400, 160, 512
MEL_BINS, MEL_MIN_HZ, MEL_MAX_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.01
EXAMPLE_FRAMES = 96  # 0.96 s; examples do not overlap, and what is left at the end is dropped
BATCH_EXAMPLES = 32
CONVOLUTIONS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0)  # channels; 0 halves both axes


class VGGish(nn.Module):
    """From log-mel examples to features. Its parameters have the names and shapes of the published file."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in CONVOLUTIONS:
            if channels:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
                before = channels
            else:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 4 * 6, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
            nn.Linear(4096, DIMENSIONS),
        )  # fmt: skip

    def forward(self, examples: Float[Tensor, "N frames bins"]) -> Float[Tensor, "N D"]:
        """One row an example."""
        maps = self.features(examples[:, None])
        # The published weights were trained on channels last.
        rows: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return rows


def log_mel_examples(samples: Float[Tensor, "S"]) -> Float[Tensor, "N frames bins"]:
    """The examples of a sound at 16 kHz, log of the magnitude mel plus 0.01; none of less than 0.975 s.

    Frames start at sample 0 and are not padded (mel_features.py of the same repository), in float64 as there.
    """
    frame_count = 1 + (len(samples) - WINDOW_SAMPLES) // HOP_SAMPLES
    example_count = max(0, frame_count) // EXAMPLE_FRAMES
    if example_count == 0:
        return torch.zeros(0, EXAMPLE_FRAMES, MEL_BINS)
    framed = samples.double().unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)[: example_count * EXAMPLE_FRAMES]
    window = torch.hann_window(WINDOW_SAMPLES, periodic=True, dtype=torch.float64)
    magnitude = torch.fft.rfft(framed * window, FFT_SAMPLES).abs()
    bank = mel_filter_bank(
        FFT_SAMPLES // 2 + 1,
        MEL_BINS,
        MEL_MIN_HZ,
        MEL_MAX_HZ,
        RATE_HZ,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    log_mel: Tensor = (magnitude @ torch.from_numpy(bank) + LOG_OFFSET).log().float()
    return log_mel.reshape(example_count, EXAMPLE_FRAMES, MEL_BINS)


def open_vggish(path: Path, device: torch.device | str = "cpu") -> VGGish:
    """The network with the weights of a file.

    Raises:
        CheckpointError: The file cannot be read or is of another network.
    """
    with torch.device("meta"):
        network = VGGish()
    fill(network, read_weights(path), path)
    return network.to(device)


@torch.inference_mode()
def vggish_features(network: VGGish, samples: Float[Tensor, "S"]) -> Float[Tensor, "N D"]:
    """One row for every whole 0.96 s."""
    examples = log_mel_examples(samples)
    device = next(network.parameters()).device
    rows = [network(part.to(device)).cpu() for part in torch.split(examples, BATCH_EXAMPLES) if len(part)]
    return torch.cat(rows) if rows else torch.zeros(0, DIMENSIONS)
