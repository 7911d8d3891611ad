"""AudioLDM's VAE between mel and latent, for ranges of any length. Knows no sound and no noise."""

from collections.abc import Iterator

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from diffava.spec import Spec
from diffava.waveform.chunks import crossfaded, overlapping_chunks


class MelAutoencoder:
    """The frozen VAE, a chunk of `Spec.window_latent_frames` at a time.

    Its group norms and its attention look at a whole chunk, so chunks are as long as what it was trained on, neighbours
    share an eighth, and a raised cosine blends them there (our choice). A range that fits one chunk is exact.
    """

    def __init__(self, vae: AutoencoderKL, spec: Spec) -> None:
        self._vae = vae
        self._factor = spec.vae_factor
        self._longest = spec.window_latent_frames
        self._overlap = max(1, spec.window_latent_frames // 8)

    def encode(self, mel: Float[Tensor, "T M"]) -> Iterator[Float[Tensor, "L C latent_M"]]:
        """Consecutive pieces of the latent's mean, time first; the mel's length is a multiple of the VAE's factor."""
        spans = overlapping_chunks(mel.shape[0] // self._factor, self._longest, self._overlap)
        chunks = (self._encode_chunk(mel[start * self._factor : stop * self._factor]) for start, stop in spans)
        return crossfaded(chunks, self._overlap)

    def decode(self, latent: Float[Tensor, "C L latent_M"]) -> Iterator[Float[Tensor, "T M"]]:
        """Consecutive pieces of the mel, in order and without gaps; only one chunk is held."""
        spans = overlapping_chunks(latent.shape[1], self._longest, self._overlap)
        chunks = (self._decode_chunk(latent[:, start:stop]) for start, stop in spans)
        return crossfaded(chunks, self._overlap * self._factor)

    @torch.no_grad()
    def _encode_chunk(self, mel: Tensor) -> Tensor:
        posterior = self._vae.encode(mel[None, None].to(self._vae.device, self._vae.dtype)).latent_dist
        values: Tensor = posterior.mode()[0].float().cpu() * self._vae.config.scaling_factor
        return values.permute(1, 0, 2)

    @torch.no_grad()
    def _decode_chunk(self, latent: Tensor) -> Tensor:
        scaled = latent[None].to(self._vae.device, self._vae.dtype) * (1 / self._vae.config.scaling_factor)
        mel: Tensor = self._vae.decode(scaled).sample[0, 0].float()  # so that neighbours are blended in float32
        return mel
