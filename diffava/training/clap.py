"""CLAP's two small towers, trained together from nothing and then frozen. Knows sounds and words, no pictures.

The loss is CLAP's symmetric InfoNCE (arXiv:2206.04769) with one change that is ours: many clips of a batch are of one
kind, and a text that is true of several of them has them all as equal targets instead of as false negatives.
"""

import tomllib
from importlib import resources
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize
from transformers import ClapTextModelWithProjection

from diffava.features.mel_audio import MelAudioTower
from diffava.sounds.captions import FRAMES
from diffava.sounds.kinds import kinds
from diffava.training.clap_data import Described, MelBank, describe, heard_kinds, mistyped, varied

WINDOWS_S = (1.0, 1.0, 1.5, 2.0, 4.0)  # eq. 2 needs single seconds, judging whole clips
HARDEST = float(np.log(100))  # the inverse temperature's bound, as in CLIP
NAMES = tuple(kind.name for kind in kinds())


class ClapTowers(nn.Module):
    """Both towers, the temperature between them, and an anchor for each kind that only training needs.

    A tower that reads nothing yet learns slowly from another that still hears nothing; anchors, which both are drawn
    to, let each begin by itself.
    """

    def __init__(self, text: ClapTextModelWithProjection, audio: MelAudioTower, projection_dim: int) -> None:
        super().__init__()
        self.text = text
        self.audio = audio
        self.log_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))
        self.anchors = nn.Parameter(torch.randn(len(kinds()), projection_dim) * projection_dim**-0.5)


class ClapTask:
    """Windows of the generator's clips with captions; judged on held-out takes and on phrasings nobody trained on."""

    def __init__(
        self, module: ClapTowers, tokenizer: Any, bank: MelBank, held_out: MelBank, batch_size: int, seed: int = 0
    ) -> None:
        self.module = module
        self.tokenizer = tokenizer
        self.bank = bank
        self.held_out = held_out
        self.batch_size = batch_size
        self.seed = seed

    def batch(self, step: int) -> tuple[Tensor, list[Described], list[tuple[str, ...]]]:
        """Windows of one length with a text and the kinds that are heard, all drawn by the step's number."""
        rng = np.random.default_rng((self.seed, step))
        frames = round(float(rng.choice(WINDOWS_S)) * self.bank.frames_per_s)
        mels, texts, heard = [], [], []
        for index in rng.choice(len(self.bank.scores), self.batch_size, replace=False):
            first = int(rng.integers(self.bank.mels.shape[1] - frames + 1))
            mel, score = self.bank.window(int(index), first, frames)
            mels.append(torch.from_numpy(mel))
            texts.append(describe(score, rng))
            heard.append(heard_kinds(score))
        return varied(torch.stack(mels), rng), texts, heard

    def loss(self, batch: tuple[Tensor, list[Described], list[tuple[str, ...]]]) -> dict[str, Tensor]:
        """Symmetric InfoNCE with several targets a row."""
        mels, texts, heard = batch
        device = self.module.log_scale.device
        audio = normalize(self.module.audio(mels.to(device)).float(), dim=-1)
        text = self._embed([described.text for described in texts])
        fits = torch.tensor([[float(described.fits(names)) for names in heard] for described in texts], device=device)
        scale = self.module.log_scale.clamp(max=HARDEST).exp()
        scores = scale * text @ audio.T
        contrast = (several_targets(scores, fits) + several_targets(scores.T, fits.T)) / 2
        anchors = scale * normalize(self.module.anchors, dim=-1).T
        sounds = torch.tensor([[float(name in names) for name in NAMES] for names in heard], device=device)
        words = torch.tensor(
            [[float(any(name in meant for meant in row.meaning)) for name in NAMES] for row in texts], device=device
        )
        read, listened = several_targets(text @ anchors, words), several_targets(audio @ anchors, sounds)
        return {"loss": contrast + read + listened, "contrast": contrast, "text": read, "audio": listened}

    def validate(self) -> dict[str, float]:
        """Whether the right one of all kinds is nearest, its place being the mean of its phrases' embeddings."""
        with torch.no_grad():
            places = self._places()
            figures = {
                f"text_{name}": self._right(self._embed(list(texts)) @ places.T, [NAMES.index(k) for k in of])
                for name, (texts, of) in text_trials().items()
            }
            for length, label in (
                (self.held_out.mels.shape[1], "clip"),
                (round(self.held_out.frames_per_s), "second"),
            ):
                mels, of = self._held_out_windows(length)
                embeddings = normalize(self.module.audio(mels.to(places.device)).float(), dim=-1)
                figures[f"audio_{label}"] = self._right(embeddings @ places.T, [NAMES.index(k) for k in of])
            return figures

    def _held_out_windows(self, frames: int) -> tuple[Float[Tensor, "B T M"], list[str]]:
        mels, of = [], []
        for index in range(len(self.held_out.scores)):
            for first in range(0, self.held_out.mels.shape[1] - frames + 1, frames):
                mel, score = self.held_out.window(index, first, frames)
                if len(heard_kinds(score)) == 1:
                    mels.append(torch.from_numpy(mel))
                    of.append(heard_kinds(score)[0])
        return torch.stack(mels), of

    def _places(self) -> Float[Tensor, "K D"]:
        return normalize(torch.stack([self._embed(list(kind.phrases)).mean(dim=0) for kind in kinds()]), dim=-1)

    def _embed(self, texts: list[str]) -> Float[Tensor, "B D"]:
        batch = self.tokenizer.pad({"input_ids": self.tokenizer(texts)["input_ids"]}, return_tensors="pt")
        batch = batch.to(self.module.log_scale.device)
        output = self.module.text(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        return normalize(output.text_embeds.float(), dim=-1)

    @staticmethod
    def _right(scores: Float[Tensor, "B K"], of: list[int]) -> float:
        return float((scores.argmax(dim=1).cpu() == torch.tensor(of)).float().mean())


def several_targets(scores: Float[Tensor, "R C"], fits: Float[Tensor, "R C"]) -> Float[Tensor, ""]:
    """Cross-entropy against the even distribution over all fitting columns of each row that has one."""
    rows = fits.sum(dim=1) > 0
    scores, fits = scores[rows], fits[rows]
    targets = fits / fits.sum(dim=1, keepdim=True)
    return -(targets * log_softmax(scores, dim=1)).sum(dim=1).mean()


def text_trials() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Texts with their kinds: the phrases as they are, mistyped, in a frame, and phrasings kept out of training."""
    rng = np.random.default_rng(1)
    known = [(phrase, kind.name) for kind in kinds() for phrase in kind.phrases]
    unseen = tomllib.loads((resources.files("diffava.training") / "unseen_phrases.toml").read_text("utf-8"))
    apart = [(phrase, kind) for kind, phrases in unseen.items() for phrase in phrases]
    framed = [(str(rng.choice(FRAMES)).format(phrase).upper(), kind) for phrase, kind in known]
    trials = {
        "known": known,
        "mistyped": [(mistyped(phrase, rng), kind) for phrase, kind in known],
        "framed": framed,
        "unseen": apart,
    }
    return {name: (tuple(t for t, _ in pairs), tuple(k for _, k in pairs)) for name, pairs in trials.items()}
