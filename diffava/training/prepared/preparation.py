"""Preparing a corpus: every clip is decoded and encoded once, and kept in shards. Knows no codec and no model.

What is held is one shard and the few clips that are decoded ahead, however large the corpus is. A preparation that was
killed goes on behind its last finished shard.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from diffava.errors import DataError
from diffava.training.corpora.corpus import Clip, Corpus
from diffava.training.prepared.media import Media
from diffava.training.prepared.shards import (
    BEGUN,
    FINISHED,
    FORMAT_VERSION,
    note_paths,
    notes,
    read_json,
    write_json,
    write_shard,
)
from diffava.whole_file import whole_file

CLIPS_A_SHARD = 128
SKIPPED, MISSING = "skipped.csv", "missing.csv"


@runtime_checkable  # so that tests can check arguments against it
class ClipEncoder(Protocol):
    """What turns a clip into arrays."""

    @property
    def key(self) -> Mapping[str, Any]:
        """What the arrays depend on, in plain values: hashes of weights, and settings."""
        ...

    @property
    def clip_s(self) -> float:
        """The longest clip that it takes."""
        ...

    def encode(self, media: Media, captions: tuple[str, ...]) -> Mapping[str, np.ndarray]:
        """Arrays of the same names and shapes for every clip, but for `captions`, a row each.

        Raises:
            DataError: Nothing can be learned from this clip, with the reason.
        """
        ...


@dataclass(frozen=True)
class Summary:
    """What became of a corpus."""

    clips: int
    skipped: Mapping[str, str]
    missing: tuple[str, ...]


def prepare(
    corpus: Corpus,
    encoder: ClipEncoder,
    read: Callable[[Clip], Media],
    folder: Path,
    *,
    workers: int = 0,
    clips_a_shard: int = CLIPS_A_SHARD,
    on_clip: Callable[[int, int], None] = lambda done, skipped: None,
) -> Summary:
    """Encode what is not encoded yet, and say what became of every clip.

    Args:
        corpus: The clips.
        encoder: What turns them into arrays.
        read: Decodes one.
        folder: Where shards are kept, a folder for each corpus and encoder.
        workers: Threads that decode ahead; FFmpeg lets them run beside each other.
        clips_a_shard: How many clips are held and written together, and at most lost when the process is killed.
        on_clip: Called after each clip with how many are in shards or about to be, and how many were skipped.

    Raises:
        DataError: The folder holds another preparation, or no clip could be used.
    """
    _begin(folder, {"corpus": dict(corpus.info), "encoder": dict(encoder.key)})
    done: set[str] = set()
    skipped: dict[str, str] = {}
    for note in notes(folder):
        done.update(note.clip_ids)
        skipped.update(note.skipped)
    count = len(done)
    held: list[tuple[str, str, Mapping[str, np.ndarray]]] = []
    new_skipped: dict[str, str] = {}

    def flush() -> None:
        numbers = [int(path.stem.removeprefix("shard-")) for path in note_paths(folder)]
        write_shard(folder, max(numbers, default=-1) + 1, held, new_skipped)
        held.clear()
        new_skipped.clear()

    todo = (clip for clip in corpus.clips(encoder.clip_s) if clip.clip_id not in done and clip.clip_id not in skipped)
    for clip, media in _decoded(todo, read, workers):
        try:
            if isinstance(media, DataError):
                raise media
            held.append((clip.clip_id, clip.source_id, encoder.encode(media, clip.captions)))
            count += 1
        except DataError as error:
            new_skipped[clip.clip_id] = skipped[clip.clip_id] = str(error)
        on_clip(count, len(skipped))
        if len(held) == clips_a_shard or len(new_skipped) == clips_a_shard:
            flush()
    if held or new_skipped:
        flush()
    summary = Summary(count, skipped, corpus.missing)
    _finish(folder, summary)
    if not count:
        reason = next(iter(skipped.values()), f"the media of all {len(summary.missing)} listed clips are missing")
        raise DataError(f"No clip of the corpus could be used: {reason}")
    return summary


def _begin(folder: Path, wanted: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path, wanted = folder / BEGUN, {"format_version": FORMAT_VERSION, **wanted}
    if not path.exists():
        if any(folder.iterdir()):
            raise DataError(f"{folder} holds other things; choose an empty or a new folder for the prepared clips.")
        write_json(path, wanted)
        return
    found = read_json(path)
    differing = [f"{part}.{name}" for part in ("corpus", "encoder") for name in _differing(found, wanted, part)]
    if differing or found.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{folder} holds clips that were prepared otherwise ({', '.join(differing) or 'format'} differ(s)); choose "
            "another folder, or remove that one."
        )


def _differing(found: Mapping[str, Any], wanted: Mapping[str, Any], part: str) -> list[str]:
    before, now = found.get(part, {}), wanted[part]
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _finish(folder: Path, summary: Summary) -> None:
    for name, rows in (
        (SKIPPED, [("clip", "reason"), *summary.skipped.items()]),
        (MISSING, [("clip",), *((clip_id,) for clip_id in summary.missing)]),
    ):
        with whole_file(folder / name) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    totals = {"clips": summary.clips, "skipped": len(summary.skipped), "missing": len(summary.missing)}
    write_json(folder / FINISHED, {**read_json(folder / BEGUN), **totals})


def _decoded(
    clips: Iterable[Clip], read: Callable[[Clip], Media], workers: int
) -> Iterator[tuple[Clip, Media | DataError]]:
    """Every clip with its media or why there are none, in order; at most two a worker are decoded ahead."""

    def attempt(clip: Clip) -> Media | DataError:
        try:
            return read(clip)
        except DataError as error:
            return error

    if not workers:
        yield from ((clip, attempt(clip)) for clip in clips)
        return
    waiting: deque[tuple[Clip, Future[Media | DataError]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for clip in clips:
                waiting.append((clip, pool.submit(attempt, clip)))
                if len(waiting) > 2 * workers:
                    first, media = waiting.popleft()
                    yield first, media.result()
            while waiting:
                first, media = waiting.popleft()
                yield first, media.result()
        finally:
            for _, media in waiting:
                media.cancel()
