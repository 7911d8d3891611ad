"""`diffava models`: which models there are, how large, and what may be done with them. Loads no torch."""

import json
import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from diffava.config import load_config, preset_names

models = App(name="models", help="List the models, their size and licence.")


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
        if model["has_timing_guide"]:
            sys.stdout.write("  Has a timing guide: follows the picture, or given hits and performances.\n")
        if not model["can_run"]:
            sys.stdout.write("  Cannot run here yet: it needs the published weights, which are not converted.\n")
        if model["warning"]:
            sys.stdout.write(f"  {model['warning']}\n")


def _description(name: str) -> dict[str, Any]:
    """One preset in plain values."""
    config = load_config(name)
    return {
        "name": config.name,
        "parameter_count": config.parameter_count,
        "can_run": not config.needs_published_weights,
        "licence": config.licence,
        "commercial_use_allowed": config.commercial_use_allowed,
        "has_timing_guide": config.has_timing_guide,
        "warning": config.warning,
    }
