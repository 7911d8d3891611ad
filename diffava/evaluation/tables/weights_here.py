"""Which weights a table's run has, and what tells them apart. A metric whose weights are not here is left out."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffava.checkpoints.registry import published
from diffava.evaluation.networks.weights import weights_file
from diffava.evaluation.tables.clap import clap_folder, clap_sha256
from diffava.evaluation.tables.extractors import Extractor

CLAP = "clap"


@dataclass(frozen=True)
class Weights:
    """A file or folder of weights, and its hash; for an extractor that needs none, neither."""

    path: Path = Path()
    sha256: str = ""


@dataclass
class WeightsHere:
    """Where weights are looked for: in a folder under the published files' own names, then where they are pulled to."""

    folder: Path | None = None
    clap: str = "mini"
    _known: dict[str, Weights] = field(default_factory=dict)

    def of(self, extractor: Extractor) -> Weights:
        """What an extractor needs.

        Raises:
            CheckpointError: It is not here; the sentence says how to get it.
        """
        name = extractor.weights
        if not name:
            return Weights()
        if name not in self._known:
            self._known[name] = self._found(name)
        return self._known[name]

    def identity(self, extractor: Extractor) -> str:
        """What makes this extractor's features: its name, and a hash of its version and weights."""
        made_of = f"{extractor.name}@{extractor.version} {self.of(extractor).sha256}"
        return f"{extractor.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"

    def used(self) -> dict[str, dict[str, Any]]:
        """Every file that was asked for, its hash, and whether that is the published one's, where that is known."""
        told: dict[str, dict[str, Any]] = {}
        for name, weights in self._known.items():
            wanted = "" if name == CLAP else published(name).file().sha256
            told[name] = {"path": str(weights.path), "sha256": weights.sha256}
            if name == CLAP:
                told[name]["clap"] = self.clap
            elif wanted:
                told[name]["is_the_published_file"] = wanted == weights.sha256
        return told

    def _found(self, name: str) -> Weights:
        if name == CLAP:
            folder = clap_folder(self.clap)
            return Weights(folder, clap_sha256(folder))
        path = weights_file(name, self.folder)
        with path.open("rb") as file:
            return Weights(path, hashlib.file_digest(file, "sha256").hexdigest())
