"""Random weights in the published files' own names and shapes, the same on every machine, for tests of networks."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from diffava.evaluation.networks.c3d import C3D
from diffava.evaluation.networks.cnn14 import FFT_SAMPLES, MEL_BINS, RATE_HZ, Cnn14
from diffava.evaluation.networks.vggish import VGGish

FILES = {
    "vggish": "vggish-10086976.pth",
    "cnn14": "Cnn14_16k_mAP=0.438.pth",
    "c3d": "c3d_sports1m_pretrain_20201016-dcc47ddc.pth",
    "word2vec": "GoogleNews-vectors-negative300.bin.gz",
}


def random_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor drawn from its name, scaled so that signals keep their size through a deep network."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        return 0.5 + torch.rand(shape, generator=generator)
    drawn = torch.randn(shape, generator=generator)
    return 0.1 * drawn if len(shape) == 1 else drawn * (2 / max(1, int(np.prod(shape[1:])))) ** 0.5


def random_weights(network: Callable[[], torch.nn.Module]) -> dict[str, Tensor]:
    """Every parameter and buffer of a network, drawn from its name."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in network().state_dict().items()}
    return {name: random_tensor(name, shape) for name, shape in shapes.items()}


def vggish_weights() -> dict[str, Tensor]:
    return random_weights(VGGish)


def cnn14_weights() -> dict[str, Tensor]:
    """With PANNs' mel filters, which the file holds, and with its transform, which we do not use."""
    drawn = random_weights(Cnn14)
    bank = mel_filter_bank(FFT_SAMPLES // 2 + 1, MEL_BINS, 50.0, 8000.0, RATE_HZ, norm="slaney", mel_scale="slaney")
    drawn["logmel_extractor.melW"] = torch.from_numpy(bank).float()
    drawn["bn0.running_mean"] = torch.full((MEL_BINS,), -20.0)  # decibels, so that the maps are of size 1
    drawn["bn0.running_var"] = torch.full((MEL_BINS,), 100.0)
    for part in ("real", "imag"):
        drawn[f"spectrogram_extractor.stft.conv_{part}.weight"] = torch.zeros(FFT_SAMPLES // 2 + 1, 1, FFT_SAMPLES)
    return drawn


def c3d_weights() -> dict[str, Tensor]:
    drawn = random_weights(C3D)
    drawn["conv1a.conv.weight"] /= 64  # pictures are of size 64
    return drawn


def thin(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the same shapes whose rows are one drawn row, moved on by one each: files of them are small."""
    return {name: _overlapping(value) if value.dim() > 1 else value for name, value in weights.items()}


def _overlapping(value: Tensor) -> Tensor:
    row = value[0].numel()
    drawn = value.reshape(-1)[: row + len(value)].clone()
    return drawn.as_strided(value.shape, (1, *torch.empty(value.shape[1:], device="meta").stride()))


def write_weights(folder: Path, names: tuple[str, ...] = ("vggish", "cnn14", "c3d"), is_thin: bool = False) -> Path:
    """A folder with files as their owners publish them, but random."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"vggish": vggish_weights, "cnn14": cnn14_weights, "c3d": c3d_weights}
    around = {"cnn14": {"iteration": 1, "sampler": {"indexes": np.arange(3)}}}
    inside = {"cnn14": "model", "c3d": "state_dict"}
    for name in names:
        weights = thin(drawn[name]()) if is_thin else drawn[name]()
        whole = {**around.get(name, {}), inside[name]: weights} if name in inside else weights
        torch.save(whole, folder / FILES[name])
    return folder
