"""Eq. 2 of DiffAVA: what the alignment is trained with. Knows embeddings, not where they come from."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import log_softmax, normalize


def contrastive_loss(
    audio: Float[Tensor, "B T D"],
    visual_text: Float[Tensor, "B T D"],
    *,
    temperature: float | Float[Tensor, ""] = 0.07,
    symmetric: bool = False,
    mean_over_time: bool = False,
    present: Bool[Tensor, "B T"] | None = None,
) -> Float[Tensor, ""]:
    """Make each second's sound find its own clip among the batch's clips at the same second.

    `L = -(1/B) sum_b sum_i log( exp(cos(a_bi, v_bi)/tau) / sum_m exp(cos(a_bi, v_mi)/tau) )`: the sound is the
    anchor, the other clips at the same second are the negatives, the sum runs over seconds and the mean over clips.

    Args:
        audio: CLAP audio embedding of each second `[B, T, D]`, of any length.
        visual_text: Visual-aligned text embedding of each second `[B, T, D]`, of any length.
        temperature: The paper does not name it; CLIP's 0.07.
        symmetric: Also ask the way back, from text to sound, and take the mean of both. Not in the paper.
        mean_over_time: Divide by T, so that the loss does not grow with the clip. Not in the paper.
        present: Which seconds a clip has, where some clips are shorter; the others are neither anchors nor negatives.
            The paper's clips are all 10 s.

    Source: arXiv:2305.12903, eq. 2. It prints F^v where its text speaks of the visual-aligned text; we follow the text.
    """
    audio, visual_text = normalize(audio, dim=-1), normalize(visual_text, dim=-1)
    similarity = audio.transpose(0, 1) @ visual_text.permute(1, 2, 0) / temperature  # [T, anchor, candidate]
    if present is not None:
        # Each row keeps its own place: a row of minus infinities alone would be NaN, and its gradient too.
        absent = ~present.T[:, None, :] | ~present.T[:, :, None]
        own = torch.eye(len(audio), dtype=torch.bool, device=audio.device)
        similarity = similarity.masked_fill(absent & ~own, -torch.inf)
    losses = -log_softmax(similarity, dim=2).diagonal(dim1=1, dim2=2)
    if symmetric:
        losses = (losses - log_softmax(similarity, dim=1).diagonal(dim1=1, dim2=2)) / 2
    if present is not None:
        losses = losses * present.T
    over_time = losses.mean(dim=0) if mean_over_time else losses.sum(dim=0)
    return over_time.mean()
