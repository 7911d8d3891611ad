"""What a marker's text asks for: a prompt, and with `|` between them what is not to be heard, how many takes, the seed.

    footsteps in snow | not: voices, music | takes: 3 | seed: 7

Only the prompt is needed. Knows nothing of timelines.
"""

import re
from dataclasses import dataclass

from diffava_resolve.errors import RequestError

SEPARATOR = "|"
_EXAMPLE = "footsteps in snow | not: voices, music | takes: 3 | seed: 7"
_FIELD = re.compile(r"(not|takes|seed)\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)
_NAME_OF_NO_CHOICE = re.compile(r"marker \d+", re.IGNORECASE)  # editors number the markers that nobody named


@dataclass(frozen=True)
class ShotNote:
    """What a marker asks for; None and empty is not said."""

    prompt: str = ""
    negative_prompt: str = ""
    take_count: int | None = None
    seed: int | None = None


def parse_shot_note(comment: str, name: str) -> ShotNote:
    """What a marker's comment asks for, or else its name; a name such as “Marker 1”, given by an editor, asks nothing.

    Raises:
        RequestError: What stands behind a `|` is none of `not:`, `takes:` and `seed:`, or is said twice, or is no
        number.
    """
    text = comment.strip() or ("" if _NAME_OF_NO_CHOICE.fullmatch(name.strip()) else name.strip())
    prompt, *rest = (part.strip() for part in text.split(SEPARATOR))
    said: dict[str, str] = {}
    for part in rest:
        match = _FIELD.fullmatch(part)
        if match is None or match[1].lower() in said:
            raise RequestError(f"“{part}” in the marker “{text}” is not understood; write it as: {_EXAMPLE}.")
        said[match[1].lower()] = match[2].strip()
    return ShotNote(prompt, said.get("not", ""), _number(said, "takes", text), _number(said, "seed", text))


def _number(said: dict[str, str], field: str, text: str) -> int | None:
    if field not in said:
        return None
    if not said[field].isascii() or not said[field].isdigit():
        raise RequestError(f"“{field}: {said[field]}” in the marker “{text}” is no whole number; as in: {_EXAMPLE}.")
    return int(said[field])
