"""Figures as one table for people. Knows how they look, not where they come from."""

import math

from rich.console import Console
from rich.table import Table

from diffava.evaluation.figures import Figure

_TITLES = {
    "judges": "The judges, on real recordings that they never heard",
    "recognisable": "Recognisable",
    "in_time": "In time",
    "silence": "Silent where it should be",
    "meaning": "Meaning from the picture",
    "paper_table": "The paper's table, on judge a",
    "real_pictures": "On real pictures",
    "speed": "Speed",
}


def show(model: str, taken: dict[str, list[Figure]], console: Console) -> None:
    """Print every measure; `real` is what real held-out recordings reach with the same instrument."""
    table = Table(title=f"diffava evaluate {model}", title_justify="left", header_style="bold")
    for name in ("figure", "value", "95 %", "clips", "target", "real", ""):
        table.add_column(name, justify="left" if name in ("figure", "") else "right", no_wrap=name != "figure")
    for measure, figures in taken.items():
        table.add_section()
        table.add_row(f"[bold]{_TITLES.get(measure, measure)}[/bold]")
        for figure in figures:
            style = {"met": "green", "missed": "red", "": ""}[figure.verdict]
            table.add_row(*_cells(figure), style=style)
    console.print(table)


def _cells(figure: Figure) -> tuple[str, ...]:
    unit = f" {figure.unit}" if figure.unit else ""
    interval = f"{_number(figure.low)} to {_number(figure.high)}" if math.isfinite(figure.low) else ""
    target = ""
    if figure.at_least is not None:
        target = f"≥ {_number(figure.at_least)}"
    if figure.at_most is not None:
        target = f"≤ {_number(figure.at_most)}"
    real = _number(figure.real) if math.isfinite(figure.real) else ""
    count = str(figure.count) if figure.count else ""
    return figure.title, _number(figure.value) + unit, interval, count, target, real, figure.verdict


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
