"""What became of requests: one outcome each, and the figures of all. Knows no network and no clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Ending = Literal["done", "refused", "cancelled", "lost", "hung"]
UNTYPED = "UNTYPED"
"""A refusal that is not the server's own: no sentence, no reason, nothing that a client could act on."""

TORN = "STATUS_TORN"
"""What the server said was lost on this side: a fault of the client's library and not of the server."""


@dataclass(frozen=True)
class Refusal:
    """One attempt that the server, or what lies between, did not carry out.

    `reason` is the server's word for it, `TORN`, or `UNTYPED:` with gRPC's code. `latency_s` counts from the call's
    begin.
    """

    reason: str
    is_retryable: bool
    delay_s: float
    latency_s: float
    sentence: str = ""

    @property
    def is_typed(self) -> bool:
        """Whether the server said it in its own words."""
        return self.reason != TORN and not self.reason.startswith(UNTYPED)


@dataclass(frozen=True)
class Outcome:
    """One request from its first attempt to its end.

    Times are of the attempt that was carried out, from the call's begin: `queue_s` until its turn, `first_audio_s`
    until the first samples, `whole_s` until the last. `audio_s` is the sound that was made, all takes added up. `name`
    is the same for the same request in another run of the same plan.
    """

    ending: Ending
    refusals: tuple[Refusal, ...] = ()
    audio_s: float = 0.0
    queue_s: float | None = None
    first_audio_s: float | None = None
    whole_s: float | None = None
    fault: str = ""
    name: str = ""
    take_sha256: tuple[str, ...] = ()


@dataclass
class Tally:
    """The outcomes so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    begun: int = 0

    def count(self, ending: Ending) -> int:
        """Requests that ended so."""
        return sum(outcome.ending == ending for outcome in self.outcomes)

    def figures(self, wall_s: float) -> dict[str, Any]:
        """Everything that one wants to know of a run that took `wall_s`, as it goes into JSON."""
        done = [outcome for outcome in self.outcomes if outcome.ending == "done"]
        refusals = [refusal for outcome in self.outcomes for refusal in outcome.refusals]
        audio_s = sum(outcome.audio_s for outcome in done)
        return {
            "requests": self.begun,
            **{ending: self.count(ending) for ending in ("done", "refused", "cancelled")},
            # Whoever began and has no outcome was swallowed by the load tool itself: that is no result either.
            "lost": self.count("lost") + self.begun - len(self.outcomes),
            "hung": self.count("hung"),
            "attempts_refused": dict(sorted(Counter(refusal.reason for refusal in refusals).items())),
            "untyped": sum(refusal.reason.startswith(UNTYPED) for refusal in refusals),
            "requests_per_s": round(len(done) / wall_s, 3),
            "audio_s_per_s": round(audio_s / wall_s, 3),
            "real_time_factor": round(wall_s / audio_s, 4) if audio_s else None,
            "queue_s": percentiles(_known(outcome.queue_s for outcome in done)),
            "first_audio_s": percentiles(_known(outcome.first_audio_s for outcome in done)),
            "whole_s": percentiles(_known(outcome.whole_s for outcome in done)),
            "refusal_s": percentiles([refusal.latency_s for refusal in refusals if refusal.is_typed]),
            "faults": sorted({outcome.fault for outcome in self.outcomes if outcome.fault})[:10],
        }


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 95th and 99th percentile and the largest; None where there are no values."""
    if not values:
        return None
    marks = np.percentile(values, (50, 95, 99, 100))
    return {name: round(float(mark), 5) for name, mark in zip(("p50", "p95", "p99", "max"), marks, strict=True)}


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
