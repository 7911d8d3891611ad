"""How a timeline says where its media lie. Opens none of them.

A `target_url` is a bare path or a URL; a relative one counts from the folder in which the timeline lies.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePath

import opentimelineio as otio

_HAS_SCHEME_OR_DRIVE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|\\\\")


def media_url(path: Path, base_directory: Path) -> str:
    """A media file as a timeline in `base_directory` writes it: a bare relative path with forward slashes.

    Bare, because Resolve refuses `file://` in OTIO; relative, so that the folder can be moved as a whole. A file on
    another Windows drive has only its absolute path. Links are followed first: `..` leads up from where a linked
    folder really is (on macOS, `/tmp` is one).
    """
    real = path.parent.resolve() / path.name
    try:
        return PurePath(os.path.relpath(real, base_directory.resolve())).as_posix()
    except ValueError:
        return real.as_posix()


def media_path(target_url: str, base_directory: Path) -> Path:
    """The file that a bare path or a `file:` URL means, for a timeline in `base_directory`."""
    # A bare path is no URL: the helper would cut it at a '#'.
    is_url = target_url.lower().startswith("file:")
    return base_directory / (str(otio.url_utils.filepath_from_url(target_url)) if is_url else target_url)


def moved(timeline: otio.schema.Timeline, from_directory: Path, to_directory: Path) -> otio.schema.Timeline:
    """A copy of the timeline whose relative media paths hold in another folder; absolute ones and URLs stay."""
    if from_directory.absolute() == to_directory.absolute():
        return timeline.deepcopy()
    return _with_urls(
        timeline, lambda url: media_url(from_directory / url, to_directory) if _is_bare_relative(url) else url
    )


def with_absolute_urls(timeline: otio.schema.Timeline, base_directory: Path) -> otio.schema.Timeline:
    """A copy of the timeline whose bare media paths, relative or not, are `file:` URLs, as other formats want them."""

    def absolute(url: str) -> str:
        if not url or _HAS_SCHEME_OR_DRIVE.match(url):
            return url
        return Path(os.path.normpath((base_directory / url).absolute())).as_uri()

    return _with_urls(timeline, absolute)


def _is_bare_relative(url: str) -> bool:
    return bool(url) and not url.startswith("/") and not _HAS_SCHEME_OR_DRIVE.match(url)


def _with_urls(timeline: otio.schema.Timeline, change: Callable[[str], str]) -> otio.schema.Timeline:
    changed = timeline.deepcopy()
    for clip in changed.find_clips():
        for reference in clip.media_references().values():
            if isinstance(reference, otio.schema.ExternalReference):
                reference.target_url = change(reference.target_url)
            elif isinstance(reference, otio.schema.ImageSequenceReference):
                folder = change(reference.target_url_base.rstrip("/"))
                reference.target_url_base = f"{folder}/" if folder else folder
    return changed
