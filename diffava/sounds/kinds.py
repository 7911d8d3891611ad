"""The kinds of sound, read once from `kinds.toml`. Knows names and words, no recording."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

Action = Literal["impact", "voice", "texture"]


@dataclass(frozen=True)
class Kind:
    """One kind of sound; the fields are explained at the head of `kinds.toml`."""

    name: str
    recordings: tuple[tuple[str, str], ...]
    action: Action
    motion: str
    phrases: tuple[str, ...]
    vague: tuple[str, ...]
    near: tuple[str, ...] = ()

    def has(self, category: str, label: str) -> bool:
        """Whether a recording of this category and label is of this kind."""
        return any(category == wanted and re.fullmatch(pattern, label) for wanted, pattern in self.recordings)


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind, in the order of the file, which is also the order of class indices."""
    table = tomllib.loads((resources.files("diffava.sounds") / "kinds.toml").read_text("utf-8"))
    return tuple(
        Kind(
            name=name,
            recordings=tuple((category, pattern) for category, pattern in entry["recordings"]),
            action=entry["action"],
            motion=entry["motion"],
            phrases=tuple(entry["phrases"]),
            vague=tuple(entry["vague"]),
            near=tuple(entry.get("near", ())),
        )
        for name, entry in table.items()
    )


@cache
def kind_named(name: str) -> Kind:
    """The kind of that name."""
    return next(kind for kind in kinds() if kind.name == name)
