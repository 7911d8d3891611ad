"""How each kind looks, read once from `looks.toml`. Knows shapes and colours, not how they move."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.random import Generator

from diffava.scenes.sprites import Colour
from diffava.scenes.variation import Ranges

WHITE: Colour = np.full(3, 245, np.float32)
BLACK: Colour = np.full(3, 18, np.float32)


@dataclass(frozen=True, eq=False)
class Look:
    """The shape and the colours of one kind; the fields are explained at the head of `looks.toml`."""

    shape: str
    body: Colour
    accent: Colour
    ground: Colour
    sky: Colour

    def varied(self, ranges: Ranges, rng: Generator) -> "Look":
        """The same look in this scene's own colours."""
        parts = (self.body, self.accent, self.ground, self.sky)
        return Look(self.shape, *(ranges.jittered(part, rng) for part in parts))


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (below 1) or lighter colour."""
    return np.clip(colour * np.float32(factor), 0, 255).astype(np.float32)


@cache
def looks() -> dict[str, Look]:
    """The look of every kind."""
    table = tomllib.loads((resources.files("diffava.scenes") / "looks.toml").read_text("utf-8"))
    return {name: Look(entry["shape"], *(_colour(entry[part]) for part in ("body", "accent", "ground", "sky")))
            for name, entry in table.items()}  # fmt: skip


def _colour(text: str) -> Colour:
    return np.array(list(bytes.fromhex(text.removeprefix("#"))), np.float32)
