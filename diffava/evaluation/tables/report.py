"""A table's outcome for people, and for programs. Knows how it looks, not how it was taken."""

import json
import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from diffava.evaluation.tables.definitions import METRICS, Table
from diffava.evaluation.tables.pairs import Pair
from diffava.evaluation.tables.run import Outcome
from diffava.whole_file import whole_file

FIGURES = "figures.json"
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
_ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


def show(table: Table, outcome: Outcome, console: Console) -> None:
    """Print every figure; `reference` is what the reference's own sounds reach, where that says something."""
    shown = RichTable(title=f"diffava evaluate {table.name}, version {table.version}", title_justify="left", box=SIMPLE)
    for name in ("figure", "value", "95 %", "clips", "reference"):
        shown.add_column(name, justify="left" if name == "figure" else "right", no_wrap=name != "figure")
    for name, figures in outcome.figures.items():
        shown.add_section()
        for number, figure in enumerate(figures):
            arrow = _ARROWS[METRICS[name].better] if number == 0 else ""
            unit = f" {figure.unit}" if figure.unit else ""
            interval = f"{_number(figure.low)} to {_number(figure.high)}" if math.isfinite(figure.low) else ""
            real = _number(figure.real) if math.isfinite(figure.real) else ""
            count = str(figure.count) if figure.count else ""
            shown.add_row(figure.title + arrow, _number(figure.value) + unit, interval, count, real)
    console.print(shown)
    for why in dict.fromkeys(outcome.missing.values()):
        lacking = ", ".join(name for name, told in outcome.missing.items() if told == why)
        console.print(f"Missing: {lacking}: {why}.", style="yellow", highlight=False, soft_wrap=True)


def as_json(
    table: Table, pairs: Sequence[Pair], outcome: Outcome, weights: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Everything that is needed to say later what a figure was."""
    return {
        "table": table.name,
        "version": table.version,
        "software": version("diffava-foley"),
        "pairs": len(pairs),
        "weights": weights,
        "definitions": {METRICS[name].identity: METRICS[name].definition for name in outcome.figures},
        "figures": {
            METRICS[name].identity: [figure.as_json() for figure in figures]
            for name, figures in outcome.figures.items()
        },
        "quantiles": {key: quantiles(values) for key, values in outcome.by_clip.items()},
        "missing": outcome.missing,
    }


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """How values are spread, by share; null without any."""
    known = np.array([value for value in values if math.isfinite(value)])
    found = np.quantile(known, SHARES) if len(known) else np.full(len(SHARES), np.nan)
    return {f"{share:g}": float(one) if math.isfinite(one) else None for share, one in zip(SHARES, found, strict=True)}


def keep(out: Path, whole: dict[str, Any]) -> None:
    """Write the figures; the file appears whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / FIGURES) as unfinished:
        unfinished.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
