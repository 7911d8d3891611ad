"""CLAP: prompts and sound in one space of unit vectors. Knows no pictures.

Both towers are frozen and run in float32 (bfloat16 is slower here for so few tokens, and moves the embedding).
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize
from transformers import ClapAudioModelWithProjection, ClapFeatureExtractor, ClapTextModelWithProjection

from diffava.errors import CheckpointError, RequestError

AGREEMENT = 0.99  # cosine below which two text towers are of different models
AGREEMENT_TEXTS = ("a dog barks twice", "rain on a tin roof", "footsteps on gravel", "glass shatters", "")


class ClapTextEncoder:
    """The frozen CLAP text tower with its tokenizer."""

    def __init__(self, model: ClapTextModelWithProjection, tokenizer: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.token_limit = model.config.max_position_embeddings - 2  # RoBERTa's positions start behind the pad id

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Float[Tensor, "B D"]:
        """Embed texts; the result does not depend on how far a batch is padded (to 1e-7).

        Returns:
            Unit vectors `[B, D]` in float32. AudioLDM's condition is normalised; the tower's own output is not.

        Raises:
            RequestError: A text is longer than the tower can read. Nothing is cut off silently.
        """
        ids = [self.tokenizer(text)["input_ids"] for text in texts]
        for text, tokens in zip(texts, ids, strict=True):
            if len(tokens) > self.token_limit:
                raise RequestError(
                    f"The text '{text[:40]}…' has {len(tokens)} tokens, this model reads {self.token_limit}; "
                    "shorten it."
                )
        batch = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.model.device)
        output = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        embeddings: Tensor = normalize(output.text_embeds.float(), dim=-1)
        return embeddings


class ClapAudioEncoder:
    """The frozen CLAP audio tower (unfused HTSAT) with its own mel, which is not AudioLDM's."""

    sample_rate_hz = 48_000
    window_samples = 480_000

    def __init__(self, model: ClapAudioModelWithProjection) -> None:
        self.model = model.eval().requires_grad_(False)
        # The class's own defaults (0 Hz, "fusion") are the fused model's and give four channels instead of one.
        self.extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14_000, truncation="rand_trunc")

    @torch.no_grad()
    def encode(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        """Embed sounds of at most 10 s at 48 kHz; shorter ones are repeated to fill 10 s ("repeatpad").

        Returns:
            Unit vectors `[B, D]`.

        Raises:
            RequestError: The sounds are longer. The extractor would take a random 10 s of them.
        """
        if waveforms.shape[-1] > self.window_samples:
            raise RequestError(
                f"The sound has {waveforms.shape[-1]} samples, CLAP hears {self.window_samples}; embed it in windows."
            )
        features = self.extractor(
            list(waveforms.cpu().double().numpy()), sampling_rate=self.sample_rate_hz, return_tensors="pt"
        )
        output = self.model(input_features=features["input_features"].float().to(self.model.device))
        embeddings: Tensor = normalize(output.audio_embeds.float(), dim=-1)
        return embeddings

    def encode_seconds(self, waveforms: Float[Tensor, "B S"]) -> Float[Tensor, "B T D"]:
        """Embed each second by itself, as eq. 2's audio side needs.

        The paper does not say how a second is cut out (our choice, arXiv:2305.12903 section 3.3 is silent): windows
        of 1 s, each repeated to 10 s. One embedding of the whole clip repeated T times would make eq. 2 T equal terms.
        """
        seconds = [self.encode(window) for window in torch.split(waveforms, self.sample_rate_hz, dim=-1)]
        return torch.stack(seconds, dim=1)


def check_text_towers_agree(ours: ClapTextEncoder, of_the_audio_tower: ClapTextEncoder) -> None:
    """Refuse an audio tower whose own text tower is not the one that the denoiser was trained on.

    AudioLDM's published folders hold the text tower only. An audio tower of another CLAP shares neither space nor
    meaning with it, and training against it would fail silently.

    Raises:
        CheckpointError: Some text embeds differently, cosine below 0.99.
    """
    first, second = ours.encode(AGREEMENT_TEXTS), of_the_audio_tower.encode(AGREEMENT_TEXTS)
    if first.shape != second.shape:
        raise CheckpointError(
            f"The two CLAP models have {first.shape[-1]} and {second.shape[-1]} dimensions; use the audio tower that "
            "belongs to this model's text tower."
        )
    cosine = float((first * second).sum(dim=-1).min())
    if not cosine >= AGREEMENT:
        raise CheckpointError(
            f"The audio tower belongs to another CLAP model: its text tower agrees with ours by {cosine:.3f} only, "
            f"{AGREEMENT} is needed. Use the audio tower of the checkpoint that the base was trained with."
        )
