"""A model's card: what it learned from, what it can and cannot do, every figure. Knows no number but those it is given.

Figures are those that `diffava evaluate --json` writes, so that none is ever typed by hand.
"""

import math
from typing import Any

from diffava.config import ModelConfig
from diffava.training.facts import DataFacts, RunFacts, TrainingFacts

_SPLITS = {
    "generator": "the model learned from these",
    "judge": "a judge learned from these, the model did not",
    "held_out": "nothing learned from these; the figures are measured on them",
}


def model_card(
    config: ModelConfig,
    parameter_count: int,
    weights_sha256: str,
    facts: TrainingFacts,
    figures: dict[str, Any] | None = None,
) -> str:
    """`MODEL_CARD.md`.

    Args:
        config: The model's.
        parameter_count: Of all its parts.
        weights_sha256: Of the weights as they are loaded.
        facts: What it was trained on and with.
        figures: As `diffava evaluate --json` writes them, of these weights; None before they are measured.
    """
    parts = [_head(config, parameter_count, weights_sha256), _abilities(config, facts.data), _data(facts.data)]
    parts += [_run(facts.run), _figures(config.name, figures), _shortfalls(figures, facts.run)]
    return "\n".join(parts)


def _head(config: ModelConfig, parameter_count: int, weights_sha256: str) -> str:
    defaults = config.defaults
    use = "commercial use allowed" if config.commercial_use_allowed else "no commercial use"
    return f"""# {config.name}

Foley from a picture, a prompt, or both: a small DiffAVA with T2AV's timing, made for a laptop's CPU.

| | |
|---|---|
| licence | {config.licence}, {use}; [CREDITS.md](CREDITS.md) ships with the weights |
| parameters | {parameter_count:,} |
| sound | {config.spec.output_rate_hz:,} Hz, one channel |
| picture | {config.frame_size_pixels} x {config.frame_size_pixels} pixels, {config.spec.frame_rate} a second |
| by default | {defaults.step_count} steps, guidance {defaults.guidance_scale:g}, {defaults.sampler} |
| sha256 of the weights | `{weights_sha256}` |
"""


def _abilities(config: ModelConfig, data: DataFacts) -> str:
    names = ", ".join(kind.replace("_", " ") for kind in data.kinds)
    timing = ""
    if config.has_timing_guide:
        timing = (
            "- When it sounds follows the picture, given hits or a performed sound, or any mixture; "
            "text alone works too.\n"
        )
    return f"""## What it can do

- It knows {len(data.kinds)} kinds of sound: {names}.
{timing}
## What it cannot do

- Other sounds. A prompt without a word that it knows is answered with the nearest kinds and a warning that says so.
- Speech, singing and music.
- It learned to see from drawn scenes, not from films: in real footage it finds what moves plainly and stops, and misses
  much else. Hits that are typed, marked or performed do not have this limit.
"""


def _data(data: DataFacts) -> str:
    rows = "".join(
        f"| {split.replace('_', ' ')} | {count} | {data.seconds[split] / 60:.1f} | {_SPLITS[split]} |\n"
        for split, count in data.recordings.items()
    )
    licences = ", ".join(f"{licence}: {count}" for licence, count in data.licences.items())
    return f"""## What it learned from

Recordings whose licences allow commercial use, split by where they come from, never by file; clips were composed from
them by seed, and for each clip a moving picture was drawn.

| split | recordings | minutes | |
|---|---|---|---|
{rows}
Licences of what it learned from: {licences}.
"""


def _run(run: RunFacts) -> str:
    def row(part: str) -> str:
        steps = f"{run.steps[part]:,}" if part in run.steps else ""
        return f"| {part} | {run.hours[part]:.1f} | {steps} |\n"

    rows = "".join(row(part) for part in run.hours)
    return f"""## How it was trained

On {run.hardware}; {sum(run.hours.values()):.1f} hours in all.

| part | hours | steps |
|---|---|---|
{rows}"""


def _figures(name: str, figures: dict[str, Any] | None) -> str:
    if figures is None:
        return "## Figures\n\nNot measured yet.\n"
    sections = [
        f"## Figures\n\n`diffava evaluate {name}`, {figures['clips']} clips with one sound, others in proportion."
    ]
    sections.append("Real: what held-out recordings reach with the same instrument.\n")
    for measure, rows in figures["measures"].items():
        sections.append(f"### {measure.replace('_', ' ').capitalize()}\n")
        sections.append("| | value | 95 % | clips | wanted | real | |\n|---|---|---|---|---|---|---|")
        sections += [_row(figure) for figure in rows]
        sections.append("")
    return "\n".join(sections)


def _row(figure: dict[str, Any]) -> str:
    unit = f" {figure['unit']}" if figure.get("unit") else ""
    interval = f"{_number(figure['low'])} to {_number(figure['high'])}" if "low" in figure else ""
    real = _number(figure["real"]) if "real" in figure else ""
    cells = (_value(figure) + unit, interval, str(figure.get("count", "")), _wanted(figure), real)
    return f"| {figure['title']} | {' | '.join(cells)} | {figure.get('verdict', '')} |"


def _shortfalls(figures: dict[str, Any] | None, run: RunFacts) -> str:
    missed = [
        f"- {figure['title']}: {_value(figure)} where {_wanted(figure)} was wanted."
        for rows in (figures or {"measures": {}})["measures"].values()
        for figure in rows
        if figure.get("verdict") == "missed"
    ]
    lines = [*missed, *(f"- {note}" for note in run.notes)]
    if not lines:
        return ""
    return "## Where it falls short\n\n" + "\n".join(lines) + "\n"


def _value(figure: dict[str, Any]) -> str:
    return _number(figure.get("value", math.nan))


def _wanted(figure: dict[str, Any]) -> str:
    bounds = [("at least", figure.get("at_least")), ("at most", figure.get("at_most"))]
    return ", ".join(f"{word} {_number(bound)}" for word, bound in bounds if bound is not None)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
