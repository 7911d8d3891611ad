"""The sounds that are measured: how each setting asks a generator, and a folder that keeps what was made.

A run that was stopped goes on where it was. The folder belongs to one generator and its weights.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import torch
from jaxtyping import Float

from diffava.errors import DataError
from diffava.evaluation.cases import Case, HeldOutSet, clip_samples
from diffava.evaluation.generators import Generator
from diffava.sounds.captions import ANYTHING
from diffava.sounds.takes import RATE_HZ
from diffava.spec import FoleyRequest, GuideSource
from diffava.whole_file import whole_file

OWNER = "generator.json"
VERSION = 2  # of cases and settings: raise it when either changes, so that kept sounds are not mistaken for new ones


@dataclass(frozen=True)
class Setting:
    """How a case is asked for: which picture, what its timing comes from, and whether the prompt says anything."""

    name: str
    picture: Literal["own", "another's", "none"] = "own"
    guide: GuideSource = "none"
    given: Literal["", "hits", "performance"] = ""
    says_nothing: bool = False  # the prompt is "sound"


TEXT = Setting("text", picture="none")
DIFFAVA = Setting("diffava")
T2AV = Setting("t2av", guide="picture")
SHUFFLED = Setting("t2av-shuffled-picture", picture="another's", guide="picture")
HITS = Setting("given-hits", given="hits")
PERFORMANCE = Setting("performance", given="performance")
PICTURE_ALONE = Setting("picture-alone", guide="picture", says_nothing=True)
PAPER = (TEXT, DIFFAVA, T2AV)  # the paper's comparison, side by side


class Sounds:
    """A generator's sounds for cases and settings, each made once."""

    def __init__(
        self,
        generator: Generator,
        held_out: HeldOutSet,
        folder: Path,
        on_sound: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self.generator, self.held_out, self.folder, self._on_sound = generator, held_out, folder, on_sound
        folder.mkdir(parents=True, exist_ok=True)
        owner = {"name": generator.name, "weights": generator.weights_sha256, "version": VERSION}
        path = folder / OWNER
        if path.exists() and json.loads(path.read_text("utf-8")) != owner:
            raise DataError(
                f"{folder} holds another model's sounds; give another folder with --out, or empty this one."
            )
        path.write_text(json.dumps(owner), "utf-8")

    def of(self, cases: tuple[Case, ...], setting: Setting) -> list[Float[np.ndarray, "_"]]:
        """The sound of each case in a setting; a case of a shuffled setting is shown the next case's picture."""
        made = []
        for position, case in enumerate(cases):
            shown = cases[(position + 1) % len(cases)] if setting.picture == "another's" else case
            # The shown case is part of the name: a larger set shuffles otherwise.
            name = case.name if shown is case else f"{case.name}-seeing-{shown.name}"
            path = self.folder / setting.name / f"{name}-{case.seed}.flac"
            made.append(self.kept(path, partial(self._made, case, shown, setting)))
            self._on_sound(setting.name, position + 1, len(cases))
        return made

    def kept(self, path: Path, make: Callable[[], Float[np.ndarray, "S"]]) -> Float[np.ndarray, "S"]:
        """The samples in a file of the folder, made if it is not there."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as unfinished:
                soundfile.write(unfinished, np.clip(make(), -1, 1), RATE_HZ, "PCM_24", format="FLAC")
        return np.asarray(soundfile.read(path, dtype="float32")[0])

    def _made(self, case: Case, shown: Case, setting: Setting) -> Float[np.ndarray, "S"]:
        pictures = None
        if setting.picture != "none":
            pictures = self.held_out.pictures(shown, self.generator.frame_rate, self.generator.frame_size_pixels)
        performed = setting.given == "performance"
        request = FoleyRequest(
            prompt=ANYTHING if setting.says_nothing else case.prompt,
            sample_count=clip_samples(),
            seeds=(case.seed,),
            frame_count=0 if pictures is None else len(pictures),
            guide=setting.guide,
            hit_samples=tuple(round(time * RATE_HZ) for time in case.hits_s) if setting.given == "hits" else (),
            performance=torch.from_numpy(self.held_out.performed(case)) if performed else None,
        )
        return self.generator.generate(request, pictures)
