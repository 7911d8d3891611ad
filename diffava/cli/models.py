"""`diffava models`: which models and published checkpoints there are, what may be done with them, are they intact.

Loads no torch.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from diffava.checkpoints.embedded import embedded_folder
from diffava.checkpoints.manifest import read_manifest, size_bytes, weights_sha256_of
from diffava.checkpoints.published_files import is_here
from diffava.checkpoints.registry import Published, published, published_names, with_needs
from diffava.config import load_config, preset_names
from diffava.errors import RequestError

SHORT_SHA256 = 12  # characters of a hash that tell weights apart for a person

models = App(name="models", help="List the models, their size and licence; bring and check published weights.")
models.command("diffava.cli.pull_model:pull_model", name="pull", help="Bring a published checkpoint, licence first.")


@models.command(name="list")
def list_models(*, as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object.")] = False) -> None:
    """List the models and the published checkpoints: size, licence, and what to know before using one."""
    found = [_description(name) for name in preset_names()]
    checkpoints = [published(name) for name in published_names()]
    if as_json:
        told = [_published_description(entry) for entry in checkpoints]
        sys.stdout.write(json.dumps({"models": found, "published": told}) + "\n")
        return
    for model in found:
        use = "commercial use allowed" if model["commercial_use_allowed"] else "no commercial use"
        sys.stdout.write(f"{model['name']}  {model['parameter_count'] / 1e6:,.1f} million parameters, {use}\n")
        sys.stdout.write(f"  {model['licence']}\n")
        if model["weights_sha256"]:
            size_mb, sha256 = model["size_bytes"] / 1e6, model["weights_sha256"][:SHORT_SHA256]
            sys.stdout.write(f"  Trained; its weights are here: {size_mb:.1f} MB, sha256 {sha256}…\n")
        if model["has_timing_guide"]:
            sys.stdout.write("  Has a timing guide: follows the picture, or given hits and performances.\n")
        if not model["can_run"]:
            sys.stdout.write(f"  Cannot run here yet: {model['lacks']}.\n")
        if model["warning"]:
            sys.stdout.write(f"  {model['warning']}\n")
    sys.stdout.write("\nPublished checkpoints, for `diffava models pull`:\n")
    for entry in checkpoints:
        size = f"{entry.size_bytes / 1e6:,.1f} MB" if entry.size_is_known else "size not known"
        here = "here" if is_here(entry) else "not here"
        sys.stdout.write(f"{entry.name}  {here}, {size}, {entry.use}\n  {entry.title}\n  {entry.licence}\n")


@models.command
def verify(name_or_folder: str) -> None:
    """Check every file of a model's weights, shipped, pulled or saved in a folder, against its sha256."""
    if name_or_folder in published_names():
        from diffava.checkpoints.pull import verify as verify_pulled

        for entry in with_needs(name_or_folder):
            verify_pulled(entry)
            sys.stdout.write(f"{entry.name} is intact: every file has the sha256 that it was pulled with.\n")
        return
    folder = embedded_folder(name_or_folder) if name_or_folder in preset_names() else Path(name_or_folder)
    if folder is None or not folder.is_dir():
        what = "no weights ship for it" if name_or_folder in preset_names() else "it is neither a model nor a folder"
        raise RequestError(f"'{name_or_folder}' cannot be verified: {what}. `diffava models list` says which are here.")
    read_manifest(folder)
    size_mb = size_bytes(folder) / 1e6
    sys.stdout.write(f"{name_or_folder} is intact: {size_mb:.1f} MB, weights' sha256 {weights_sha256_of(folder)}\n")


def _description(name: str) -> dict[str, Any]:
    """One preset in plain values."""
    config, folder = load_config(name), embedded_folder(name)
    lacks = ""
    if config.needs_published_weights and config.has_timing_guide:
        lacks = "nobody publishes its control branch; train one with `diffava train control`"
    elif config.needs_published_weights and not _is_pulled(name):
        lacks = f"it needs the published weights; run `diffava models pull {name}`"
    elif folder is None and not config.has_random_weights and not config.needs_published_weights:
        lacks = f"its weights are not in this checkout; train it with `diffava train {name}`"
    return {
        "name": config.name,
        "parameter_count": config.parameter_count,
        "can_run": not lacks,
        "lacks": lacks,
        "licence": config.licence,
        "commercial_use_allowed": config.commercial_use_allowed,
        "has_timing_guide": config.has_timing_guide,
        "size_bytes": 0 if folder is None else size_bytes(folder),
        "weights_sha256": "" if folder is None else weights_sha256_of(folder),
        "warning": config.warning,
    }


def _is_pulled(name: str) -> bool:
    return name in published_names() and all(is_here(entry) for entry in with_needs(name))


def _published_description(entry: Published) -> dict[str, Any]:
    """One published checkpoint in plain values."""
    return {
        "name": entry.name,
        "title": entry.title,
        "purpose": entry.purpose,
        "licence": entry.licence,
        "commercial_use_allowed": entry.commercial_use_allowed,
        "size_bytes": entry.size_bytes if entry.size_is_known else None,
        "is_here": is_here(entry),
        "needs": list(entry.needs),
    }
