"""Batches of prepared clips: for the alignment by eq. 2, and for the control branch. Knows arrays, no loss.

Everything random about an item is drawn by its position in the stream. So the clips, captions and noise of a step are
the same on one process and on several.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffava.spec import Spec
from diffava.training.alignment import AlignmentBatch
from diffava.training.prepared.clips import PreparedClips

NOISE, CHOICE = 31, 32  # what a random number is drawn for
HELD_OUT_BATCH = 64


@dataclass(frozen=True)
class Feed:
    """How a stream is shared out: `batch_size` items a step, in `micro_batches` of equal size."""

    clips: PreparedClips
    batch_size: int
    micro_batches: int = 1
    seed: int = 0

    def positions(self, number: int) -> range:
        """The items of micro-batch `number`, in the stream."""
        size = self.batch_size // self.micro_batches
        return range(number * size, (number + 1) * size)

    def items(self, number: int) -> list[dict[str, np.ndarray]]:
        """What is at them."""
        positions = self.positions(number)
        return self.clips.items(positions.start, len(positions), self.batch_size)


class PreparedAlignmentData:
    """Prompts, tokens and sounds of whole seconds (`diffava.training.alignment.AlignmentData`)."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def batch(self, number: int) -> AlignmentBatch:
        """A micro-batch of the stream."""
        return _alignment_batch(self._feed.items(number))

    def held_out(self) -> Iterator[AlignmentBatch]:
        """What is kept apart."""
        yield from (_alignment_batch(items) for items in self._feed.clips.held_out(self._feed.batch_size))


def _alignment_batch(items: Sequence[Mapping[str, np.ndarray]]) -> AlignmentBatch:
    present = torch.from_numpy(np.stack([item["present"] for item in items]))
    return AlignmentBatch(_stacked(items, "text"), _stacked(items, "video"), _stacked(items, "seconds"), present)


@dataclass(frozen=True)
class ControlBatch:
    """Clips for a denoising loss.

    `guide` is `TimingGuide.channels`, `level` uniform in [0, 1), and `kept` 0 where the control is left out.
    """

    latent: Float[Tensor, "B C L M"]
    noise: Float[Tensor, "B C L M"]
    level: Float[Tensor, "B"]
    text: Float[Tensor, "B D"]
    sound: Float[Tensor, "B D"]
    video: Float[Tensor, "B T V"]
    present: Bool[Tensor, "B T"]
    token_of_frame: Int[Tensor, "L"]
    guide: Float[Tensor, "B L G"]
    film_kind: tuple[str, ...]
    kept: Float[Tensor, "B"]


@dataclass(frozen=True)
class ControlMix:
    """Which condition and which guide an item gets, as shares; and how often it gets neither.

    A guide of `both`, `energy` or `onsets` is the sound's own, `picture` what the picture encoder says, `none` is
    T2AV's own case: the fused sequence alone.
    """

    film: Mapping[str, float]
    guide: Mapping[str, float]
    dropped: float = 0.0


class ControlFeed:
    """Clips with noise, conditions and guides drawn for each."""

    def __init__(self, feed: Feed, mix: ControlMix, spec: Spec) -> None:
        self._feed, self._mix, self._spec = feed, mix, spec

    def batch(self, number: int) -> ControlBatch:
        """A micro-batch of the stream."""
        positions, seed = self._feed.positions(number), self._feed.seed
        return self._batch(self._feed.items(number), [(seed, position) for position in positions])

    def held_out(self, limit: int) -> Iterator[ControlBatch]:
        """The first clips of what is kept apart, with the same draws each time."""
        first = 0
        for items in self._feed.clips.held_out(min(HELD_OUT_BATCH, limit)):
            if first >= limit:
                return
            yield self._batch(items, [(-1 % 2**32, first + k) for k in range(len(items))])
            first += len(items)

    def _batch(self, items: Sequence[Mapping[str, np.ndarray]], draws: Sequence[tuple[int, int]]) -> ControlBatch:
        latent = _stacked(items, "latent")
        noise = np.stack([np.random.default_rng((NOISE, *draw)).standard_normal(latent.shape[1:]) for draw in draws])
        rngs = [np.random.default_rng((CHOICE, *draw)) for draw in draws]
        frames, seconds = latent.shape[2], len(items[0]["present"])
        centres_s = (torch.arange(frames) + 0.5) / float(self._spec.latent_rate_hz)
        guides = [self._guide(item, rng) for item, rng in zip(items, rngs, strict=True)]
        return ControlBatch(
            latent=latent,
            noise=torch.from_numpy(noise).float(),
            level=torch.tensor([rng.random() for rng in rngs], dtype=torch.float32),
            text=_stacked(items, "text"),
            sound=_stacked(items, "sound"),
            video=_stacked(items, "video"),
            present=torch.from_numpy(np.stack([item["present"] for item in items])),
            token_of_frame=centres_s.long().clamp(max=seconds - 1),
            guide=torch.from_numpy(np.stack(guides)),
            film_kind=tuple(_choice(self._mix.film, rng) for rng in rngs),
            kept=torch.tensor([float(rng.random() >= self._mix.dropped) for rng in rngs]),
        )

    def _guide(self, item: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Energy, onsets and whether each is known, a row a latent frame."""
        shares = (
            self._mix.guide if "seen_energy" in item else {k: v for k, v in self._mix.guide.items() if k != "picture"}
        )
        kind = _choice(shares, rng)
        source = "seen_" if kind == "picture" else ""
        has_energy, has_onsets = kind in ("both", "energy", "picture"), kind in ("both", "onsets", "picture")
        energy, onsets = (np.asarray(item[source + name], np.float32) for name in ("energy", "onsets"))
        flags = [np.full((len(energy), 1), float(flag), np.float32) for flag in (has_energy, has_onsets)]
        return np.concatenate([energy * has_energy, onsets * has_onsets, *flags], axis=1)


def _choice(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    weights = np.array(list(shares.values()), float)
    return list(shares)[rng.choice(len(weights), p=weights / weights.sum())]


def _stacked(items: Sequence[Mapping[str, np.ndarray]], name: str) -> Tensor:
    return torch.from_numpy(np.stack([item[name] for item in items]).astype(np.float32))
