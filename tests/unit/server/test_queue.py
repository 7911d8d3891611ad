import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffava_server.errors import QueueFullError
from diffava_server.jobs.idle import Activity
from diffava_server.jobs.queue import JobQueue


async def served_order(queue, tickets):
    """Serve everybody, one at a time, and return the tickets in the order of their turns."""
    order = []
    while len(order) < len(tickets):
        running = next(t for t in tickets if queue.is_running(t))
        order.append(running)
        queue.leave(running)
    return order


async def test_a_lone_job_has_its_turn_at_once():
    queue = JobQueue(4)
    with queue.enter("ada") as ticket:
        assert [p async for p in ticket.positions()] == []
        assert queue.is_running(ticket)
    assert not queue.is_busy


async def test_clients_take_turns_however_many_jobs_one_of_them_has():
    queue = JobQueue(10)
    a1, a2, a3 = (queue.enter("ada") for _ in range(3))
    b1, b2 = (queue.enter("bob") for _ in range(2))
    c1 = queue.enter("cy")
    assert await served_order(queue, [a1, a2, a3, b1, b2, c1]) == [a1, b1, c1, a2, b2, a3]


async def test_a_newcomer_waits_for_the_running_job_alone():
    queue = JobQueue(10)
    queue.enter("ada")
    queue.enter("ada")
    newcomer = queue.enter("bob")
    assert queue.position(newcomer) == 1


async def test_a_waiting_job_is_told_each_position_it_passes_through():
    queue = JobQueue(10)
    running, before = queue.enter("ada"), queue.enter("bob")
    ticket = queue.enter("cy")
    positions = ticket.positions()
    assert await anext(positions) == 2
    queue.leave(running)
    assert await anext(positions) == 1
    queue.leave(before)
    assert await anext(positions, "turn") == "turn"
    assert queue.is_running(ticket)


async def test_a_position_is_told_once_while_nothing_ahead_changes():
    queue = JobQueue(10)
    queue.enter("ada")
    positions = queue.enter("bob").positions()
    await anext(positions)
    queue.enter("cy")  # behind: changes nothing for bob
    waiting = asyncio.ensure_future(anext(positions))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_a_job_that_leaves_the_queue_lets_the_others_move_up():
    queue = JobQueue(10)
    queue.enter("ada")
    with queue.enter("bob"):
        last = queue.enter("cy")
        assert queue.position(last) == 2
    assert queue.position(last) == 1
    assert queue.waiting_count == 1


async def test_a_full_queue_refuses_with_the_numbers_and_takes_again_when_one_leaves():
    queue = JobQueue(1)
    running, waiting = queue.enter("ada"), queue.enter("bob")
    with pytest.raises(QueueFullError, match=r"1 jobs wait already .* try again"):
        queue.enter("cy")
    queue.leave(running)
    assert queue.is_running(waiting)
    queue.enter("cy")


async def test_a_queue_of_length_zero_still_runs_one_job():
    queue = JobQueue(0)
    queue.enter("ada")
    with pytest.raises(QueueFullError):
        queue.enter("ada")


async def test_leaving_twice_does_not_take_another_jobs_turn():
    queue = JobQueue(4)
    first, second, third = queue.enter("a"), queue.enter("b"), queue.enter("c")
    queue.leave(first)
    queue.leave(first)
    assert queue.is_running(second)
    assert not queue.is_running(third)


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


async def test_jobs_that_a_client_gave_up_do_not_count_against_its_next_one():
    queue = JobQueue(20)
    running = queue.enter("ada")
    for given_up in [queue.enter("bob") for _ in range(5)]:
        queue.leave(given_up)
    bob, cy = queue.enter("bob"), queue.enter("cy")
    queue.leave(running)
    assert queue.is_running(bob)
    assert queue.position(cy) == 1


@settings(deadline=None, derandomize=True)  # neither the machine's load nor chance decides
@given(st.lists(st.tuples(st.sampled_from(["ada", "bob", "cy"]), st.integers(0, 8))))
def test_whoever_comes_and_goes_one_job_runs_and_the_others_stand_in_line(moves):
    queue, live = JobQueue(5), []
    for client_id, place in moves:
        if place < len(live):
            queue.leave(live.pop(place))
        elif len(live) <= 5:
            live.append(queue.enter(client_id))
        waiting = [ticket for ticket in live if not queue.is_running(ticket)]
        assert len(waiting) == max(0, len(live) - 1)
        assert sorted(queue.position(ticket) for ticket in waiting) == list(range(1, len(live)))
    for ticket in live:
        queue.leave(ticket)
    assert not queue.is_busy
    newcomers = [queue.enter("ada"), queue.enter("ada"), queue.enter("bob")]
    assert queue.position(newcomers[1]) == 2, "nobody's past counts against anybody"
