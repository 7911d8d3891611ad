"""When a server that started itself may end."""

import asyncio

from diffava_server.jobs.idle import Activity


class HandClock:
    """A sleep that ends when the test says so."""

    def __init__(self):
        self.sleeps = []

    async def sleep(self, duration_s):
        self.sleeps.append(asyncio.Event())
        await self.sleeps[-1].wait()


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_idleness_is_counted_from_the_last_call_on():
    activity, clock = Activity(), HandClock()
    waiting = asyncio.ensure_future(activity.wait_idle(600, clock.sleep))
    await turns()
    with activity.call():
        clock.sleeps[0].set()
        await turns()
        assert len(clock.sleeps) == 1, "no time runs while a call is in flight"
    await turns()
    with activity.call():
        pass
    clock.sleeps[1].set()
    await turns()
    assert not waiting.done(), "a call came meanwhile"
    clock.sleeps[2].set()
    await waiting
