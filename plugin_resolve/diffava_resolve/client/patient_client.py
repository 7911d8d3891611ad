"""A `FoleyClient` that asks again: once for a job that was lost, and for a while where the server cannot take it yet.

The same request gives the same samples, so what has arrived before is kept and the rest is taken from the next attempt;
`RunningJob` compares the whole with the hash that the server names. Knows no gRPC.
"""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from diffava_resolve.client.protocol import (
    AudioBlock,
    Event,
    FoleyClient,
    NoMemory,
    PictureMemory,
    Rgb,
    Samples,
    ServerInfo,
    Started,
    Waiting,
)
from diffava_resolve.errors import RequestError, ServerError
from diffava_resolve.spec import FoleyJob, JobResult, ModelInfo

PATIENCE_S = 600.0
_NOT_NOW = {"QUEUE_FULL", "RATE_LIMITED", "ENGINE_DOWN"}  # the job was not begun, so that it cannot be to blame
_FORGOTTEN = "PICTURE_FORGOTTEN"
_USUAL_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0
_TELL_EVERY_S = 1.0


@dataclass
class PatientClient:
    """Asks `inner` again where that may help; whoever listens to events is told before each wait.

    `patience_s` is how long a server that is full or has no engine is asked again, from its first refusal on.
    """

    inner: FoleyClient
    patience_s: float = PATIENCE_S
    memory: PictureMemory = field(default_factory=NoMemory)
    clock_s: Callable[[], float] = time.monotonic
    sleep_s: Callable[[float], None] = time.sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go, if there is one."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    def info(self) -> ServerInfo:
        """See `FoleyClient.info`."""
        return self.inner.info()

    def models(self) -> tuple[ModelInfo, ...]:
        """See `FoleyClient.models`."""
        return self.inner.models()

    def generate(
        self,
        job: FoleyJob,
        frames: Iterable[Rgb] | None,
        kept_audio: Iterable[Samples] | None = None,
        performance: Iterable[Samples] | None = None,
        *,
        frames_sha256: str = "",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Generator[AudioBlock, None, JobResult]:
        """Run one job; see `FoleyClient.generate`. A source that cannot be opened twice cannot be sent twice.

        Raises:
            ServerError: Asking again did not help, or cannot.
        """
        arrived = _Arrived()
        may_repeat = True
        refused_since_s: float | None = None
        named = {"frames_sha256": frames_sha256} if frames_sha256 else {}
        has_started = False

        def note(event: Event) -> None:
            nonlocal has_started
            has_started |= isinstance(event, Started)
            on_event(event)

        while True:
            try:
                attempt = self.inner.generate(job, frames, kept_audio, performance, **named, on_event=note)
                return (yield from arrived.beyond(attempt))
            except RequestError:
                # What was named is not what was sent: decoded on another machine, another number of the same name.
                if not (named and has_started):
                    raise
                named = {}
            except ServerError as error:
                delay_s = min(_USUAL_DELAY_S if error.retry_delay_s is None else error.retry_delay_s, _LONGEST_DELAY_S)
                if error.reason == _FORGOTTEN and named:
                    named, delay_s = {}, 0.0
                elif error.reason in _NOT_NOW:
                    now_s = self.clock_s()
                    refused_since_s = now_s if refused_since_s is None else refused_since_s
                    left_s = refused_since_s + self.patience_s - now_s
                    if left_s <= 0:
                        raise
                    delay_s = min(delay_s, left_s)
                elif error.retryable and may_repeat:
                    may_repeat = False
                else:
                    raise
                self._wait(delay_s, str(error), on_event)

    def _wait(self, delay_s: float, reason: str, on_event: Callable[[Event], None]) -> None:
        """Wait, and tell again and again how long: whoever is told may call it off."""
        until_s = self.clock_s() + delay_s
        while (left_s := until_s - self.clock_s()) > 0:
            on_event(Waiting(left_s, reason))
            self.sleep_s(min(left_s, _TELL_EVERY_S))


class _Arrived:
    """What of a job has arrived already."""

    def __init__(self) -> None:
        self._take = 0
        self._next_sample = 0

    def beyond(self, attempt: Generator[AudioBlock, None, JobResult]) -> Generator[AudioBlock, None, JobResult]:
        """What an attempt gives beyond that."""
        try:
            while True:
                try:
                    block = next(attempt)
                except StopIteration as end:
                    result: JobResult = end.value
                    return result
                new = self._new_part(block)
                if new is not None:
                    yield new
        finally:
            attempt.close()

    def _new_part(self, block: AudioBlock) -> AudioBlock | None:
        stop_sample = block.first_sample + len(block.samples)
        if (block.take, stop_sample) <= (self._take, self._next_sample):
            return None
        skipped = max(self._next_sample - block.first_sample, 0) if block.take == self._take else 0
        self._take, self._next_sample = block.take, stop_sample
        if not skipped:
            return block
        return AudioBlock(block.take, block.first_sample + skipped, block.samples[skipped:])
