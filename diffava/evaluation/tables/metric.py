"""A metric of a table: its version, what it needs of each pair, and how it is taken. Knows no network and no file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from diffava.evaluation.figures import Figure
from diffava.evaluation.tables.feature_cache import Features

Role = Literal["generated", "reference", "film", "caption"]
Need = tuple[str, Role]  # an extractor, and of what


@dataclass(frozen=True, eq=False)
class Item:
    """One pair's features."""

    name: str
    features: dict[Need, Features]

    def of(self, extractor: str, role: Role, part: str = "features") -> np.ndarray:
        """One array of it."""
        return self.features[extractor, role][part]


@dataclass(frozen=True)
class Taken:
    """A metric's figures, and one value a clip under the keys of those figures that have such."""

    figures: list[Figure]
    by_clip: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One metric in one definition.

    Attributes:
        name: With the version, what a figure means: `fad@1`. Another definition has another version.
        definition: A line for people.
        needs: Items that lack one of these are left out; the figure says of how many it is.
        take: The figures of at least `least_items` items.
        better: Which way is better.
    """

    name: str
    version: int
    definition: str
    needs: tuple[Need, ...]
    take: Callable[[Sequence[Item]], Taken]
    better: Literal["higher", "lower", ""] = ""
    least_items: int = 2

    @property
    def identity(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}"
