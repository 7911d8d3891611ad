"""What makes the sounds that the benchmark measures: a model, real recordings as the ceiling, noise as the floor."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from diffava.evaluation.cases import Case, HeldOutSet
from diffava.pipeline import FoleyPipeline
from diffava.spec import FoleyRequest, Frames, Progress

Pictures = UInt8[np.ndarray, "F height width 3"]
CHUNK_FRAMES = 32


@runtime_checkable  # so that tests can check arguments against it
class Generator(Protocol):
    """Whatever makes a sound of `request.sample_count` samples at 48 kHz for a request and its pictures."""

    name: str
    frame_rate: Fraction
    frame_size_pixels: int

    @property
    def weights_sha256(self) -> str:
        """What kept sounds are known by."""
        ...

    def generate(
        self,
        request: FoleyRequest,
        pictures: Pictures | None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Float[np.ndarray, "S"]:
        """Make the sound of the request's one seed."""
        ...


class PipelineGenerator:
    """A model of this library."""

    def __init__(self, pipeline: FoleyPipeline) -> None:
        self._pipeline = pipeline
        self.name, self.weights_sha256 = pipeline.name, pipeline.weights_sha256
        self.frame_rate, self.frame_size_pixels = pipeline.spec.frame_rate, pipeline.spec.frame_size_pixels

    def generate(
        self,
        request: FoleyRequest,
        pictures: Pictures | None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Float[np.ndarray, "S"]:
        """Make the sound with the model's own steps and guidance, its pictures in groups as a server gets them."""
        defaults = self._pipeline.config.defaults
        request = replace(request, step_count=defaults.step_count, guidance_scale=defaults.guidance_scale)
        rows = np.zeros((0, 1, 1, 3), np.uint8) if pictures is None else pictures
        pieces = [piece.samples for piece in self._pipeline.generate(request, in_groups(rows), on_progress=on_progress)]
        return torch.cat(pieces).float().cpu().numpy()


def in_groups(pictures: Pictures) -> Iterator[Frames]:
    """The pictures of a range, a group at a time."""
    for first in range(0, len(pictures), CHUNK_FRAMES):
        yield Frames(first, torch.from_numpy(np.ascontiguousarray(pictures[first : first + CHUNK_FRAMES])))


class _Reference:
    """What the generators that are no model share: pictures small enough to be told apart, and no weights."""

    name = ""
    frame_rate = Fraction(8)
    frame_size_pixels = 32

    @property
    def weights_sha256(self) -> str:
        """A name instead of a hash."""
        return self.name


class RealRecordings(_Reference):
    """Real held-out recordings in a model's place: the ceiling of every figure.

    With the picture's guide it plays the recording that belongs to the picture, with given hits or a performance the
    one that belongs to those, and otherwise a recording of the same sounds with another timing.
    """

    name = "real"

    def __init__(self, held_out: HeldOutSet) -> None:
        self._held_out = held_out
        every = (*held_out.singles, *held_out.impacts, *held_out.leaving, *held_out.orders, *held_out.performances)
        self._of_seed = {case.seed: case for case in every}
        self._of_pictures: dict[bytes, Case] = {}

    def generate(
        self,
        request: FoleyRequest,
        pictures: Pictures | None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Float[np.ndarray, "S"]:
        """Find the recording."""
        case = self._of_seed[request.seeds[0]]
        if request.performance is not None:
            return self._held_out.performed(case)
        if request.hit_samples:
            return self._held_out.reference(case)
        if pictures is None or request.guide == "none":
            return self._held_out.another(case)
        return self._held_out.reference(self._seen(pictures))

    def _seen(self, pictures: Pictures) -> Case:
        if not self._of_pictures:
            for case in self._of_seed.values():
                shown = self._held_out.pictures(case, self.frame_rate, self.frame_size_pixels)
                self._of_pictures[sha256(shown.tobytes()).digest()] = case
        return self._of_pictures[sha256(pictures.tobytes()).digest()]


class Noise(_Reference):
    """White noise in a model's place: the floor of every figure."""

    name = "noise"

    def generate(
        self,
        request: FoleyRequest,
        pictures: Pictures | None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Float[np.ndarray, "S"]:
        """A tenth of full scale, another one for each seed."""
        noise = np.random.default_rng(request.seeds[0]).standard_normal(request.sample_count)
        return (0.1 * noise).astype(np.float32)
