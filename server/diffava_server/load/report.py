"""A run's figures as lines for a person."""

from collections.abc import Iterator
from typing import Any

MIB = 1 << 20
_TIMES = (
    ("queue_s", "until its turn"),
    ("first_audio_s", "until the first sound"),
    ("whole_s", "until all of it"),
    ("refusal_s", "until a refusal"),
    ("health_s", "health check"),
)


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The table of one run."""
    yield f"{figures['clients']} clients for {figures['wall_s']:g} s, model {figures['model']}"
    yield (
        f"{figures['requests']} requests: {figures['done']} done, {figures['refused']} refused, "
        f"{figures['cancelled']} given up, {figures['lost']} lost, {figures['hung']} hung"
    )
    factor = figures["real_time_factor"]
    yield (
        f"{figures['requests_per_s']:g} requests a second, {figures['audio_s_per_s']:g} s of sound a second"
        + (f" (real-time factor {factor:g})" if factor is not None else "")
    )
    yield ""
    yield f"{'seconds':<24}{'p50':>10}{'p95':>10}{'p99':>10}{'max':>10}"
    for name, what in _TIMES:
        marks = figures[name]
        if marks is not None:
            yield f"{what:<24}" + "".join(f"{marks[mark]:>10.3f}" for mark in ("p50", "p95", "p99", "max"))
    if figures["health_failed"]:
        yield f"{figures['health_failed']} health checks were not answered"
    if figures["attempts_refused"]:
        yield ""
        yield "attempts refused, most of them tried again"
        for reason, count in figures["attempts_refused"].items():
            yield f"  {reason:<30}{count:>8}"
    for fault in figures["faults"]:
        yield f"fault: {fault}"
    if figures["server"] is not None:
        yield from _held(figures["server"])


def _held(server: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{'the server holds':<24}{'first':>10}{'max':>10}{'last':>10}"
    for part, rows in server.items():
        memory = rows["memory_bytes"]
        yield f"{part + ', MiB':<24}" + "".join(f"{memory[when] / MIB:>10.1f}" for when in ("first", "max", "last"))
        for name, what in (("descriptor_count", "open files"), ("thread_count", "threads")):
            yield f"{part + ', ' + what:<24}" + "".join(f"{rows[name][when]:>10}" for when in ("first", "max", "last"))
