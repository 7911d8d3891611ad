"""What does not belong into foley: is there speech or music in a take, as far as the signal alone says.

No speech or music model is asked: `frames.syllables` and `frames.tuned_notes` say what is measured, and how often it
errs. Since they were never measured on what models let slip, a person is told, and only who asks for it has the take
rolled again.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from diffava_resolve.frames.syllables import measure_syllables
from diffava_resolve.frames.tuned_notes import measure_tuned_notes

LeakCheck = Literal["warn", "reroll", "off"]
"""What is done about speech or music: it is said, the take is made once more with another seed, or nobody looks."""

SEED_STEP = 1_000_003
"""How far from its own a take's second seed lies: never one of the takes beside it."""

_SEED_LIMIT = 1 << 64


def measure_leaks(take: Path, start_sample: int = 0, stop_sample: int | None = None) -> dict[str, Any]:
    """What was measured of a take, or of the part of it that was made anew, as the receipt keeps it."""
    syllables = measure_syllables(take, start_sample, stop_sample)
    notes = measure_tuned_notes(take, start_sample, stop_sample)
    return {
        "measured_by": "syllabic voicing and tuned notes, of the signal alone",
        "is_speech_like": syllables.is_speech_like,
        "is_music_like": notes.is_music_like,
        "syllables": asdict(syllables),
        "tuned_notes": asdict(notes),
    }


def leaks_in_words(leaks: Mapping[str, Any] | None) -> str:
    """`speech`, `music`, `speech and music`, or nothing."""
    if leaks is None:
        return ""
    found = [word for word in ("speech", "music") if leaks.get(f"is_{word}_like")]
    return " and ".join(found)


def leak_notes(leaks: Mapping[str, Any] | None, seed: int) -> tuple[str, ...]:
    """What a person must know of a take."""
    found = leaks_in_words(leaks)
    return (f"The take with seed {seed} sounds like {found}, by its signal alone; listen to it.",) if found else ()


def other_seed(seed: int) -> int:
    """The seed with which a take is made once more."""
    return (seed + SEED_STEP) % _SEED_LIMIT
