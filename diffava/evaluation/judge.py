"""A judge: a classifier that says which kind of sound a clip holds. Trained on real recordings; knows no generator.

What a judge hears is made the same for every clip: the log-mel relative to its loudest point, and nothing that lies 60
dB below that. So neither loudness nor the faint floor of a codec or a vocoder can tell a real clip from another.
"""

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from diffava.errors import CheckpointError
from diffava.sounds.takes import RATE_HZ
from diffava.whole_file import whole_file

CLIP_S = 5.12  # what a judge hears at once; a shorter clip is followed by silence
CLIP_SAMPLES = round(CLIP_S * RATE_HZ)
HOP_SAMPLES, WINDOW_SAMPLES, MEL_BINS, MEL_MAX_HZ = 480, 2048, 80, 20_000
CLIP_FRAMES = CLIP_SAMPLES // HOP_SAMPLES
RANGE_NEPERS = 60 / 20 * float(np.log(10))  # 60 dB
FEATURES = 128
_WIDTHS = (16, 32, 64, 96)
_MOMENT = 192  # width of what is known of each moment, before time is pooled


class Judge(nn.Module):
    """Four strided convolutions over the log-mel, then one over all its bands, pooled over time by maximum and mean.

    Bands are not pooled, since what tells metal from wood is where in the spectrum it sounds.
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        super().__init__()
        self.kinds = kinds
        layers: list[nn.Module] = []
        for wide, wider in zip((1, *_WIDTHS), _WIDTHS, strict=False):
            kernel = 5 if wide == 1 else 3
            layers += [nn.Conv2d(wide, wider, kernel, 2, kernel // 2, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        bands = MEL_BINS // 2 ** len(_WIDTHS)
        self.over_bands = nn.Sequential(
            nn.Dropout(0.1), nn.Conv1d(bands * _WIDTHS[-1], _MOMENT, 1, bias=False), nn.BatchNorm1d(_MOMENT), nn.ReLU()
        )
        self.to_features = nn.Linear(2 * _MOMENT, FEATURES)
        self.to_kinds = nn.Linear(FEATURES, len(kinds))
        self.dropout = nn.Dropout(0.3)

    def features(self, heard: Float[Tensor, "B T M"]) -> Float[Tensor, "B D"]:
        """What the last layer sees of each clip; Fréchet distances are taken between these."""
        moments = self.over_bands(self.convolutions(heard[:, None]).transpose(2, 3).flatten(1, 2))
        pooled = torch.cat([moments.amax(2), moments.mean(2)], 1)
        made: Tensor = torch.relu(self.to_features(self.dropout(pooled)))
        return made

    def forward(self, heard: Float[Tensor, "B T M"]) -> Float[Tensor, "B K"]:
        """Logits over `kinds`."""
        logits: Tensor = self.to_kinds(self.dropout(self.features(heard)))
        return logits


class Hearing:
    """From samples at 48 kHz to what a judge is shown; a mel of its own, so that no model's mel can change a judge."""

    def __init__(self) -> None:
        bank = mel_filter_bank(
            WINDOW_SAMPLES // 2 + 1, MEL_BINS, 0.0, MEL_MAX_HZ, RATE_HZ, norm="slaney", mel_scale="slaney"
        )
        self._filters = torch.from_numpy(bank).float()
        self._window = torch.hann_window(WINDOW_SAMPLES)

    def log_mel(self, samples: Float[np.ndarray, "S"]) -> Float[Tensor, "T M"]:
        """The natural log-mel (magnitude) of the first `CLIP_S` of a clip, followed by silence if it is shorter."""
        whole = torch.zeros(CLIP_SAMPLES)
        part = torch.from_numpy(np.ascontiguousarray(samples[:CLIP_SAMPLES], np.float32))
        whole[: len(part)] = part
        spectrum = torch.stft(whole, WINDOW_SAMPLES, HOP_SAMPLES, window=self._window, return_complex=True)
        mel: Tensor = spectrum.abs().T[:CLIP_FRAMES] @ self._filters
        return mel.clamp(min=1e-6).log()

    def __call__(self, samples: Float[np.ndarray, "S"]) -> Float[Tensor, "T M"]:
        """What the judge is shown of a clip."""
        return relative(self.log_mel(samples))


def relative(log_mel: Float[Tensor, "*B T M"]) -> Float[Tensor, "*B T M"]:
    """The log-mel from 1 (the loudest point of the clip) down to 0 (60 dB below it, and all that is fainter)."""
    loudest = log_mel.amax((-2, -1), keepdim=True)
    return ((log_mel - loudest) / RANGE_NEPERS + 1).clamp(min=0)


@torch.inference_mode()
def heard_by(
    judge: Judge, clips: list[Float[np.ndarray, "_"]]
) -> tuple[Float[np.ndarray, "N K"], Float[np.ndarray, "N D"]]:
    """The probabilities of each kind and the features of each clip."""
    hearing, probabilities, features = Hearing(), [], []
    judge.eval()
    for first in range(0, len(clips), 16):
        shown = torch.stack([hearing(clip) for clip in clips[first : first + 16]])
        found = judge.features(shown)
        features.append(found)
        probabilities.append(judge.to_kinds(found).softmax(1))
    return torch.cat(probabilities).numpy(), torch.cat(features).numpy()


def save_judge(judge: Judge, path: Path) -> None:
    """Write a judge with the names of its kinds; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in judge.state_dict().items()}
    with whole_file(path) as unfinished:
        save_file(weights, unfinished, {"kinds": json.dumps(judge.kinds)})


def load_judge(path: Path) -> Judge:
    """Read a judge.

    Raises:
        CheckpointError: The file is missing or is no judge.
    """
    try:
        with safe_open(path, "pt") as file:
            judge = Judge(tuple(json.loads((file.metadata() or {})["kinds"])))
        judge.load_state_dict(load_file(path))
    except Exception as error:  # safetensors raises classes of its own
        raise CheckpointError(f"{path} is no judge ({error}); remove it, and the benchmark trains it again.") from error
    return judge.eval()
