"""`diffava reproduce`: a paper's table; what it will take is said before anything runs."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from diffava.cli.progress import say
from diffava.cli.pull_model import said_of
from diffava.compute import best_device
from diffava.errors import RequestError
from diffava.reproduction.cost import gflop_per_s
from diffava.reproduction.published_table import published_table
from diffava.reproduction.step import Reproduction, Step
from diffava.reproduction.table1 import Table1, Wish, beside_the_paper
from diffava.reproduction.table_sounds import Sampling

GB = 1e9


def reproduce(
    table: str = "table1",
    *,
    plan: bool = False,
    lists: Path | None = None,
    media: Path | None = None,
    out: Path | None = None,
    model: str = "audioldm-s",
    weights: Path | None = None,
    networks: Path | None = None,
    steps: int = Sampling.step_count,
    guidance: float = Sampling.guidance_scale,
    recipe: str = "diffava",
    changes: Annotated[list[str] | None, Parameter(name="--set")] = None,
    accept_licence: bool = False,
    workers: int = 2,
    device: str = "",
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Reproduce a table of a paper, from downloads to figures; a stopped run goes on where it was.

    Args:
        table: table1, DiffAVA's on AudioCaps.
        plan: Only say what it will take: downloads with their licences, hours on this machine, memory, disk.
        lists: The folder with AudioCaps' train.csv, val.csv and test.csv, as its owners publish them.
        media: The folder with its videos, which must be there already.
        out: Where everything is kept, `reproduction-TABLE` by default.
        model: audioldm-s, -m or -l. The paper does not say which it is.
        weights: A saved model's folder, instead of the published one.
        networks: A folder with the networks of the figures, instead of those that are pulled.
        steps: Denoising steps of a sound.
        guidance: How closely a sound follows its condition.
        recipe: Of the alignment: diffava is the paper's.
        changes: One value of the recipe, as NAME=VALUE; may be given again.
        accept_licence: Accept licences that forbid commercial use, which AudioLDM's weights have.
        workers: Threads that decode ahead.
        device: What computes: cpu, cuda, cuda:1; the first GPU by default, or the CPU.
        as_json: For programs.
    """
    published_table(table)  # refuses an unknown one
    wish = Wish(
        out or Path(f"reproduction-{table}"),
        lists,
        media,
        model,
        weights,
        networks,
        Sampling(steps, guidance),
        recipe,
        tuple(changes or ()),
        workers,
        device or best_device(),
    )
    work = Table1(wish, say)
    reproduction = work.reproduction()
    console = Console(stderr=as_json)
    told_plan = _show_plan(work, reproduction, wish.device, console)
    if plan:
        if as_json:
            sys.stdout.write(json.dumps(told_plan) + "\n")
        return
    if lists is None or media is None:
        raise RequestError("Nothing was done: give AudioCaps' lists with --lists and its videos with --media.")
    restricted = [entry.name for entry in work.downloads if not entry.commercial_use_allowed]
    if restricted and not accept_licence:
        raise RequestError(
            f"{', '.join(restricted)} may NOT be used commercially, and nothing was done. If you accept the licences "
            "above, give --accept-licence."
        )
    outcome = reproduction.run(lambda step, done: say(f"{step.name}: {'done before' if done else step.line}"))
    _show_table(work, outcome["figures"], console)
    if as_json:
        sys.stdout.write(json.dumps(outcome) + "\n")


def _show_plan(work: Table1, reproduction: Reproduction, device: str, console: Console) -> dict[str, Any]:
    for entry in work.downloads:
        console.print(said_of(entry).rstrip(), highlight=False)
    speed = gflop_per_s(device)
    shown = Table(title=f"{work.table.title} with {work.config.name}", title_justify="left", box=SIMPLE)
    for name in ("step", "what", "hours", "memory, GB", "disk, GB"):
        shown.add_column(name, justify="left" if name in ("step", "what") else "right")
    rows: list[dict[str, Any]] = []
    for step in reproduction.steps:
        row = _row(step, speed, is_done=reproduction.told(step) is not None)
        rows.append(row)
        hours = "done" if row["done"] else f"{row['hours']:.1f}" if row["hours"] >= 0.05 else "under 0.1"
        shown.add_row(step.name, step.line, hours, f"{row['memory_bytes'] / GB:.1f}", f"{row['disk_bytes'] / GB:.1f}")
    console.print(shown)
    total = sum(row["hours"] for row in rows if not row["done"])
    console.print(
        f"About {total:,.1f} hours in all on this machine's {device}, within a factor of two or so: it computes some "
        f"{speed:,.0f} billion operations a second. Downloads take what the connection allows.",
        highlight=False,
    )
    downloads = [{"name": entry.name, "licence": entry.licence} for entry in work.downloads]
    return {"table": work.table.title, "hours": total, "steps": rows, "downloads": downloads}


def _row(step: Step, speed: float, *, is_done: bool) -> dict[str, Any]:
    cost = step.cost
    hours = round(cost.hours(speed), 3)
    return {
        "step": step.name,
        "done": is_done,
        "hours": hours,
        "memory_bytes": cost.memory_bytes,
        "disk_bytes": cost.disk_bytes,
    }


def _show_table(work: Table1, figures: dict[str, Any], console: Console) -> None:
    shown = Table(title=f"{work.table.title} ({work.table.source})", title_justify="left", box=SIMPLE)
    shown.add_column("row")
    for metric in work.table.metrics:
        shown.add_column(metric, justify="right")
    for name, values in beside_the_paper(work.table, figures):
        shown.add_row(name, *("" if value is None else f"{value:.2f}" for value in values))
    console.print(shown)
    console.print(
        "The printed rows were taken with audioldm_eval as it was in 2023, which read and resampled sounds otherwise: "
        "compare our rows with each other, and with the printed ones only in their direction.",
        highlight=False,
    )
    for row in figures.values():
        for metric, why in row["missing"].items():
            console.print(f"Missing: {metric}: {why}.", highlight=False)
