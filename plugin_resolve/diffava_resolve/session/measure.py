"""What is measured of a finished take, for its receipt: loudness, and how its onsets meet the hits.

The hits are those that a person gave, or else those that are seen in the picture.
"""

from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from diffava_resolve.client.protocol import Event, Progress
from diffava_resolve.frames.hits import motion_hits
from diffava_resolve.frames.onsets import onsets_s
from diffava_resolve.frames.sync import measure_sync
from diffava_resolve.spec import SAMPLE_RATE_HZ, Picture
from diffava_resolve.timeline.audio_file import read_blocks
from diffava_resolve.timeline.loudness import integrated_loudness_lufs
from diffava_resolve.timeline.true_peak import true_peak_dbtp


class TakeMeasure:
    """Measures takes against one picture, which begins at sample `first_sample` of them and is looked at once.

    With `hit_samples`, counted from the picture's start, they are measured against these and the picture is not looked
    at. Looking at a long picture takes a while: `on_event` is told how far it is.
    """

    def __init__(
        self,
        picture: Picture,
        on_event: Callable[[Event], None],
        first_sample: int = 0,
        hit_samples: tuple[int, ...] = (),
    ) -> None:
        self._picture = picture
        self._given = hit_samples
        self._on_event = on_event
        self._start_s = Fraction(first_sample, SAMPLE_RATE_HZ)

    def of(self, take: Path) -> dict[str, Any]:
        """The measured fields of a take's `Receipt`."""
        return {
            "loudness_lufs": integrated_loudness_lufs(take),
            "true_peak_dbtp": true_peak_dbtp(read_blocks(take)),
            "sync": self._sync(take),
        }

    @cached_property
    def _hits_s(self) -> tuple[float, ...]:
        if self._given:
            return tuple(sample / SAMPLE_RATE_HZ for sample in self._given)
        region = self._picture.region
        frame_count = region.stop_frame - region.start_frame
        hits = motion_hits(self._picture, lambda done: self._on_event(Progress("measure", done, frame_count)))
        return tuple(float(hit.second) for hit in hits)

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
