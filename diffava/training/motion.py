"""The picture encoder, trained from rendered scenes: when sounds begin, how loud they are, what each second shows.

Its tokens are drawn to the frozen CLAP towers' embeddings, as X-CLIP's are to text. Knows banks, not how scenes are
made.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss, normalize

from diffava.condition.hits import pick_hits
from diffava.features.clap import ClapTextEncoder
from diffava.features.mel_audio import AudioEncoder
from diffava.features.motion import MotionEncoder
from diffava.sounds.kinds import kinds
from diffava.training.clap import HARDEST, several_targets
from diffava.training.clip_bank import ClipBank
from diffava.training.motion_data import NAMES, code_of, filmed_otherwise
from diffava.training.processes import device_of

ONSET_WEIGHT = 6.0  # of a step with an onset: one in thirty has one
HIT_TOLERANCE_S = 0.05
TOGETHER = 32  # clips whose sounds are embedded at once
THRESHOLDS = tuple(np.round(np.arange(0.1, 0.75, 0.05), 2).tolist())


class MotionModel(nn.Module):
    """The encoder and the temperature of its contrastive loss."""

    def __init__(self, encoder: MotionEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))


@dataclass(frozen=True)
class MotionBatch:
    """Scenes with their curves; for each second the embedding of its sound and codes of what it holds."""

    rgb: UInt8[Tensor, "B F height width 3"]
    onsets: Float[Tensor, "B F K"]
    energy: Float[Tensor, "B F K"]
    sound: Float[Tensor, "B T D"]
    heard: Int[Tensor, "B T"]
    seen: Int[Tensor, "B T"]


class MotionTask:
    """Onsets by weighted cross-entropy, energy by Huber's loss, tokens by InfoNCE against sounds and words."""

    def __init__(
        self,
        module: MotionModel,
        banks: tuple[ClipBank, ...],
        trials: dict[str, ClipBank],
        text: ClapTextEncoder,
        audio: AudioEncoder,
        token_frames: int,
        batch_size: int,
        frame_rate: float,
    ) -> None:
        """Take banks of `scene_of` to learn from, and named ones to be judged on."""
        self.module, self._banks, self._trials = module, banks, trials
        self._token_frames, self._batch_size, self._frame_rate = token_frames, batch_size, frame_rate
        self._sounds = [sounds_of(bank, audio) for bank in banks]
        self._words = words_of(text, {code for bank in banks for code in np.unique(bank["seen"]).tolist()})
        self._places = torch.stack([self._words[code_of((name,))] for name in NAMES])

    def batch(self, step: int) -> MotionBatch:
        """Scenes drawn by the step's number, each filmed otherwise."""
        rng = np.random.default_rng((5, step))
        sizes = np.cumsum([len(bank) for bank in self._banks])
        picked = [int(number) for number in rng.choice(int(sizes[-1]), self._batch_size, replace=False)]
        places = [(int(np.searchsorted(sizes, number, "right")), number) for number in picked]
        rows = [(bank, number - int(sizes[bank] - len(self._banks[bank]))) for bank, number in places]

        def read(name: str) -> Tensor:
            return torch.from_numpy(np.stack([self._banks[bank][name][row] for bank, row in rows]))

        rgb = torch.stack([filmed_otherwise(self._banks[bank]["rgb"][row], rng) for bank, row in rows])
        sound = torch.stack([self._sounds[bank][row] for bank, row in rows])
        return MotionBatch(rgb, read("onsets"), read("energy"), sound, read("heard").long(), read("seen").long())

    def loss(self, batch: MotionBatch) -> dict[str, Tensor]:
        """The three losses and their weighted sum."""
        seen = self.module.encoder(batch.rgb)
        logits = seen.onset_logits.float()
        weight = 1 + (ONSET_WEIGHT - 1) * batch.onsets
        onset = binary_cross_entropy_with_logits(logits, batch.onsets, weight=weight)
        energy = huber_loss(seen.energy.float(), batch.energy, delta=0.1) * 10
        meaning = self._contrast(self._tokens(seen.features), batch)
        return {"loss": 3 * onset + energy + 0.2 * meaning, "onset": onset, "energy": energy, "meaning": meaning}

    def _tokens(self, features: Float[Tensor, "B F C"]) -> Float[Tensor, "N D"]:
        """Where each whole second of each scene lies in CLAP's space."""
        seconds = features.shape[1] // self._token_frames
        whole = features[:, : seconds * self._token_frames]
        groups = whole.reshape(len(features) * seconds, self._token_frames, features.shape[2])
        return normalize(self.module.encoder.to_sound(self.module.encoder.tokens(groups)).float(), dim=-1)

    def _contrast(self, tokens: Float[Tensor, "N D"], batch: MotionBatch) -> Float[Tensor, ""]:
        """Each second's sound is a target where what is heard is what is seen; its words always are."""
        seen, heard = batch.seen.flatten(), batch.heard.flatten()
        codes = sorted(set(seen.tolist()))
        words = torch.stack([self._words[code] for code in codes]).to(tokens)
        fits_words = (seen[:, None] == torch.tensor(codes, device=seen.device)[None]).float()
        fits_sounds = (seen[:, None] == heard[None]).float()
        scale = self.module.log_scale.clamp(max=HARDEST).exp()
        to_words, to_sounds = scale * tokens @ words.T, scale * tokens @ batch.sound.flatten(0, 1).T
        among_places = scale * tokens @ self._places.to(tokens).T
        fits_places = (seen[:, None] == torch.arange(1, len(NAMES) + 1, device=seen.device)[None]).float()
        parts = [(to_words, fits_words), (to_sounds, fits_sounds), (to_sounds.T, fits_sounds.T)]
        parts.append((among_places, fits_places))
        return torch.stack([several_targets(scores, fits) for scores, fits in parts]).mean()

    def validate(self) -> dict[str, float]:
        """F1 of picked hits at each bank's scenes with the threshold best on the first bank; kinds named by tokens."""
        figures: dict[str, float] = {}
        threshold: float | None = None
        with torch.no_grad():
            for name, bank in self._trials.items():
                device = device_of(self.module)
                seen = [self.module.encoder(torch.from_numpy(rgb.copy())[None].to(device)) for rgb in bank["rgb"]]
                curves = [torch.sigmoid(one.onset_logits[0]) for one in seen]
                truths = [peaks_of(onsets, self._frame_rate) for onsets in bank["onsets"]]
                if threshold is None:
                    f1_of = {t: hit_f1([pick_hits(c, self._frame_rate, t) for c in curves], truths) for t in THRESHOLDS}
                    threshold = max(THRESHOLDS, key=lambda t: f1_of[t])
                    figures["threshold"] = threshold
                picked = [pick_hits(curve, self._frame_rate, threshold) for curve in curves]
                figures[f"{name}_f1"] = hit_f1(picked, truths)
                figures[f"{name}_f1_shuffled"] = hit_f1(picked[1:] + picked[:1], truths)
                figures[f"{name}_energy_r"] = float(
                    np.mean(
                        [correlation(one.energy[0], truth) for one, truth in zip(seen, bank["energy"], strict=True)]
                    )
                )
                figures[f"{name}_kind"] = self._kind_accuracy([one.features for one in seen], bank["seen"])
        return figures

    def _kind_accuracy(self, features: list[Tensor], codes: Int[np.ndarray, "N T"]) -> float:
        places = self._places.to(features[0])
        nearest = torch.stack([(self._tokens(one) @ places.T).argmax(dim=1) + 1 for one in features]).cpu().numpy()
        single = (codes > 0) & (codes <= len(NAMES))
        return float((nearest == codes)[single].mean())


def sounds_of(bank: ClipBank, audio: AudioEncoder) -> Float[Tensor, "N T D"]:
    """The embedding of every second of a bank's clips."""
    parts = [bank["samples"][first : first + TOGETHER] for first in range(0, len(bank), TOGETHER)]
    return torch.cat([audio.encode_seconds(torch.from_numpy(part / np.float32(32767))) for part in parts])


def words_of(text: ClapTextEncoder, codes: set[int]) -> dict[int, Tensor]:
    """For each code the mean of what its kinds' phrases embed to, in an order if there are two; of unit length."""
    base = len(NAMES) + 1
    phrases_of = {kind.name: kind.phrases for kind in kinds()}
    found = {}
    for code in codes | {code_of((name,)) for name in NAMES}:
        names = [NAMES[part - 1] for part in divmod(code, base) if part]
        lists = [phrases_of[name] for name in names]
        texts = [" then ".join(parts) for parts in zip(*lists, strict=False)] if lists else ["silence", "no sound"]
        found[code] = normalize(text.encode(texts).mean(dim=0), dim=0)
    return found


def peaks_of(onsets: Float[np.ndarray, "F K"], frame_rate: float) -> list[float]:
    """The times of a target curve's ones, in seconds."""
    return [float(step) / (frame_rate * onsets.shape[1]) for step in np.flatnonzero(onsets.reshape(-1) == 1)]


def hit_f1(picked: list[list[float]], truths: list[list[float]], tolerance_s: float = HIT_TOLERANCE_S) -> float:
    """F1 over all clips together; each true hit is found once at most, in order of time."""
    found = wanted = matched = 0
    for times, truth in zip(picked, truths, strict=True):
        found, wanted = found + len(times), wanted + len(truth)
        left = list(times)
        for time_s in truth:
            near = [other for other in left if abs(other - time_s) <= tolerance_s + 1e-9]
            if near:
                left.remove(min(near, key=lambda other: abs(other - time_s)))
                matched += 1
    return 2 * matched / max(1, found + wanted)


def correlation(ours: Float[Tensor, "F K"], truth: Float[np.ndarray, "F K"]) -> float:
    """Pearson's, of two curves; 0 where one of them is flat."""
    a, b = ours.flatten().cpu().numpy(), truth.reshape(-1)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
