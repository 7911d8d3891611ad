"""What happened to jobs, as Prometheus' metrics. `JobWatcher` by counting; knows no prompts, tokens or clients.

`server/WHEN_IT_GOES_WRONG.md` says what each is good for.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

PREFIX = "diffava"
WAIT_BUCKETS_S = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
STAGE_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
FACTORS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 32)


class Metrics:
    """A `JobWatcher` that counts, and what else there is to count of a server. One for each server, none global.

    Args:
        model_names: The models that are offered: any other name a client asks for is counted without its name, or a
            client that invents names would fill the memory.
        software_version: As clients are told.
    """

    def __init__(self, model_names: Callable[[], tuple[str, ...]], software_version: str) -> None:
        self.registry = CollectorRegistry()
        self._model_names = model_names
        self._waiting = self._gauge("jobs_waiting", "Jobs that wait for their turn")
        self._jobs = self._counter("jobs", "Jobs that ended: gRPC's code, and the reason", "model", "code", "reason")
        self._wait_s = self._histogram("job_wait_seconds", "From a job's header to its turn", WAIT_BUCKETS_S, "model")
        self._job_s = self._histogram(
            "job_seconds", "From a job's header to its end, of those that went well", WAIT_BUCKETS_S, "model"
        )
        self._factor = self._histogram(
            "real_time_factor", "job_seconds for each second of sound; above 1: slower than hearing", FACTORS, "model"
        )
        self._sound_s = self._counter("sound_seconds", "Sound made, all takes added up", "model")
        self._stage_s = self._histogram(
            "stage_seconds", "Time in a stage: features, latent, waveform", STAGE_BUCKETS_S, "model", "stage"
        )
        self._batch_jobs = self._histogram("batch_jobs", "Jobs in one batch", COUNTS, "model")
        self._batch_rows = self._histogram("batch_rows", "Takes denoised together", COUNTS, "model")
        self._frames = self._counter("frames_bytes", "Pictures: received, or reused without being sent", "origin")
        self._losses = self._counter("engine_losses", "Engine processes that were lost", "reason")
        self._starts = self._counter("engine_starts", "Engine processes that were started")
        self._start_s = self._gauge("engine_start_seconds", "How long the last start took")
        self._refusals = self._counter("calls_refused", "Calls refused before anything of them was read", "reason")
        self._gauge("server_info", "1, with the version", "version").labels(software_version).set(1)
        ProcessCollector(namespace=f"{PREFIX}_server", registry=self.registry)

    def show(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A further gauge, whose value is asked for when somebody looks; in the page's thread."""
        self._gauge(name, text).set_function(value)

    def show_process(self, namespace: str, pid: Callable[[], int | None]) -> None:
        """Memory, processor time and open files of another process, by `process`'s name (only on Linux)."""
        ProcessCollector(namespace=f"{PREFIX}_{namespace}", pid=lambda: pid() or -1, registry=self.registry)

    def call_refused(self, reason: str) -> None:
        """A call was turned away before it was read."""
        self._refusals.labels(reason).inc()

    def queue_changed(self, waiting_count: int) -> None:
        """As `JobWatcher.queue_changed`."""
        self._waiting.set(waiting_count)

    def batch_started(self, model: str, job_count: int, row_count: int) -> None:
        """As `JobWatcher.batch_started`."""
        self._batch_jobs.labels(self._known(model)).observe(job_count)
        self._batch_rows.labels(self._known(model)).observe(row_count)

    def job_started(self, model: str, waited_s: float) -> None:
        """As `JobWatcher.job_started`."""
        self._wait_s.labels(self._known(model)).observe(waited_s)

    def stage_ended(self, model: str, stage: str, duration_s: float) -> None:
        """As `JobWatcher.stage_ended`."""
        self._stage_s.labels(self._known(model), stage).observe(duration_s)

    def job_ended(self, model: str, code: str, reason: str, duration_s: float, sound_s: float) -> None:
        """As `JobWatcher.job_ended`."""
        known = self._known(model)
        self._jobs.labels(known, code, reason).inc()
        if code == "OK":
            self._job_s.labels(known).observe(duration_s)
            self._sound_s.labels(known).inc(sound_s)
            if sound_s > 0:
                self._factor.labels(known).observe(duration_s / sound_s)

    def job_refused(self, code: str, reason: str) -> None:
        """As `JobWatcher.job_refused`."""
        self._jobs.labels("", code, reason).inc()

    def frames_received(self, byte_count: int) -> None:
        """As `JobWatcher.frames_received`."""
        self._frames.labels("received").inc(byte_count)

    def frames_reused(self, byte_count: int) -> None:
        """As `JobWatcher.frames_reused`."""
        self._frames.labels("reused").inc(byte_count)

    def engine_lost(self, reason: str) -> None:
        """As `JobWatcher.engine_lost`."""
        self._losses.labels(reason).inc()

    def engine_started(self, duration_s: float) -> None:
        """As `JobWatcher.engine_started`."""
        self._starts.inc()
        self._start_s.set(duration_s)

    def _known(self, model: str) -> str:
        return model if model in self._model_names() else ""

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)
