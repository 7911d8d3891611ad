"""A latent space without an autoencoder: consecutive mel frames stacked and projected by PCA. Knows no sound.

A log-mel at 100 frames a second changes slowly enough that the first principal components of a few frames hold nearly
all of it, and they cost one matrix product. The choice is ours; AudioLDM has a VAE in this place.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffava.spec import Spec
from diffava.waveform.mel import LOG_FLOOR

LOG_FLOOR_NAT = float(torch.tensor(LOG_FLOOR).log())


class FittedPca(NamedTuple):
    """A fitted projection, and the share of all variance that it keeps."""

    pca: "StackedPca"
    explained_variance: float


class StackedPca(nn.Module):
    """`frames` mel frames as one vector, minus the mean, projected; each number has unit variance on the fitted data.

    The shape is the U-Net's, `[C, L, 1]`, so that denoisers of both kinds take it. Encoding and decoding look at no
    neighbour, so a part of a range gives exactly the part of the whole's latent.
    """

    mean: Tensor
    components: Tensor
    scale: Tensor

    def __init__(self, mel_bins: int = 80, frames: int = 4, components: int = 64) -> None:
        super().__init__()
        self.mel_bins, self.frames = mel_bins, frames
        stacked = mel_bins * frames
        self.register_buffer("mean", torch.zeros(stacked))
        self.register_buffer("components", torch.eye(components, stacked))
        self.register_buffer("scale", torch.ones(components))

    def encode(self, mel: Float[Tensor, "*batch T M"]) -> Float[Tensor, "*batch C L 1"]:
        """The latent; `T` is a multiple of `frames`."""
        stacked = mel.reshape(*mel.shape[:-2], -1, self.frames * self.mel_bins)
        values: Tensor = (stacked - self.mean) @ self.components.T / self.scale
        return values.transpose(-1, -2).unsqueeze(-1)

    def decode(self, latent: Float[Tensor, "*batch C L 1"]) -> Float[Tensor, "*batch T M"]:
        """The mel, never below the logarithm's floor: what is less than silence is the projection's error."""
        values = latent.squeeze(-1).transpose(-1, -2)
        stacked = values * self.scale @ self.components + self.mean
        mel = stacked.reshape(*stacked.shape[:-2], -1, self.mel_bins)
        return mel.clamp(min=LOG_FLOOR_NAT)

    @classmethod
    def fit(cls, frames: Float[Tensor, "N stacked"], components: int, mel_bins: int = 80) -> FittedPca:
        """The principal components of stacked mel frames, by the covariance's eigenvectors in double precision.

        Args:
            frames: Stacked frames, `mel_bins` numbers each, one stack a row.
            components: How many numbers of a stack are kept.
            mel_bins: Bins of one mel frame.
        """
        mean = frames.mean(dim=0, dtype=torch.float64)
        centred = frames - mean.float()
        covariance = (centred.T @ centred).double() / len(frames)
        variance, vectors = torch.linalg.eigh(covariance)
        kept = vectors[:, -components:].flip(1).T
        # An eigenvector's sign is free and differs between machines: its largest entry is positive here.
        largest = kept.gather(1, kept.abs().argmax(dim=1, keepdim=True))
        pca = cls(mel_bins, frames.shape[1] // mel_bins, components)
        pca.mean.copy_(mean)
        pca.components.copy_(kept * largest.sign())
        pca.scale.copy_(variance[-components:].flip(0).clamp(min=1e-12).sqrt())
        return FittedPca(pca, float(variance[-components:].sum() / variance.sum()))


class StackedPcaCodec:
    """The projection over ranges of any length, `Spec.window_latent_frames` at a time; pieces are exact."""

    def __init__(self, pca: StackedPca, spec: Spec) -> None:
        self._pca = pca
        self._longest = spec.window_latent_frames

    @torch.no_grad()
    def encode(self, mel: Float[Tensor, "T M"]) -> Iterator[Float[Tensor, "L C 1"]]:
        """Consecutive pieces of the latent, time first; the mel's length is a multiple of the stacked frames."""
        for piece in torch.split(mel, self._longest * self._pca.frames):
            yield self._pca.encode(piece.to(self._pca.mean)).transpose(0, 1).float().cpu()

    @torch.no_grad()
    def decode(self, latent: Float[Tensor, "C L 1"]) -> Iterator[Float[Tensor, "T M"]]:
        """Consecutive pieces of the mel, in order and without gaps."""
        for piece in torch.split(latent, self._longest, dim=1):
            yield self._pca.decode(piece.to(self._pca.mean))
