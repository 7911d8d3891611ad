"""The condition stage: `Features` in, one FiLM vector per shot out. Knows tokens and embeddings, no encoders."""

import math
from collections import Counter
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from diffava.condition.dmrn import DualMultimodalResidualNetwork
from diffava.condition.temporal_transformer import TemporalTransformer
from diffava.config import AlignmentSection
from diffava.spec import Condition, Features


class Alignment(nn.Module):
    """Bends the prompt's embedding towards what each shot shows: the only part that DiffAVA trains.

    AudioLDM takes one vector for a whole sound, so the tokens of a shot end as their mean: this aligns what is heard
    with what is seen, not when.

    Source: arXiv:2305.12903, section 3.2. Mean and normalisation are our choice: AudioLDM was trained on the unit
    sphere of CLAP, and a fused vector is not on it by itself.
    """

    def __init__(self, config: AlignmentSection, video_dim: int, text_dim: int) -> None:
        super().__init__()
        self.clip_tokens = config.clip_tokens
        self.temporal_transformer = TemporalTransformer(config, video_dim, text_dim)
        self.dmrn = DualMultimodalResidualNetwork(text_dim, zero_init=config.dmrn_zero_init)

    @property
    def is_trained(self) -> bool:
        """Whether it ever learned: until then, DMRN's last layers are the zeros that it begins with."""
        return any(bool(parameter.any()) for parameter in self.dmrn.text_residual[-1].parameters())

    def fuse(self, text: Float[Tensor, "B D"], video: Float[Tensor, "B T V"]) -> Float[Tensor, "B T D"]:
        """The visual-aligned text of each token, of unit length: what eq. 2 compares with the sound.

        Args:
            text: CLAP text embeddings `[B, D]`, of unit length.
            video: Tokens `[B, T, V]` of one shot, at most `clip_tokens`.
        """
        seen = self.temporal_transformer(video)
        return normalize(self.dmrn(text[:, None].expand_as(seen), seen), dim=-1)

    def forward(self, features: Features) -> Condition:
        """One unit vector per shot; a shot without tokens has the prompt's own embedding."""
        shots = [features.text] * features.shot_count
        for shot, tokens in tokens_by_shot(features):
            fused = [self.fuse(features.text[None], clip[None])[0] for clip in clips_of(tokens, self.clip_tokens)]
            shots[shot] = normalize(torch.cat(fused).mean(dim=0), dim=-1)
        return Condition(shots=torch.stack(shots), unconditional=features.negative_text)


def tokens_by_shot(features: Features) -> Iterator[tuple[int, Float[Tensor, "T V"]]]:
    """Each shot that has tokens, with them."""
    counts = Counter(features.shot)  # in order of the shots, since tokens are in order of time
    yield from zip(counts, torch.split(features.video, list(counts.values())), strict=True)


def clips_of(tokens: Float[Tensor, "T V"], limit: int) -> tuple[Tensor, ...]:
    """Cut a shot into clips of nearly equal length, none longer than those of training.

    Attention and positions therefore see nothing that they were not trained on, and the cost grows linearly.
    """
    return tokens.tensor_split(math.ceil(len(tokens) / limit))
