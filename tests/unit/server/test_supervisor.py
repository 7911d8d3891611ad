"""What keeps the engine alive: new processes, pauses between them, and what is said meanwhile; with fake processes."""

import asyncio

import pytest
import structlog

from diffava_server.engine.deaths import Deaths
from diffava_server.engine.supervisor import SupervisedEngine
from diffava_server.errors import EngineDownError, EngineFailedError
from support.server import until


class AirProcess:
    """`EngineProcess` without a process: the test ends it."""

    def __init__(self, start_error=None):
        self.models, self.remembered, self.how_lost, self.pid = (), frozenset({"a picture"}), None, 7
        self.is_usable = False
        self.batches = []
        self._start_error = start_error
        self._gone = asyncio.Event()

    async def start(self):
        if self._start_error is not None:
            raise self._start_error
        self.is_usable = True

    async def run(self, seats):
        self.batches.append(seats)

    def lose(self, how):
        self.how_lost, self.is_usable = how, False
        self._gone.set()

    async def wait_gone(self):
        await self._gone.wait()
        return self.how_lost

    async def close(self):
        self.lose("closed")


class House:
    """A supervised engine with a clock in the test's hand, and all that it told."""

    def __init__(self):
        self.now_s = 0.0
        self.processes, self.start_errors = [], []
        self.health, self.told, self.sleeps = [], [], []
        self._awake = asyncio.Event()
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])
        self.engine = SupervisedEngine(
            self._make, self, log, self.health.append, clock_s=lambda: self.now_s, sleep=self._sleep
        )

    def _make(self):
        error = self.start_errors.pop(0) if self.start_errors else None
        self.processes.append(AirProcess(error))
        return self.processes[-1]

    async def _sleep(self, duration_s):
        self.sleeps.append(duration_s)
        if duration_s:
            await self._awake.wait()
            self._awake.clear()
            self.now_s += duration_s

    def wake(self):
        self._awake.set()

    def engine_lost(self, reason):
        self.told.append(reason)

    def engine_started(self, duration_s):
        self.told.append("started")

    async def lose(self, how="died"):
        self.processes[-1].lose(how)
        count = len(self.told)
        await until(lambda: len(self.told) > count)


@pytest.fixture
async def house():
    house = House()
    await house.engine.start()
    yield house
    await house.engine.close()


async def test_a_process_that_died_is_replaced_at_once_and_jobs_wait_for_the_new_one(house):
    await house.lose()
    await house.engine.wait_usable()
    assert house.sleeps == [0.0]
    assert house.told == ["started", "died", "started"]
    assert house.health == [True, True]
    assert house.engine.refusal() is None
    await house.engine.run(["a seat"])
    assert house.processes[1].batches == [["a seat"]]


async def test_what_a_lost_process_remembered_is_forgotten(house):
    assert house.engine.remembered == {"a picture"}
    house.processes[-1].lose("died")
    assert house.engine.remembered == frozenset()


async def test_the_third_death_in_a_row_is_said_until_a_start_succeeds(house):
    await house.lose()
    await house.engine.wait_usable()
    await house.lose()
    await until(lambda: house.sleeps == [0.0, 1.0])
    assert house.engine.refusal() is None, "two may be chance"
    assert house.health == [True, True]
    house.wake()
    await house.engine.wait_usable()
    await house.lose()
    await until(lambda: house.sleeps == [0.0, 1.0, 2.0])
    assert house.health[-1] is False
    refusal = house.engine.refusal()
    assert isinstance(refusal, EngineDownError)
    assert refusal.retryable
    assert refusal.retry_delay_s == 2.0
    assert "try again in 2 s" in str(refusal)
    house.wake()
    await house.engine.wait_usable()
    assert house.health[-1] is True
    assert house.engine.refusal() is None


async def test_a_process_that_cannot_be_started_again_is_tried_again_later(house):
    house.start_errors = [EngineFailedError("No memory."), EngineFailedError("No memory.")]
    await house.lose()
    for count in (2, 3):
        await until(lambda count=count: len(house.sleeps) == count)
        house.wake()
    await house.engine.wait_usable()
    assert house.told == ["started", "died", "not loaded", "not loaded", "started"]
    assert house.sleeps == [0.0, 1.0, 2.0]
    assert house.health == [True, False, True]


async def test_work_that_was_done_shows_that_the_next_start_need_not_wait(house):
    for _ in range(2):
        await house.engine.run([])
        await house.lose()
        await house.engine.wait_usable()
    assert house.sleeps == [0.0, 0.0]


@pytest.mark.parametrize("how", ["exhausted", "deaf"])
async def test_a_process_that_was_ended_for_good_reason_counts_for_nothing(house, how):
    for _ in range(4):
        await house.lose(how)
        await house.engine.wait_usable()
    assert house.sleeps == [0.0] * 4
    assert house.health == [True] * 5


def test_deaths_are_forgotten_after_a_while_and_pauses_have_a_bound():
    deaths = Deaths(max_count=3, window_s=600)
    for now_s in (0, 300, 599):
        deaths.note(now_s)
    assert deaths.are_too_many(599)
    assert not deaths.are_too_many(601)
    for now_s in range(20):
        deaths.note(1000 + now_s)
    assert deaths.delay_s == 30
    deaths.note_work()
    assert deaths.delay_s == 0
