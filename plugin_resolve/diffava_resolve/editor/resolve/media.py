"""Takes in the media pool: a bin of our own, each file once, at the rate that Resolve froze for it.

A WAV takes the project's frame rate when it is imported and keeps it, whatever the timeline's is; so it is read, never
assumed. Where Resolve counts a take shorter than its range (29.97: the last frame ends within a sample of the file), a
copy with some silence behind it is played instead: the take itself keeps its exact samples.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from diffava_resolve.editor.resolve.program import Program, offers, setting
from diffava_resolve.editor.resolve.steps import Steps
from diffava_resolve.errors import OutputError
from diffava_resolve.spec import SAMPLE_RATE_HZ
from diffava_resolve.timeline.audio_file import TakeWriter, read_blocks, sample_count_of
from diffava_resolve.timeline.rates import exact_rate

BIN_NAME = "DiffAVA Foley"
_SILENCE_SAMPLES = SAMPLE_RATE_HZ // 4  # more than a frame at every rate
_DICTIONARIES_FROM = (21, 0)  # where lists of paths are deprecated


def media_path_of(media: Any) -> Path:
    """The file that a clip of the pool stands for."""
    return Path(str(media.GetClipProperty("File Path") or ""))


def media_rate_of(media: Any) -> Fraction:
    """The frame rate in which Resolve counts a clip of the pool.

    Raises:
        OutputError: It does not say one.
    """
    try:
        return exact_rate(float(media.GetClipProperty("FPS")))
    except (TypeError, ValueError) as error:
        raise OutputError(f"Resolve says no frame rate for {media_path_of(media).name}; import it by hand.") from error


def imported(program: Program, path: Path, steps: Steps) -> Any:
    """The clip of the pool for a file, imported into our own bin unless it is there; at the timeline's rate if it can.

    Raises:
        OutputError: Resolve did not import it.
    """
    folder = _own_bin(program, steps)
    found = _in_bin(folder, path)
    if found is not None:
        return found
    pool = program.pool
    pool.SetCurrentFolder(folder)  # what is imported lands in the current bin
    as_path, as_dictionary = [str(path)], [{"FilePath": str(path)}]
    forms = (as_dictionary, as_path) if program.version >= _DICTIONARIES_FROM else (as_path, as_dictionary)
    for form in forms:
        pool.ImportMedia(form)
        found = _in_bin(folder, path)
        if found is not None:
            steps.done(f"{path.name} in the bin {BIN_NAME}", lambda: _removed(program, folder, path))
            # It has the project's rate; whether that can be changed for audio is not documented.
            if media_rate_of(found) != program.rate and offers(found, "SetClipProperty"):
                found.SetClipProperty("FPS", str(setting(program.timeline, "timelineFrameRate")).split()[0])
            return found
    raise OutputError(f"Resolve did not import {path}; import it by hand to see why, and try again.")


def lengthened(path: Path, steps: Steps) -> Path:
    """A copy of a take with silence behind it, for Resolve to play; what is heard of it ends before the silence."""
    target = path.with_name(f"{path.stem}-padded{path.suffix}")
    if target.is_file():
        return target
    with TakeWriter(target, sample_count=sample_count_of(path) + _SILENCE_SAMPLES) as writer:
        for block in read_blocks(path):
            writer.write(block)
        writer.write(np.zeros(_SILENCE_SAMPLES, np.float32))
        writer.finish()
    steps.done(str(target), lambda: _deleted(target))
    return target


def _deleted(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True


def _own_bin(program: Program, steps: Steps) -> Any:
    root = program.pool.GetRootFolder()
    found = _bin_in(root)
    if found is None:
        program.pool.AddSubFolder(root, BIN_NAME)
        found = _bin_in(root)
        if found is None:
            raise OutputError(f"Resolve made no bin {BIN_NAME}; make one in the media pool and try again.")
        steps.done(f"the bin {BIN_NAME}", lambda: _bin_removed(program))
    return found


def _bin_in(root: Any) -> Any | None:
    return next((one for one in root.GetSubFolderList() or [] if one.GetName() == BIN_NAME), None)


def _bin_removed(program: Program) -> bool:
    folder = _bin_in(program.pool.GetRootFolder())
    if folder is not None and not folder.GetClipList():
        program.pool.DeleteFolders([folder])
    return _bin_in(program.pool.GetRootFolder()) is None


def _in_bin(folder: Any, path: Path) -> Any | None:
    return next((clip for clip in folder.GetClipList() or [] if _is_same_file(media_path_of(clip), path)), None)


def _is_same_file(one: Path, other: Path) -> bool:
    """Whether both paths mean one file: Resolve may spell it otherwise (links, letters of a drive)."""
    try:
        return one == other or (one.name == other.name and one.samefile(other))
    except OSError:
        return False


def _removed(program: Program, folder: Any, path: Path) -> bool:
    found = _in_bin(folder, path)
    if found is not None:
        program.pool.DeleteClips([found])
    return _in_bin(folder, path) is None
