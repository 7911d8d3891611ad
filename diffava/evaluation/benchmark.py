"""The whole benchmark of a generator: which measures there are, what each needs, and the file of their figures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffava.errors import RequestError
from diffava.evaluation.cases import HeldOutSet
from diffava.evaluation.figures import Figure
from diffava.evaluation.generators import Generator
from diffava.evaluation.judge_training import JUDGES, train_judge
from diffava.evaluation.jury import Jury
from diffava.evaluation.measures.in_time import in_time
from diffava.evaluation.measures.meaning import meaning
from diffava.evaluation.measures.paper_table import paper_table
from diffava.evaluation.measures.real_pictures import real_pictures
from diffava.evaluation.measures.recognisable import judges, recognisable
from diffava.evaluation.measures.silence import silence
from diffava.evaluation.measures.speed import speed
from diffava.evaluation.sounds import Sounds
from diffava.sounds.takes import TakeLibrary
from diffava.whole_file import whole_file

FIGURES = "figures.json"
CLIPS = 78  # three of each judged kind; all settings together are some 500 sounds
_OF_SOUNDS: dict[str, Callable[[Sounds, Jury], list[Figure]]] = {
    "judges": judges,
    "recognisable": recognisable,
    "in_time": in_time,
    "silence": silence,
    "meaning": meaning,
    "paper_table": paper_table,
}
MEASURES = (*_OF_SOUNDS, "real_pictures", "speed")


def load_jury(library: TakeLibrary, folder: Path, say: Callable[[str], None] = print) -> Jury:
    """Both judges, trained the first time (some minutes each)."""
    trained = {plan.name: train_judge(library, plan, folder, say) for plan in JUDGES}
    return Jury(trained["a"], trained["b"], library)


def wanted_measures(only: str, films: Path | None) -> tuple[str, ...]:
    """The measures of a comma-separated list; all that can be taken if it is empty.

    Raises:
        RequestError: One of them is unknown, or needs films that are not given.
    """
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise RequestError(f"There is no measure '{unknown[0]}'; there are {', '.join(MEASURES)}.")
    if "real_pictures" in names and films is None:
        raise RequestError("The measure 'real_pictures' needs a folder of films; give it with --films.")
    return names or tuple(name for name in MEASURES if name != "real_pictures" or films is not None)


def evaluate(
    generator: Generator,
    held_out: HeldOutSet,
    jury: Jury,
    out: Path,
    measures: tuple[str, ...],
    films: Path | None = None,
    on_sound: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, list[Figure]]:
    """Take each measure and keep its figures in `out` at once; sounds that are kept there are not made again."""
    sounds = Sounds(generator, held_out, out / "sounds", on_sound)
    taken: dict[str, list[Figure]] = {}
    for name in measures:
        if name in _OF_SOUNDS:
            taken[name] = _OF_SOUNDS[name](sounds, jury)
        elif name == "real_pictures" and films is not None:
            taken[name] = real_pictures(sounds, films)
        elif name == "speed":
            taken[name] = speed(generator, jury.library)
        keep_figures(out / FIGURES, generator, len(held_out.singles), taken)
    return taken


def keep_figures(path: Path, generator: Generator, clip_count: int, taken: dict[str, list[Figure]]) -> dict[str, Any]:
    """Put figures into a file that may hold those of other measures of the same generator and set."""
    head = {"model": generator.name, "weights_sha256": generator.weights_sha256, "clips": clip_count}
    kept: dict[str, Any] = {}
    if path.exists():
        before = json.loads(path.read_text("utf-8"))
        if {name: before.get(name) for name in head} == head:
            kept = before["measures"]
    kept.update({name: [figure.as_json() for figure in figures] for name, figures in taken.items()})
    whole = {**head, "measures": kept}
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(whole, indent=1), "utf-8")
    return whole
