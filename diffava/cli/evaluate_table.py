"""`diffava evaluate TABLE`: folders of generated and reference sounds, measured as papers measure them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diffava.compute import best_device
from diffava.errors import RequestError
from diffava.evaluation.tables.definitions import TABLES, Table
from diffava.evaluation.tables.feature_cache import FeatureCache
from diffava.evaluation.tables.pairs import LEAST_PAIRED, find_pairs
from diffava.evaluation.tables.pictures import PICTURE, draw_distributions
from diffava.evaluation.tables.report import FIGURES, as_json, keep, show
from diffava.evaluation.tables.run import OnProgress, run_table
from diffava.evaluation.tables.weights_here import WeightsHere


def table_commands() -> dict[str, tuple[str, Callable[..., None]]]:
    """A command for each table, by its name, with its line in the help."""
    return {name: (table.line, _command(table)) for name, table in TABLES.items()}


def _command(table: Table) -> Callable[..., None]:
    def evaluate_table(
        *,
        generated: Path,
        reference: Path,
        videos: Path | None = None,
        captions: Path | None = None,
        weights: Path | None = None,
        clap: str = "mini",
        out: Path | None = None,
        cache: Path | None = None,
        device: str = "",
        least_paired: float = LEAST_PAIRED,
        json_wanted: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
    ) -> None:
        """Measure a folder of generated sounds against one of reference sounds with the same names.

        Args:
            generated: The folder of generated sounds.
            reference: The folder of real sounds, paired by name without the ending.
            videos: A folder of films with the same names, for figures that look at the picture.
            captions: A .csv with the columns name and caption, or a .json object, for figures that read.
            weights: A folder with published weights under their own names, looked into before those that were pulled.
            clap: Which CLAP scores: `mini`, `laion` (pull laion-clap-htsat-unfused first), or a model's folder.
            out: Where figures and pictures are kept, `evaluation-TABLE` by default.
            cache: Where features are kept between runs.
            device: What computes: cpu, cuda, cuda:1; the first GPU by default, or the CPU.
            least_paired: Which share of the larger folder must have a partner in the other.
            json_wanted: For programs.
        """
        if not 0 < least_paired <= 1:
            raise RequestError(f"--least-paired is a share of the sounds, above 0 and at most 1, not {least_paired}.")
        out = out or Path(f"evaluation-{table.name}")
        kept = FeatureCache(cache or user_cache_path("diffava") / "evaluation" / "features")
        console = Console(stderr=json_wanted)
        pairs = find_pairs(generated, reference, videos, captions, least_paired)
        console.print(f"{len(pairs)} pairs.", highlight=False)
        here = WeightsHere(weights, clap)
        # On a pipe a bar would be noise: there only the table is printed.
        with _bar(console) as progress:
            outcome = run_table(table, pairs, here, kept, device or best_device(), _shown_by(progress))
        whole = as_json(table, pairs, outcome, here.used())
        keep(out, whole)
        draw_distributions(outcome, out / PICTURE)
        show(table, outcome, console)
        console.print(f"Figures: {out / FIGURES}   Distributions: {out / PICTURE}")
        if json_wanted:
            sys.stdout.write(json.dumps(whole) + "\n")

    return evaluate_table


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _shown_by(progress: Progress) -> OnProgress:
    """Reading and taking are a bar each, so that the time left of one is not guessed from the other."""
    tasks = {}

    def on_progress(what: str, done: int, of: int) -> None:
        stage = what.split(maxsplit=1)[0]
        if stage not in tasks:
            tasks[stage] = progress.add_task(what, total=of)
        progress.update(tasks[stage], description=what, completed=done, total=of)

    return on_progress
