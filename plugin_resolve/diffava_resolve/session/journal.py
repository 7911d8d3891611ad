"""What of a shot list is done, on disk, so that the same command goes on after a crash: nothing twice, nothing lost.

    out.foley/unfinished-shots/shots.json, beside the takes that are done:
    {"schema_version": 1, "shots": {"<what is asked>": {"first_seed": 7, "takes": [{"file": ..., "receipt": {...}}]}}}

It is written whole each time a shot is done. The takes of all shots move to `out.foley` together, and once the timeline
is written the folder goes: what a killed command leaves is never mixed with what a timeline points to. A shot is known
again by all that it asks for (`key_of`), so that of a changed list only what was changed is made anew. One command at a
time holds it.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import filelock

from diffava_resolve.errors import OutputError, RequestError, TimelineError
from diffava_resolve.files import make_folder, write_whole
from diffava_resolve.frames.foreign import frames_of
from diffava_resolve.session.generate import Plan
from diffava_resolve.spec import FoleyJob, ImageSequence, ModelInfo, MovieFile, Picture
from diffava_resolve.timeline.audio_file import file_sha256
from diffava_resolve.timeline.place import PlacedTake
from diffava_resolve.timeline.receipts import Receipt

FOLDER_NAME = "unfinished-shots"
FILE_NAME = "shots.json"
LOCK_NAME = "lock"
SCHEMA_VERSION = 1


def key_of(plan: Plan, model: ModelInfo, *, is_seeded: bool) -> str:
    """All that decides how the shot sounds, as a hash: what is seen, asked and done, and the model.

    Seeds that were drawn count only by their number. Media count by where they are, how large and how old; a picture
    that an editor has rendered for this job alone counts by what is seen in it.

    Raises:
        MediaError: A rendered picture cannot be read.
    """
    job = plan.job if is_seeded else replace(plan.job, seeds=(len(plan.job.seeds),))
    seen = _pixels(plan, model) if plan.is_rendered else _media(plan.picture)
    asked = (plan.region, seen, plan.picture.cut_frames, job, plan.finish, model)
    return sha256(repr(asked).encode()).hexdigest()


def _pixels(plan: Plan, model: ModelInfo) -> str:
    digest = sha256()
    for block in frames_of(plan.picture, model.frames):
        digest.update(block.tobytes())
    return digest.hexdigest()


def _media(picture: Picture) -> tuple[Any, ...]:
    media = {layer.media for segment in picture.segments for layer in segment.layers}
    stamps = sorted(_stamp(medium) for medium in media if isinstance(medium, MovieFile | ImageSequence))
    return picture.segments, stamps


def _stamp(medium: MovieFile | ImageSequence) -> tuple[str, int, int]:
    path = medium.path if isinstance(medium, MovieFile) else medium.directory
    try:
        status = path.stat()
    except OSError:  # said in a sentence where it is read
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


class Journal:
    """The journal of one media folder, held for one command.

    Left by an exception, it stays if a shot is done, and otherwise leaves the folder as it was found.
    """

    def __init__(self, media: Path) -> None:
        self._media = media
        self.folder = media / FOLDER_NAME
        """Where the takes are until all are done."""
        self._path = self.folder / FILE_NAME
        self._lock = filelock.FileLock(self.folder / LOCK_NAME, timeout=0)
        self._is_new_media = False
        self._shots: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self._is_new_media = make_folder(self._media)
        make_folder(self.folder)
        try:
            self._lock.acquire()
        except filelock.Timeout as error:
            raise RequestError(
                f"Another command is making shots into {self._media}; wait for it, or give another output."
            ) from error
        except OSError as error:
            raise OutputError(f"The folder {self.folder} cannot be used ({error}); choose another output.") from error
        try:
            self._shots = self._read()
            self._sweep()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or not self.done_count:
            self._remove()
        self._lock.release()

    @property
    def done_count(self) -> int:
        """How many shots are done."""
        return sum("takes" in shot for shot in self._shots.values())

    def seeded(self, key: str, job: FoleyJob) -> FoleyJob:
        """The job with the seeds of the first attempt, which are remembered."""
        first_seed = self._shots.setdefault(key, {"first_seed": job.seeds[0]})["first_seed"]
        return replace(job, seeds=tuple(range(first_seed, first_seed + len(job.seeds))))

    def begin(self, keys: Collection[str]) -> None:
        """These shots are wanted, and no others any more; on disk when this returns."""
        self._shots = {key: shot for key, shot in self._shots.items() if key in keys}
        self._write()

    def takes_of(self, key: str) -> tuple[PlacedTake, ...]:
        """The takes of a shot that is done; none where it is not, or where one of its files is not what it was."""
        shot = self._shots[key]
        takes = tuple(
            PlacedTake(self._path_of(take["file"]), Receipt.from_metadata(take["receipt"]))
            for take in shot.get("takes", ())
        )
        if all(take.path.is_file() and file_sha256(take.path) == take.receipt.wav_sha256 for take in takes):
            return takes
        del shot["takes"]
        return ()

    def keep(self, key: str, takes: Iterable[PlacedTake]) -> None:
        """A shot is done; on disk when this returns.

        Raises:
            OutputError: The disk is full.
        """
        self._shots[key]["takes"] = [{"file": one.path.name, "receipt": one.receipt.to_metadata()} for one in takes]
        self._write()

    def publish(self, takes: Sequence[PlacedTake]) -> tuple[PlacedTake, ...]:
        """All shots are done: the takes, moved to where a timeline may point to them."""
        for take in takes:
            performance = take.receipt.job.guide.performance
            for name in (take.path.name, *([performance.file_name] if performance else [])):
                if (self.folder / name).exists():
                    (self.folder / name).replace(self._media / name)
        return tuple(replace(take, path=self._media / take.path.name) for take in takes)

    def _path_of(self, name: str) -> Path:
        """Where a take is: among the unfinished, or where a command that was killed near its end has moved it."""
        unfinished = self.folder / name
        return unfinished if unfinished.exists() else self._media / name

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unreadable() from error
        if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
            raise self._unreadable()
        return dict(found["shots"])

    def _unreadable(self) -> TimelineError:
        return TimelineError(
            f"The journal {self._path} of an earlier command cannot be read by this version; delete its folder to "
            "begin anew, or give another output."
        )

    def _write(self) -> None:
        text = json.dumps({"schema_version": SCHEMA_VERSION, "shots": self._shots})

        def write(path: Path) -> None:
            path.write_text(text, encoding="utf-8")

        write_whole(self._path, write)

    def _sweep(self) -> None:
        """Remove what a killed command has left half-written, or did not come to write down."""
        kept = {FILE_NAME, LOCK_NAME}
        for shot in self._shots.values():
            for take in shot.get("takes", ()):
                performance = (take["receipt"]["request"].get("guide") or {}).get("performance")
                kept |= {take["file"], *([performance["file_name"]] if performance else [])}
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()

    def _remove(self) -> None:
        if os.name == "nt":  # there, nothing that is open can be removed; elsewhere another command would be let in
            self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._is_new_media and not any(self._media.iterdir()):
            self._media.rmdir()
