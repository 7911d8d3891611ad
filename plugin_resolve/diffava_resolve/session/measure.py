"""What is measured of a finished take, for its receipt: loudness, and how its onsets meet the hits.

The hits are those that a person gave, or else those that are seen in the picture.
"""

from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from diffava_resolve.client.protocol import Event, NoMemory, PictureMemory, Progress
from diffava_resolve.frames.aside import FramesAside, fits_aside
from diffava_resolve.frames.hit_search import HitSearch
from diffava_resolve.frames.hits import METHOD, hit_format
from diffava_resolve.frames.onsets import onsets_s
from diffava_resolve.frames.sync import measure_sync
from diffava_resolve.session.job_frames import name_in_memory
from diffava_resolve.spec import SAMPLE_RATE_HZ, Picture
from diffava_resolve.timeline.audio_file import read_blocks
from diffava_resolve.timeline.loudness import integrated_loudness_lufs
from diffava_resolve.timeline.true_peak import true_peak_dbtp


def is_denoising(event: Event) -> bool:
    """Whether the server has all pictures of a job and denoises: then there is time here for other things."""
    return isinstance(event, Progress) and event.stage == "latent"


class TakeMeasure:
    """Measures takes against one picture, which begins at sample `first_sample` of them and is looked at once.

    With `hit_samples`, counted from the picture's start, they are measured against these and the picture is not looked
    at. Looking at a long picture takes a while: `on_event` is told how far it is, and `begin` looks while the server
    works. What was found is kept in `memory`.
    """

    def __init__(
        self,
        picture: Picture,
        on_event: Callable[[Event], None],
        first_sample: int = 0,
        hit_samples: tuple[int, ...] = (),
        memory: PictureMemory = NoMemory(),  # noqa: B008  holds nothing
    ) -> None:
        self._picture = picture
        self._format = hit_format(picture)
        self._given = hit_samples
        self._on_event = on_event
        self._memory = memory
        self._start_s = Fraction(first_sample, SAMPLE_RATE_HZ)
        self._search: HitSearch | None = None

    @cached_property
    def aside(self) -> FramesAside | None:
        """For a job's decoding to lay the pictures into that will be looked at; None where none will, or too many."""
        is_wanted = not self._given and self._remembered is None and fits_aside(self._picture, self._format)
        return FramesAside(self._format) if is_wanted else None

    def begin(self) -> None:
        """Look at the picture from now on, in a thread of its own."""
        if not self._given and self._search is None and self._remembered is None:
            self._search = HitSearch(self._picture, self.aside)

    def close(self) -> None:
        """Look no further."""
        if self._search is not None:
            self._search.close()

    def of(self, take: Path) -> dict[str, Any]:
        """The measured fields of a take's `Receipt`."""
        return {
            "loudness_lufs": integrated_loudness_lufs(take),
            "true_peak_dbtp": true_peak_dbtp(read_blocks(take)),
            "sync": self._sync(take),
        }

    @cached_property
    def _identity(self) -> str:
        return name_in_memory(self._picture, self._format, METHOD)

    @cached_property
    def _remembered(self) -> list[float] | None:
        known = self._memory.recall(self._identity) if self._identity else None
        return None if known is None else known.get("hits_s")

    @cached_property
    def _hits_s(self) -> tuple[float, ...]:
        if self._given:
            return tuple(sample / SAMPLE_RATE_HZ for sample in self._given)
        if self._remembered is not None:
            return tuple(self._remembered)
        self._search = self._search or HitSearch(self._picture, self.aside)
        hits = self._search.wait(lambda done, count: self._on_event(Progress("measure", done, count)))
        found = tuple(float(hit.second) for hit in hits)
        if self._identity:
            self._memory.remember(self._identity, {"hits_s": found})
        return found

    def _sync(self, take: Path) -> dict[str, Any]:
        region = self._picture.region
        duration_s = Fraction(region.sample_count, SAMPLE_RATE_HZ)
        onsets = tuple(
            second - float(self._start_s)
            for second in onsets_s(take)
            if self._start_s <= second < self._start_s + duration_s
        )
        measured = asdict(measure_sync(self._hits_s, onsets, duration_s=duration_s, rate=region.rate))
        hits_from = "given" if self._given else "picture"
        return {"hits_from": hits_from, **measured, "tolerance_s": float(measured["tolerance_s"])}
