"""What frozen encoders and the frozen latent space say of many composed clips, computed once and kept on disk.

Training reads thousands of clips many times over; composing, analysing and encoding them anew in every step would cost
more than the step. Each entry is a pure function of its seed. Knows arrays, not what is trained with them.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diffava.errors import DataError

FINISHED = "finished.json"


class ClipBank:
    """Arrays of one row a clip, mapped from disk, so that memory holds only what is read.

    Several folders are read as one: what each encoder says of the same clips is computed when that encoder is ready.
    """

    def __init__(self, *folders: Path) -> None:
        counts = set()
        self._arrays: dict[str, Any] = {}
        for folder in folders:
            try:
                info = json.loads((folder / FINISHED).read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise DataError(f"{folder} holds no finished clip bank ({error}); build it again.") from error
            counts.add(int(info["count"]))
            self._arrays |= {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in info["arrays"]}
        if len(counts) != 1:
            raise DataError(f"The banks {', '.join(map(str, folders))} hold {sorted(counts)} clips; build them alike.")
        self._count = counts.pop()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> Any:
        return self._arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays


def build_bank(
    folder: Path,
    count: int,
    entry: Callable[[int], Mapping[str, Any]],
    info: Mapping[str, Any],
    say: Callable[[str], None] = print,
) -> ClipBank:
    """Compute `entry(k)` for every clip and keep its arrays; a finished bank of the same `info` is read instead.

    Args:
        folder: Where the bank lives.
        count: How many clips.
        entry: Arrays of clip number k, of the same names, shapes and types for each.
        info: What the entries depend on, in plain values; another one makes the bank be built anew.
        say: Called now and then with the progress.
    """
    wanted = {**info, "count": count}
    finished = folder / FINISHED
    if finished.exists():
        found = json.loads(finished.read_text("utf-8"))
        if {name: found.get(name) for name in wanted} == wanted:
            return ClipBank(folder)
        finished.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for number in range(count):
        for name, value in entry(number).items():
            array = np.asarray(value)
            if name not in arrays:
                arrays[name] = np.lib.format.open_memmap(
                    folder / f"{name}.npy", mode="w+", dtype=array.dtype, shape=(count, *array.shape)
                )
            arrays[name][number] = array
        if (number + 1) % 500 == 0:
            say(f"{folder.name}: {number + 1} of {count} clips")
    for array in arrays.values():
        array.flush()
    unfinished = finished.with_suffix(".unfinished")
    unfinished.write_text(json.dumps({**wanted, "arrays": sorted(arrays)}, indent=2), "utf-8")
    unfinished.replace(finished)
    return ClipBank(folder)
