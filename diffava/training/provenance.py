"""What a trained part comes from: its base, its clips with their licences, its recipe and figures. Knows no tensors."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffava.pipeline import FoleyPipeline
from diffava.training.part_recipe import PartRecipe
from diffava.training.parts import Trained
from diffava.training.prepared.shards import FINISHED, read_json


def provenance(
    base: FoleyPipeline, folders: Sequence[Path], recipe_name: str, recipe: PartRecipe, trained: Trained
) -> dict[str, Any]:
    """Plain values that are kept beside the weights."""
    sets = [read_json(folder / FINISHED) for folder in folders]
    return {
        "base": base.name,
        "base_sha256": base.weights_sha256,
        "base_licence": base.config.licence,
        "corpora": [{**values["corpus"], "clips": values["clips"]} for values in sets],
        "recipe_name": recipe_name,
        "recipe": recipe.model_dump(mode="json"),
        "clips_learned_from": trained.clips,
        "steps": trained.steps,
        "figures": trained.figures,
    }


def documents_of(base: Path | None, part: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """The base's own texts (card, credits), what was trained on top of it, and the same for programs."""
    found = [] if base is None else [*base.glob("*.md"), *base.glob("trained_*.json")]
    kept = {path.name: path.read_text("utf-8") for path in sorted(found)}
    return {
        **kept,
        f"TRAINED_{part.upper()}.md": _text(part, facts),
        f"trained_{part}.json": json.dumps(facts, indent=2) + "\n",
    }


def _text(part: str, facts: Mapping[str, Any]) -> str:
    corpora = "\n".join(
        f"- {one['corpus']} ({one.get('list', '')}): {one['clips']} clips; licence: {one['licence']}"
        for one in facts["corpora"]
    )
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in facts["figures"].items())
    return (
        f"# The {part} of this model\n\n"
        f"Trained on top of `{facts['base']}` (weights {facts['base_sha256']}), whose licence holds for the whole: "
        f"{facts['base_licence']}.\n\nLearned from:\n\n{corpora}\n\n"
        f"By the recipe `{facts['recipe_name']}` for {facts['steps']} steps on {facts['clips_learned_from']} clips. On "
        f"clips that were kept apart:\n\n| figure | value |\n|---|---|\n{figures}\n\n"
        "Other texts in this folder are the base's; its figures do not speak of this part.\n"
    )
