"""What work takes, before any is done: operations counted on shapes alone, and this machine's speed. Knows no step.

An estimate, not a promise: what a network reaches of a matrix product's speed differs by network and machine, and was
measured on a CPU only (`tests/benchmarks/reproduction_cost.py`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from diffava.config import ModelConfig
from diffava.model_parts import clap_audio, make_parts

SHARE_OF_PRODUCT = 1.0  # of a matrix product's speed that a network reaches; AudioLDM's U-Net on a CPU: 1.03
PROBE_SIZE = 1024
PROBE_S = 0.5
DECODE_S_PER_S = 0.04  # of a core, for a second of film and its sound: the mean of a dozen, from 0.01 to 0.08
WORKING_BYTES = 1_000_000_000  # libraries and activations, beside the weights


@dataclass(frozen=True)
class Cost:
    """Work in operations of networks and in seconds of anything else; memory at once, and disk for good."""

    gflop: float = 0.0
    seconds: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0

    def hours(self, gflop_per_s: float) -> float:
        """How long on a machine of that speed."""
        return (self.gflop / gflop_per_s + self.seconds) / 3600


@dataclass(frozen=True)
class ModelWork:
    """A model's operations in units of 10^9: 2 for each multiplication with its addition."""

    step: float  # of the denoiser, with guidance, over one window
    decode: float  # a window's latent to sound
    second_seen: float  # pictures of a second
    second_heard: float  # one second through CLAP's audio tower, as a window of its own
    alignment_clip: float  # a clip of ten seconds through the alignment, forwards and backwards
    weights_bytes: int


def gflop_per_s(device: torch.device | str = "cpu") -> float:
    """How fast this machine computes networks in float32, by the quickest of the matrix products of half a second.

    The quickest, since what else the machine does just now will not be there for hours.
    """
    one = torch.randn(PROBE_SIZE, PROBE_SIZE, device=device)
    _wait(one @ one)
    quickest_s, stop = float("inf"), time.perf_counter() + PROBE_S
    while (began := time.perf_counter()) < stop:
        _wait(one @ one)
        quickest_s = min(quickest_s, time.perf_counter() - began)
    return SHARE_OF_PRODUCT * 2 * PROBE_SIZE**3 / quickest_s / 1e9


def model_work(config: ModelConfig, clip_s: float) -> ModelWork:
    """Count a model with AudioLDM's classes on shapes alone: no weight is drawn, no memory taken."""
    with torch.device("meta"):
        parts, audio = make_parts(config), clap_audio(config)
        dim, frames, bins = config.clap.projection_dim, config.spec.window_latent_frames, config.latent_mel_bins
        latent = torch.empty(1, config.vae.latent_channels, frames, bins)
        both, film = torch.empty(2, *latent.shape[1:]), torch.empty(2, dim)
        mel = torch.empty(1, frames * config.vae_factor, config.mel_bins)
        group = torch.empty(config.video.num_frames, 3, config.video.image_size, config.video.image_size)
        window = torch.empty(1, 1, 1001, 64)  # CLAP's: ten seconds of which one is sound
        text, tokens = torch.empty(1, dim), torch.empty(1, config.alignment.clip_tokens, config.video_dim)
    decode = _gflop(lambda: parts["vae"].decode(latent)) + _gflop(lambda: parts["vocoder"](mel))
    return ModelWork(
        step=_gflop(lambda: parts["unet"](both, 1, encoder_hidden_states=None, class_labels=film)),
        decode=decode,
        second_seen=_gflop(lambda: parts["video"](group)) * float(config.spec.frame_rate) / config.video.num_frames,
        second_heard=_gflop(lambda: audio(window)),
        alignment_clip=3
        * _gflop(lambda: parts["alignment"].fuse(text, tokens))
        * clip_s
        / config.alignment.clip_tokens,
        weights_bytes=4 * sum(weight.numel() for part in parts.values() for weight in part.parameters()),
    )


def network_gflop(network: Callable[[], nn.Module], example: Tensor) -> float:
    """One forward of a network over an example, both without memory."""
    with torch.device("meta"):
        made = network().eval()
        return _gflop(lambda: made(example))


def _gflop(work: Callable[[], object]) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        work()
    return float(counted.get_total_flops()) / 1e9


def _wait(product: torch.Tensor) -> None:
    """A GPU answers before it has computed; reading one number waits for it."""
    product[0, 0].item()
