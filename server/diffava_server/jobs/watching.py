"""What happened to jobs, for whoever counts: plain values, and never a prompt, a token or a file's name."""

from typing import Protocol


class JobWatcher(Protocol):
    """Told at once and from the event loop; must not block. Models are named as their presets are."""

    def queue_changed(self, waiting_count: int) -> None:
        """So many jobs wait now."""
        ...

    def batch_started(self, model: str, job_count: int, row_count: int) -> None:
        """The engine was given a batch."""
        ...

    def job_started(self, model: str, waited_s: float) -> None:
        """A job's turn came, so long after its header."""
        ...

    def stage_ended(self, model: str, stage: str, duration_s: float) -> None:
        """A job was done with "features", "latent" or "waveform"."""
        ...

    def job_ended(self, model: str, code: str, reason: str, duration_s: float, sound_s: float) -> None:
        """A job's call ended so long after its header, as "OK" or a gRPC code with the error's reason.

        `sound_s` is what it made, all takes added up.
        """
        ...

    def job_refused(self, code: str, reason: str) -> None:
        """A call ended so before there was a job: its header cannot be served, or the queue is full."""
        ...

    def frames_received(self, byte_count: int) -> None:
        """Pictures came over the wire."""
        ...

    def frames_reused(self, byte_count: int) -> None:
        """Pictures were not sent, for the engine remembers what they say."""
        ...

    def engine_lost(self, reason: str) -> None:
        """The engine's process is gone.

        It "died", "hung", was "deaf" to a cancellation, "exhausted" (out of memory) or "not loaded".
        """
        ...

    def engine_started(self, duration_s: float) -> None:
        """A new engine's process answers, so long after it was asked for."""
        ...


class Unwatched:
    """A `JobWatcher` that tells nobody."""

    def queue_changed(self, waiting_count: int) -> None:
        """As `JobWatcher.queue_changed`."""

    def batch_started(self, model: str, job_count: int, row_count: int) -> None:
        """As `JobWatcher.batch_started`."""

    def job_started(self, model: str, waited_s: float) -> None:
        """As `JobWatcher.job_started`."""

    def stage_ended(self, model: str, stage: str, duration_s: float) -> None:
        """As `JobWatcher.stage_ended`."""

    def job_ended(self, model: str, code: str, reason: str, duration_s: float, sound_s: float) -> None:
        """As `JobWatcher.job_ended`."""

    def job_refused(self, code: str, reason: str) -> None:
        """As `JobWatcher.job_refused`."""

    def frames_received(self, byte_count: int) -> None:
        """As `JobWatcher.frames_received`."""

    def frames_reused(self, byte_count: int) -> None:
        """As `JobWatcher.frames_reused`."""

    def engine_lost(self, reason: str) -> None:
        """As `JobWatcher.engine_lost`."""

    def engine_started(self, duration_s: float) -> None:
        """As `JobWatcher.engine_started`."""
