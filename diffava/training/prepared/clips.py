"""Prepared clips as a stream to train from. Knows shards and positions, not what is learned.

An item of the stream is a pure function of its position, and only a few shards are held at a time. An epoch goes
through all shards in a new order, a group of them at a time, and through the clips of a group mixed. It ends where the
next batch would not be full, so that no clip stands twice in a batch.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng

from diffava.errors import DataError
from diffava.training.prepared.shards import (
    CAPTION_ROWS,
    CAPTIONS,
    FINISHED,
    ShardNote,
    notes,
    read_json,
    read_shard,
)

SHARDS_MIXED = 8  # whose clips are mixed with each other
ORDER, CAPTION = 21, 22  # what a random number is drawn for
HASH_PARTS = 1 << 32


@dataclass(frozen=True)
class _Shard:
    folder: Path
    note: ShardNote
    rows: np.ndarray  # of the clips that are learned from
    held_out: np.ndarray


class PreparedClips:
    """Folders that `diffava train prepare` finished, read as one: the training sets of a run."""

    def __init__(
        self,
        folders: Sequence[Path],
        held_out_share: float = 0.0,
        seed: int = 0,
        validation: Sequence[Path] = (),
    ) -> None:
        """Open folders of one encoder.

        Args:
            folders: One or more.
            held_out_share: How much is kept apart to validate on. Clips of one source file stay on one side, and it is
                the same side in every run.
            seed: What orders and captions are drawn from.
            validation: Folders that are kept apart whole, such as a collection's own validation part; then nothing of
                the others is.

        Raises:
            DataError: A folder is not finished, or they were prepared with different encoders.
        """
        keys = [_key_of(folder) for folder in (*folders, *validation)]
        for folder, key in zip((*folders, *validation), keys, strict=True):
            if key != keys[0]:
                raise DataError(f"{folder} and {folders[0]} were prepared with different encoders; prepare both alike.")
        self.key, self._seed = keys[0], seed
        shares = [(folder, 0.0 if validation else held_out_share) for folder in folders]
        shares += [(folder, 1.0) for folder in validation]
        self._shards = [
            _divided(folder, note, share) for folder, share in shares for note in notes(folder) if note.sha256
        ]
        self._read = lru_cache(2 * SHARDS_MIXED)(self._read_shard)
        self._groups: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self.held_out_count = sum(len(shard.held_out) for shard in self._shards)

    def __len__(self) -> int:
        return sum(len(shard.rows) for shard in self._shards)

    def items(self, first: int, count: int, batch_size: int) -> list[dict[str, np.ndarray]]:
        """Items `[first, first + count)` of the stream, each with one of its captions.

        Args:
            first: A position.
            count: How many.
            batch_size: The whole step's, over all processes: an epoch is a multiple of it.

        Raises:
            DataError: There are fewer clips than that.
        """
        epoch_length = len(self) // batch_size * batch_size
        if not epoch_length:
            raise DataError(
                f"There are {len(self)} clips to learn from, a batch has {batch_size}; prepare more or make it smaller."
            )
        items = []
        for position in range(first, first + count):
            shard, row = self._place(*divmod(position, epoch_length))
            rng = default_rng((self._seed, CAPTION, position))
            items.append(self._item(shard, row, rng))
        return items

    def held_out(self, batch_size: int) -> Iterator[list[dict[str, np.ndarray]]]:
        """What is kept apart, in batches, with the same captions each time."""
        batch: list[dict[str, np.ndarray]] = []
        for number, shard in enumerate(self._shards):
            for row in shard.held_out:
                batch.append(self._item(number, int(row), default_rng((CAPTION, number, int(row)))))
                if len(batch) == batch_size:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _place(self, epoch: int, position: int) -> tuple[int, int]:
        """The shard and the row of a position of an epoch."""
        order = self._order(epoch)
        for group in range(0, len(order), SHARDS_MIXED):
            members = order[group : group + SHARDS_MIXED]
            length = sum(len(self._shards[number].rows) for number in members)
            if position < length:
                shard, row = self._mixed(epoch, group, members)[position]
                return int(shard), int(row)
            position -= length
        raise AssertionError("a position lies behind its epoch")

    def _order(self, epoch: int) -> np.ndarray:
        return default_rng((self._seed, ORDER, epoch)).permutation(len(self._shards))

    def _mixed(self, epoch: int, group: int, members: np.ndarray) -> np.ndarray:
        """The clips of a group in the order of an epoch, as rows (shard, row)."""
        found = self._groups.get((epoch, group))
        if found is None:
            pairs = [(number, row) for number in members for row in self._shards[number].rows]
            found = default_rng((self._seed, ORDER, epoch, group + 1)).permutation(np.array(pairs, np.int64))
            self._groups[epoch, group] = found
            if len(self._groups) > 2:
                self._groups.popitem(last=False)
        return found

    def _item(self, number: int, row: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        arrays = self._read(number)
        item = {name: values[row] for name, values in arrays.items() if name not in (CAPTIONS, CAPTION_ROWS)}
        first, stop = arrays[CAPTION_ROWS][row : row + 2]
        return item | {"text": arrays[CAPTIONS][rng.integers(first, stop)]}

    def _read_shard(self, number: int) -> Mapping[str, np.ndarray]:
        shard = self._shards[number]
        return read_shard(shard.folder, shard.note)


def _key_of(folder: Path) -> dict[str, Any]:
    path = folder / FINISHED
    if not path.is_file():
        raise DataError(f"{folder} holds no finished preparation; run `diffava train prepare` on it (again).")
    key: dict[str, Any] = read_json(path)["encoder"]
    return key


def _divided(folder: Path, note: ShardNote, held_out_share: float) -> _Shard:
    """A shard's rows on their sides; its lists of names are let go, since they grow with the data."""
    apart = np.array([_hash(source) < held_out_share * HASH_PARTS for source in note.source_ids])
    slim = ShardNote(note.file, note.sha256, (), (), {})
    return _Shard(folder, slim, np.flatnonzero(~apart), np.flatnonzero(apart))


def _hash(source_id: str) -> int:
    return int.from_bytes(sha256(source_id.encode()).digest()[:4], "big")
