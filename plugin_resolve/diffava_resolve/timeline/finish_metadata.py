"""What was done to a take after the server made it, as a receipt keeps it: plain values, and back.

    {"loudness_lufs": -23.0, "true_peak_dbtp": -1.0, "fade_in_samples": 0, "fade_out_samples": 4800,
     "measured": {"gain_db": 7.9, "limited_db": 0.0, "loudness_before_lufs": -30.9, "loudness_lufs": -23.0, ...}}

`measured` is null where the level was left alone. Of a take of which a part was made anew, all of it is of that part.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from diffava_resolve.spec import Finish, Finished, MeasuredAs


def finish_to_metadata(finish: Finish, finished: Finished | None) -> dict[str, Any] | None:
    """As plain values; None where nothing was done."""
    if finish == replace(Finish(), true_peak_dbtp=finish.true_peak_dbtp):
        return None
    return {**vars(finish), "measured": dict(vars(finished)) if finished else None}


def finish_from_metadata(metadata: Mapping[str, Any] | None) -> tuple[Finish, Finished | None]:
    """What `finish_to_metadata` wrote.

    Raises:
        KeyError, TypeError, ValueError: Something is missing from it, or of another kind.
    """
    if metadata is None:
        return Finish(), None
    finish = Finish(
        loudness_lufs=_number(metadata["loudness_lufs"]),
        true_peak_dbtp=float(metadata["true_peak_dbtp"]),
        fade_in_samples=int(metadata["fade_in_samples"]),
        fade_out_samples=int(metadata["fade_out_samples"]),
    )
    measured = metadata["measured"]
    if measured is None:
        return finish, None
    if measured["measured_as"] not in get_args(MeasuredAs):
        raise ValueError(f"a loudness measured as {measured['measured_as']!r}")
    return finish, Finished(
        gain_db=float(measured["gain_db"]),
        limited_db=float(measured["limited_db"]),
        loudness_before_lufs=_number(measured["loudness_before_lufs"]),
        loudness_lufs=_number(measured["loudness_lufs"]),
        measured_as=measured["measured_as"],
        note=str(measured["note"]),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
