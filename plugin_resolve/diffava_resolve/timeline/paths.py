"""Paths on this machine from the addresses that editors write into timelines."""

import re
from pathlib import Path
from urllib.parse import unquote

_DRIVE = re.compile(r"/?[A-Za-z]:[/\\]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def local_path(url: str, base_directory: Path) -> Path | None:
    """The file that a media address means, or None for an address that is not on this machine's file system.

    Editors write `file:///a%20b.mov`, `file://localhost/D%3a/a.mov`, a bare path of either operating system, or one
    relative to the timeline. `#`, `?` and `%` are legal in file names and often stand unescaped, so the text is not
    parsed as a URL: it is taken literally first and with its escapes decoded if only that exists. A `file:` address is
    decoded first.
    """
    if url.lower().startswith("file:"):
        texts = [unquote(_without_host(url)), _without_host(url)]
    elif _SCHEME.match(url) and not _DRIVE.match(url):
        return None
    else:
        texts = [url, unquote(url)]
    candidates = [_as_path(text, base_directory) for text in texts]
    return next((path for path in candidates if path.exists()), candidates[0])


def _without_host(url: str) -> str:
    """`/a.mov` of `file:///a.mov` and `file://localhost/a.mov`; `//server/a.mov` of `file://server/a.mov`."""
    rest = url[len("file:") :]
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if host.lower() in ("", "localhost"):
        return slash + path
    return rest if slash else host  # `file://a.mov`, relative, is written by some


def _as_path(text: str, base_directory: Path) -> Path:
    """Windows drives lose the slash that URLs put before them, and stay absolute on every system."""
    if _DRIVE.match(text):
        return Path(text.removeprefix("/"))
    return base_directory / text
