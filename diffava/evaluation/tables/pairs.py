"""Which generated sound belongs to which reference, film and caption: those of the same name. Knows files, no sound."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import soundfile

from diffava.errors import DataError, RequestError

LEAST_PAIRED = 0.99  # audioldm_eval's: below it, that code reports no paired figure
FILMS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".mts"})
NAMED = 5  # names that a sentence shows


@dataclass(frozen=True)
class Pair:
    """One item: a generated sound, its reference, and what both belong to, as far as it was given."""

    name: str
    generated: Path
    reference: Path
    film: Path | None = None
    caption: str | None = None


def find_pairs(
    generated: Path,
    reference: Path,
    films: Path | None = None,
    captions: Path | None = None,
    least_paired: float = LEAST_PAIRED,
) -> tuple[Pair, ...]:
    """Pair the sounds of two folders by their names without the ending, in the order of the generated files' names.

    Sounds without a partner are left out; audioldm_eval counts them in IS, FAD and FD (at most one in a hundred).

    Args:
        generated: A folder of sounds; files that are none are passed over, sub-folders not looked into.
        reference: Likewise.
        films: A folder of films with the same names.
        captions: A `.csv` with the columns name and caption, or a `.json` object from names to captions.
        least_paired: Which share of the larger folder must have a partner.

    Raises:
        RequestError: A folder or file is missing, too few names coincide, or no film or caption has a sound's name.
        DataError: A folder has two files of one name, or the captions cannot be read.
    """
    made, real = (_by_name(folder, _SOUNDS, "sounds") for folder in (generated, reference))
    names = [name for name in made if name in real]
    if len(names) < least_paired * max(len(made), len(real)) or not names:
        alone = [name for name in (*made, *real) if (name in made) != (name in real)]
        shown = ", ".join(alone[:NAMED]) + (" …" if len(alone) > NAMED else "")
        raise RequestError(
            f"{len(names)} names coincide of {len(made)} sounds in {generated} and {len(real)} in {reference}; at "
            f"least {least_paired:.0%} must. Without a partner: {shown}. Give folders that belong together, or lower "
            "--least-paired."
        )
    seen = _by_name(films, FILMS, "films") if films is not None else {}
    said = read_captions(captions) if captions is not None else {}
    for given, found, what in ((films, seen, "film"), (captions, said, "caption")):
        if given is not None and not any(name in found for name in names):
            raise RequestError(
                f"{given} has no {what} with the name of a sound; it has {', '.join(list(found)[:NAMED]) or 'none'}, "
                f"the sounds are {', '.join(names[:NAMED])}."
            )
    return tuple(Pair(name, made[name], real[name], seen.get(name), said.get(name) or None) for name in names)


def read_captions(path: Path) -> dict[str, str]:
    """Captions by the name of their sound (an ending is taken off); of several, the first.

    Raises:
        RequestError: There is no such file.
        DataError: It is neither of the two formats.
    """
    if not path.is_file():
        raise RequestError(f"There are no captions at {path}; give a .csv or .json file with --captions.")
    try:
        if path.suffix == ".json":
            rows = list(json.loads(path.read_text("utf-8")).items())
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [(row["name"], row["caption"]) for row in csv.DictReader(file)]
        found: dict[str, str] = {}
        for name, caption in rows:
            found.setdefault(_without_ending(str(name)), " ".join(str(caption).split()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as captions ({type(error).__name__}: {error}); give a .csv with the columns name "
            "and caption, or a .json object from names to captions."
        ) from error
    return found


_SOUNDS = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {".aif", ".opus", ".oga"}


def _by_name(folder: Path, endings: frozenset[str], what: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder; give one with {what}.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file():
            if path.stem in found:
                raise DataError(f"{path} and {found[path.stem].name} have one name; take one of them out.")
            found[path.stem] = path
    return found


def _without_ending(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in _SOUNDS | FILMS else path.name
