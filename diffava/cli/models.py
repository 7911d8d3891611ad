"""`diffava models`: which models there are, how large, what may be done with them, and whether they are intact.

Loads no torch.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from diffava.checkpoints.embedded import embedded_folder
from diffava.checkpoints.manifest import read_manifest, size_bytes, weights_sha256_of
from diffava.config import load_config, preset_names
from diffava.errors import RequestError

SHORT_SHA256 = 12  # characters of a hash that tell weights apart for a person

models = App(name="models", help="List the models, their size and licence; check the weights that ship.")


@models.command(name="list")
def list_models(*, as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object.")] = False) -> None:
    """List the models: parameters, licence, and what to know before using one."""
    found = [_description(name) for name in preset_names()]
    if as_json:
        sys.stdout.write(json.dumps({"models": found}) + "\n")
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


@models.command
def verify(name_or_folder: str) -> None:
    """Check every file of the weights that ship for a model, or of a saved model's folder, against its sha256."""
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
    if config.needs_published_weights:
        lacks = "it needs the published weights, which are not converted"
        if config.has_timing_guide:
            lacks = "its control branch is not trained: nobody publishes one"
    elif folder is None and not config.has_random_weights:
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
