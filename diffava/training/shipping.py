"""A trained model into the folder that ships: half precision, card, credits and figures, whole or not at all.

Knows what may ship (sizes, licence), not how anything was trained.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from diffava.builders import load, save
from diffava.checkpoints.folder import stored_sha256
from diffava.checkpoints.manifest import MANIFEST, size_bytes
from diffava.errors import CheckpointError, DataError
from diffava.pipeline import FoleyPipeline
from diffava.sounds.recordings import Recording
from diffava.training.credits import credits_text
from diffava.training.facts import RunFacts, TrainingFacts, count_data
from diffava.training.model_card import model_card

CREDITS, CARD, FACTS, FIGURES = "CREDITS.md", "MODEL_CARD.md", "training.json", "figures.json"
STORED_AS = torch.float16  # of two halves the finer one: trained weights are far from its limit of 65504
FILE_LIMIT_BYTES, FOLDER_LIMIT_BYTES = 16_000_000, 64_000_000


def ship(pipeline: FoleyPipeline, recordings: Sequence[Recording], run: RunFacts, folder: Path) -> str:
    """Write a trained model with its card and its credits, in the place of what shipped before.

    Args:
        pipeline: The trained model, with the tokenizer that its text tower was trained with.
        recordings: All that the training chose from, as `read_recordings` gives them.
        run: How long it was trained, and on what.
        folder: Where the library looks for it: `diffava.checkpoints.embedded.weights_root() / name`.

    Returns:
        The sha256 of the weights, which figures must be measured of.

    Raises:
        CheckpointError: The model cannot be stored or read again, is too large, or `folder` holds something else.
    """
    facts = TrainingFacts(data=count_data(recordings), run=run)
    return _ship(pipeline, facts, credits_text(recordings), None, folder)


def add_figures(folder: Path, figures: dict[str, Any]) -> str:
    """Write the card of a shipped model anew, with its figures; the weights keep every bit.

    Args:
        folder: What `ship` wrote.
        figures: As `diffava evaluate --json` writes them.

    Raises:
        DataError: The figures are of other weights.
        CheckpointError: As `ship`.
    """
    facts = TrainingFacts.model_validate_json((folder / FACTS).read_text("utf-8"))
    return _ship(load(folder), facts, (folder / CREDITS).read_text("utf-8"), figures, folder)


def _ship(
    pipeline: FoleyPipeline, facts: TrainingFacts, owed: str, figures: dict[str, Any] | None, folder: Path
) -> str:
    sha256 = stored_sha256(pipeline.parts, STORED_AS)
    if figures is not None and figures["weights_sha256"] != sha256:
        raise DataError(
            f"The figures are of the weights {figures['weights_sha256'][:12]}… and the model's are {sha256[:12]}…; "
            f"measure what ships: `diffava evaluate {pipeline.name} --weights {folder}`."
        )
    parameters = sum(weight.numel() for part in pipeline.parts.values() for weight in part.parameters())
    documents = {
        CREDITS: owed,
        CARD: model_card(pipeline.config, parameters, sha256, facts, figures),
        FACTS: facts.model_dump_json(indent=1) + "\n",
    }
    if figures is not None:
        documents[FIGURES] = json.dumps(figures, indent=1) + "\n"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        save(pipeline, made, STORED_AS, documents)
        _check_sizes(made)
        if load(made).weights_sha256 != sha256:
            raise CheckpointError(f"The model {pipeline.name} reads back other weights than were stored.")
        _put_in_place(made, folder, Path(scratch) / "before")
    return sha256


def _check_sizes(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size >= FILE_LIMIT_BYTES:
            raise CheckpointError(
                f"{path.relative_to(folder)} has {path.stat().st_size / 1e6:.1f} MB and a file that ships at most "
                f"{FILE_LIMIT_BYTES / 1e6:.0f}; make that part smaller."
            )
    if size_bytes(folder) >= FOLDER_LIMIT_BYTES:
        raise CheckpointError(
            f"The model has {size_bytes(folder) / 1e6:.1f} MB and may ship with at most "
            f"{FOLDER_LIMIT_BYTES / 1e6:.0f}; make its parts smaller."
        )


def _put_in_place(made: Path, folder: Path, before: Path) -> None:
    """Rename the new folder into the place of the old one, which comes back if that fails."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise CheckpointError(f"{folder} exists and is no saved model; choose another folder.")
    was_there = folder.exists()
    if was_there:
        folder.rename(before)
    try:
        made.rename(folder)
    except OSError as error:
        if was_there:
            before.rename(folder)
        raise CheckpointError(f"The model cannot be put at {folder} ({error}).") from error
