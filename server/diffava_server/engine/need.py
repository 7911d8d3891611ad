"""What a model needs of its device's memory, estimated before a job starts. Knows configurations and no weights.

A forward holds a bounded number of windows, the codec and the vocoder a chunk, so what grows with a job are the latents
of its takes alone. The figures are held against measured ones by `tests/benchmarks/memory_need.py` on a CPU; those of
a CUDA GPU were not seen.
"""

from dataclasses import dataclass

import torch

from diffava.config import ModelConfig
from diffava.spec import Spec

PROCESS_BYTES = 500 << 20  # Python with torch, diffusers and transformers in it
CUDA_CONTEXT_BYTES = 600 << 20  # beside what torch allocates; an estimate
LATENT_COPIES = 10  # of each take: before and behind a step, prediction, noise, what the allocator keeps
TRANSFORMER_BYTES = 180 << 20  # activations of `mini`'s forwards side by side, and of its vocoder's chunk
UNET_WINDOW_BYTES = 90 << 20  # activations of a window of 10.24 s, AudioLDM-s in float32 (facts: 0.18 GB for two)
DECODER_BYTES = 430 << 20  # activations of AudioLDM's autoencoder for 10.24 s, more than the vocoder's
AUDIOLDM_S_WIDTH, AUDIOLDM_DECODER_WIDTH, AUDIOLDM_WINDOW_FRAMES = 128, 128, 256
ROWS_ON_A_GPU = 8  # four windows, guidance's two sides


@dataclass(frozen=True)
class Need:
    """Bytes of the device's memory; the fields are those of `EngineModel`."""

    resting_bytes: int
    bytes_per_row: int
    bytes_per_row_second: int


def need_of(config: ModelConfig, device: torch.device, weights_bytes: int) -> Need:
    """The need of a model whose weights take `weights_bytes` in memory."""
    spec = Spec.of(config)
    process_bytes = PROCESS_BYTES if device.type == "cpu" else CUDA_CONTEXT_BYTES
    latent_bytes_per_s = 4 * spec.latent_channels * spec.latent_mel_bins * float(spec.latent_rate_hz)
    shortest_s = spec.window_latent_frames / 8 / float(spec.latent_rate_hz)  # a shorter job is as large as this one
    per_second = LATENT_COPIES * latent_bytes_per_s
    return Need(
        resting_bytes=process_bytes + weights_bytes + _working_bytes(config, device),
        bytes_per_row=round(per_second * shortest_s),
        bytes_per_row_second=round(per_second),
    )


def max_batch_rows(config: ModelConfig, device: torch.device) -> int:
    """Takes that gain by being denoised together: a CPU that a single window keeps busy has nothing to share."""
    if device.type != "cpu":
        return 16
    return 1 if config.unet is not None else 4


def _working_bytes(config: ModelConfig, device: torch.device) -> int:
    if config.unet is None:
        return TRANSFORMER_BYTES
    length = config.spec.window_latent_frames / AUDIOLDM_WINDOW_FRAMES
    windows = 2 if device.type == "cpu" else ROWS_ON_A_GPU
    unet_bytes = UNET_WINDOW_BYTES * windows * length * config.unet.block_out_channels[0] / AUDIOLDM_S_WIDTH
    decoder_bytes = DECODER_BYTES * length * config.vae.block_out_channels[0] / AUDIOLDM_DECODER_WIDTH
    return round(max(unet_bytes, decoder_bytes))
