"""A job that was lost is asked for once more, and a full server for a while; what comes out is as if nothing was."""

import numpy as np
import pytest

from diffava_resolve.client.patient_client import PatientClient
from diffava_resolve.client.protocol import Started, Waiting
from diffava_resolve.client.scripted_client import SCRIPTED_MODEL, ScriptedClient
from diffava_resolve.errors import RequestError, ServerError
from diffava_resolve.session.running import running
from diffava_resolve.spec import FoleyJob

JOB = FoleyJob("steps", 150_000, (1, 2))
LOST = ServerError("The engine was lost.", retryable=True, reason="ENGINE_LOST", retry_delay_s=2.0)
FULL = ServerError("The queue is full.", retryable=True, reason="QUEUE_FULL", retry_delay_s=4.0)


class Failing(ScriptedClient):
    """Fails in one way after another, each after so many blocks of audio, and then no more."""

    def __init__(self, *failures):
        super().__init__()
        self.failures = list(failures)

    def generate(self, *arguments, **named):
        self.failure, self.fail_after_blocks = self.failures.pop(0) if self.failures else (None, 0)
        return super().generate(*arguments, **named)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now_s = 0.0

    def sleep(self, seconds):
        self.now_s += seconds


class Pictures:
    """A job's pictures, that count how often they were opened and closed."""

    sha256 = ""

    def __init__(self, count=25):
        self.count, self.opened, self.closed = count, 0, 0

    def __iter__(self):
        self.opened += 1
        try:
            for number in range(self.count):
                yield np.full((1, 18, 32, 3), 255 * (number == 9), np.uint8)
        finally:
            self.closed += 1


def made(client, pictures=None, clock=None, **patience):
    """The takes of the job, what was told, and how long it took."""
    events, clock = [], clock or Clock()
    patient = PatientClient(client, clock_s=lambda: clock.now_s, sleep_s=clock.sleep, **patience)
    with running(patient, JOB, pictures or Pictures(), None, None, events.append) as run:
        takes = [np.concatenate(list(blocks)) for _, blocks in run.takes()]
        assert run.result.model == SCRIPTED_MODEL
    return takes, [event for event in events if isinstance(event, Waiting)], clock.now_s


@pytest.mark.parametrize("blocks_before", [0, 1, 2, 3, 5])
def test_a_lost_job_is_asked_for_once_more_and_gives_the_same_samples(blocks_before):
    undisturbed, _, _ = made(ScriptedClient())
    pictures = Pictures()
    takes, waits, took_s = made(Failing((LOST, blocks_before)), pictures)
    assert all(np.array_equal(one, other) for one, other in zip(takes, undisturbed, strict=True))
    assert (pictures.opened, pictures.closed) == (2, 2)
    assert waits[0] == Waiting(2.0, "The engine was lost.")
    assert took_s == 2


def test_a_job_lost_twice_is_lost():
    client = Failing((LOST, 1), (LOST, 1))
    with pytest.raises(ServerError, match="engine was lost"):
        made(client)
    assert len(client.jobs) == 2


def test_what_cannot_help_is_not_tried():
    for error in (ServerError("It failed.", reason="ENGINE_FAILED"), RequestError("It cannot be.")):
        client = Failing((error, 0))
        with pytest.raises(type(error), match=str(error)):
            made(client)
        assert len(client.jobs) == 1


def test_a_full_server_is_asked_again_until_it_has_room():
    client = Failing((FULL, 0), (FULL, 0), (LOST, 1), (FULL, 0))
    _, waits, took_s = made(client)
    assert took_s == 4 + 4 + 2 + 4
    assert {wait.reason for wait in waits} == {"The queue is full.", "The engine was lost."}
    assert [wait.delay_s for wait in waits[:4]] == [4, 3, 2, 1]  # the person sees it count down


def test_patience_has_an_end():
    client = Failing(*[(FULL, 0)] * 20)
    clock = Clock()
    with pytest.raises(ServerError, match="queue is full"):
        made(client, clock=clock, patience_s=10.0)
    assert clock.now_s == 10


def test_no_server_can_make_the_client_wait_for_hours():
    late = ServerError("Later.", retryable=True, reason="ENGINE_DOWN", retry_delay_s=86_400)
    assert made(Failing((late, 0)))[2] == 30


def test_whoever_is_told_of_the_wait_may_call_the_job_off():
    def cancelled(event):
        if isinstance(event, Waiting):
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        running(PatientClient(Failing((FULL, 0))), JOB, Pictures(), None, None, cancelled) as run,
    ):
        list(run.takes())


def test_another_machine_that_makes_other_samples_is_not_mixed_with_the_first():
    class OtherSamples(Failing):
        def generate(self, job, *arguments, **named):
            other = FoleyJob(job.prompt, job.sample_count, (5, 6)) if self.jobs else job
            return super().generate(other, *arguments, **named)

    with pytest.raises(ServerError, match="did not arrive"):
        made(OtherSamples((LOST, 1)))


def test_pictures_that_the_server_forgot_are_sent():
    pictures = Pictures()
    pictures.sha256 = "ab" * 32
    forgotten = ServerError("The pictures are forgotten.", retryable=True, reason="PICTURE_FORGOTTEN")
    client = Failing((forgotten, 0))
    client.seen[pictures.sha256] = ()
    takes, _, took_s = made(client, pictures)
    assert np.flatnonzero(takes[0] == 1.0).tolist() == [9 * 6000]
    assert took_s == 0


def test_pictures_that_were_named_wrongly_are_sent_without_a_name():
    """The same file may decode to other bits on another machine that shares the memory."""

    class Strict(ScriptedClient):
        def generate(self, *arguments, frames_sha256="", **named):
            if frames_sha256:
                named["on_event"](Started())
                raise RequestError("The frames have another hash.")
            return super().generate(*arguments, **named)

    pictures = Pictures()
    pictures.sha256 = "ab" * 32
    takes, _, _ = made(Strict(), pictures)
    assert np.flatnonzero(takes[0] == 1.0).tolist() == [9 * 6000]
