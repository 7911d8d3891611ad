"""DiffAVA's table 1 step by step: downloads, preparation, alignment, sounds of both rows, figures.

Source: arXiv:2305.12903, sections 4.1 and 4.2. What the paper leaves open is `Sampling` and the recipe `diffava`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from diffava.builders import load, open_model, save
from diffava.checkpoints.pull import missing_files, pull
from diffava.checkpoints.registry import Published, published_names, with_needs
from diffava.config import load_config
from diffava.errors import ConfigError, RequestError
from diffava.evaluation.networks.cnn14 import Cnn14
from diffava.evaluation.networks.vggish import VGGish
from diffava.evaluation.tables.definitions import TABLES
from diffava.evaluation.tables.feature_cache import FeatureCache
from diffava.evaluation.tables.pairs import find_pairs
from diffava.evaluation.tables.report import as_json, keep
from diffava.evaluation.tables.run import run_table
from diffava.evaluation.tables.weights_here import WeightsHere
from diffava.pipeline import FoleyPipeline
from diffava.reproduction.cost import DECODE_S_PER_S, WORKING_BYTES, Cost, ModelWork, model_work, network_gflop
from diffava.reproduction.published_table import PublishedTable, published_table
from diffava.reproduction.step import Reproduction, Step
from diffava.reproduction.table_sounds import Sampling, readable, write_generated, write_references
from diffava.training.corpora.owner_lists import AudioCaps
from diffava.training.part_recipe import AlignmentRecipe, read_part_recipe
from diffava.training.parts import Run, train_alignment
from diffava.training.prepared.audio_tower import audio_tower
from diffava.training.prepared.encoder import ModelClipEncoder, Settings
from diffava.training.prepared.media import read_media
from diffava.training.prepared.preparation import prepare
from diffava.training.provenance import documents_of, provenance

TABLE = "table1"
LISTS = ("train", "val", "test")  # AudioCaps' own names
NETWORKS = ("vggish", "cnn14-16k")  # of the figures
ROWS = {"text": "AudioLDM", "diffava": "DiffAVA"}  # our rows, beside the paper's
EVALUATION = "audioldm-eval"
PREPARED_BYTES = 40_000  # of a clip: ten seconds of both embeddings and of tokens, in half precision
SOUND_BYTES_PER_S = 48_000 * 3


@dataclass(frozen=True)
class Wish:
    """What is to be reproduced, with what, and where."""

    out: Path
    lists: Path | None = None
    media: Path | None = None
    model: str = "audioldm-s"
    weights: Path | None = None
    networks: Path | None = None
    sampling: Sampling = field(default_factory=Sampling)
    recipe: str = "diffava"
    changes: tuple[str, ...] = ()
    workers: int = 2
    device: str = "cpu"

    @property
    def settings(self) -> dict[str, Any]:
        """What figures depend on, in plain values."""
        named = {"table": TABLE, "model": self.model, "weights": str(self.weights or ""), "recipe": self.recipe}
        return {**named, "changes": list(self.changes), **asdict(self.sampling)}


class Table1:
    """The steps, and what they need from each other. Nothing is loaded until the first step runs."""

    def __init__(self, wish: Wish, say: Callable[[str], None] = print) -> None:
        """Take a wish.

        Raises:
            ConfigError: The model has not AudioLDM's classes, or the recipe is wrong.
        """
        self._wish, self._say = wish, say
        self.table: PublishedTable = published_table(TABLE)
        self.config = load_config(wish.model)
        if self.config.unet is None or self.config.istft_vocoder is not None:
            raise ConfigError(f"Table 1 is AudioLDM's and DiffAVA's on it; '{wish.model}' is another model.")
        self.recipe = read_part_recipe(AlignmentRecipe, wish.recipe, wish.changes)

    @cached_property
    def work(self) -> ModelWork:
        """The model's operations."""
        return model_work(self.config, self.table.clip_s)

    @property
    def downloads(self) -> tuple[Published, ...]:
        """Every published checkpoint that is needed, none twice; nothing for a model that is given as a folder."""
        names = [*(() if self._wish.weights or self.config.has_random_weights else self._model_downloads())]
        names += () if self._wish.networks else NETWORKS
        return tuple({entry.name: entry for name in names for entry in with_needs(name)}.values())

    def _model_downloads(self) -> tuple[str, ...]:
        # The original holds CLAP's audio tower for certain; the folder of diffusers does not.
        return tuple(name for name in (self._wish.model, f"{self._wish.model}-original") if name in published_names())

    def reproduction(self) -> Reproduction:
        """All steps in their order."""
        counts = self._clip_counts()
        steps = (
            Step("downloads", "Bring what is published", self._download_cost(), self._pull),
            Step(
                "prepare-train", f"Encode {counts['train']:,} clips", self._prepare_cost(counts["train"]), self._train
            ),
            Step("prepare-val", f"Encode {counts['val']:,} clips", self._prepare_cost(counts["val"]), self._val),
            Step("alignment", self._alignment_line(), self._alignment_cost(counts["train"]), self._align),
            Step("references", "Write the real test sounds", self._reference_cost(counts["test"]), self._references),
            *(
                Step(
                    f"sounds-{row}",
                    f"Make {counts['test']:,} sounds, {'with' if row == 'diffava' else 'without'} pictures",
                    self._sound_cost(counts["test"], sees=row == "diffava"),
                    lambda row=row: self._sounds(row),  # type: ignore[misc]  # a lambda's default has no annotation
                )
                for row in ROWS
            ),
            Step("figures", "Measure both as audioldm_eval does", self._figure_cost(counts["test"]), self._figures),
        )
        return Reproduction(self._wish.out, self._wish.settings, steps)

    # What it takes.

    def _clip_counts(self) -> dict[str, int]:
        """Of the lists, as far as their media are there; the paper's own before they are given."""
        if self._wish.lists is None or self._wish.media is None:
            said = (self.table.train_clips, self.table.validation_clips, self.table.test_clips)
            return dict(zip(LISTS, said, strict=True))
        return {name: sum(1 for _ in self._corpus(name).clips(self.table.clip_s)) for name in LISTS}

    def _download_cost(self) -> Cost:
        return Cost(disk_bytes=sum(file.size_bytes for entry in self.downloads for file in missing_files(entry)))

    def _prepare_cost(self, count: int) -> Cost:
        seconds = count * self.table.clip_s
        gflop = seconds * (self.work.second_seen + self.work.second_heard)
        return Cost(gflop, seconds * DECODE_S_PER_S, self._memory_bytes, count * PREPARED_BYTES)

    def _alignment_line(self) -> str:
        return f"Train the alignment, {self.recipe.epochs} epochs in batches of {self.recipe.batch_size}"

    def _alignment_cost(self, count: int) -> Cost:
        clips = self.recipe.epochs * count
        if self.recipe.step_count:
            clips = self.recipe.step_count * self.recipe.batch_size
        return Cost(clips * self.work.alignment_clip, 0.0, self._memory_bytes, self.work.weights_bytes)

    def _reference_cost(self, count: int) -> Cost:
        seconds = count * self.table.clip_s
        return Cost(0.0, seconds * DECODE_S_PER_S, WORKING_BYTES, round(seconds * SOUND_BYTES_PER_S))

    def _sound_cost(self, count: int, *, sees: bool) -> Cost:
        seconds = count * self.table.clip_s
        gflop = count * (self._wish.sampling.step_count * self.work.step + self.work.decode)
        gflop += seconds * self.work.second_seen * sees
        return Cost(gflop, seconds * DECODE_S_PER_S, self._memory_bytes, round(seconds * SOUND_BYTES_PER_S))

    def _figure_cost(self, count: int) -> Cost:
        seconds = 2 * len(ROWS) * count * self.table.clip_s  # generated and real
        samples, example = torch.empty(1, 16_000, device="meta"), torch.empty(1, 96, 64, device="meta")
        gflop = network_gflop(Cnn14, samples) + network_gflop(VGGish, example) / 0.96
        return Cost(seconds * gflop, 0.0, WORKING_BYTES, 0)

    @property
    def _memory_bytes(self) -> int:
        return self.work.weights_bytes + WORKING_BYTES

    # The steps.

    def _pull(self) -> Mapping[str, Any]:
        for entry in self.downloads:
            pull(entry)
        return {"pulled": [entry.name for entry in self.downloads]}

    def _train(self) -> Mapping[str, Any]:
        return self._prepare("train")

    def _val(self) -> Mapping[str, Any]:
        return self._prepare("val")

    def _prepare(self, name: str) -> Mapping[str, Any]:
        model, spec = self._base, self._base.spec
        encoder = ModelClipEncoder(model, audio_tower(model), Settings(self.table.clip_s))
        summary = prepare(
            self._corpus(name),
            encoder,
            lambda clip: read_media(clip.path, clip.start_s, clip.duration_s, spec.frame_rate, spec.frame_size_pixels),
            self._prepared(name),
            workers=self._wish.workers,
        )
        return {"clips": summary.clips, "skipped": len(summary.skipped), "missing": len(summary.missing)}

    def _align(self) -> Mapping[str, Any]:
        folder = self._wish.out / "alignment"
        run = Run(self._wish.out / "alignment-run", (self._prepared("val"),), self._say, device=self._wish.device)
        trained = train_alignment(self._base, [self._prepared("train")], self.recipe, run)
        facts = provenance(self._base, [self._prepared("train")], self._wish.recipe, self.recipe, trained)
        if not folder.exists():
            save(trained.pipeline, folder, documents=documents_of(self._wish.weights, "alignment", facts))
        del self.__dict__["_base"]  # its parts were handed over
        return {"steps": trained.steps, "figures": trained.figures}

    def _references(self) -> Mapping[str, Any]:
        corpus = self._corpus("test")
        skipped = write_references(corpus, self.table.clip_s, self._folder("references"), self._base)
        return {"missing": len(corpus.missing), "skipped": skipped}

    def _sounds(self, row: str) -> Mapping[str, Any]:
        model = load(self._wish.out / "alignment", self._wish.device) if row == "diffava" else self._base
        clips = readable(self._corpus("test"), self.table.clip_s, self._folder("references"))
        write_generated(
            model,
            clips,
            self._folder(row),
            self._wish.sampling,
            sees=row == "diffava",
            on_sound=lambda done, of: self._say(f"{row}: {done} of {of} sounds"),
        )
        return {"sounds": len(clips), "weights_sha256": model.weights_sha256}

    def _figures(self) -> Mapping[str, Any]:
        told: dict[str, Any] = {}
        here, cache = WeightsHere(self._wish.networks), FeatureCache(self._wish.out / "features")
        for row in ROWS:
            pairs = find_pairs(self._folder(row), self._folder("references"))
            outcome = run_table(TABLES[EVALUATION], pairs, here, cache, self._wish.device)
            whole = as_json(TABLES[EVALUATION], pairs, outcome, here.used())
            keep(self._wish.out / "figures" / row, whole)
            told[row] = {"figures": whole["figures"], "missing": whole["missing"]}
        return told

    @cached_property
    def _base(self) -> FoleyPipeline:
        """The model that is aligned, opened when a step first needs it."""
        if self._wish.weights is not None:
            return load(self._wish.weights, self._wish.device)
        return open_model(self._wish.model, self._wish.device)

    def _corpus(self, name: str) -> AudioCaps:
        if self._wish.lists is None or self._wish.media is None:
            raise RequestError(
                "AudioCaps is not brought by DiffAVA: give the folder with its owners' train.csv, val.csv and test.csv "
                "as --lists, and the folder of the videos as --media."
            )
        return AudioCaps(self._wish.lists / f"{name}.csv", self._wish.media)

    def _prepared(self, name: str) -> Path:
        return self._wish.out / "prepared" / name

    def _folder(self, row: str) -> Path:
        return self._wish.out / "sounds" / row


def beside_the_paper(table: PublishedTable, figures: Mapping[str, Any]) -> list[tuple[str, Sequence[float | None]]]:
    """The paper's rows as printed, then ours: by name, in the table's metrics."""
    keys = {"IS": "is", "KL": "kl_softmax", "FAD": "fad", "FD": "fd"}
    rows: list[tuple[str, Sequence[float | None]]] = [(f"{name}, as printed", row) for name, row in table.rows.items()]
    for row, of in ROWS.items():
        values = []
        for metric in table.metrics:
            found = [one for name, one in figures[row]["figures"].items() if name.split("@")[0] == keys[metric]]
            values.append(found[0][0]["value"] if found else None)
        rows.append((f"{of}, here", values))
    return rows
