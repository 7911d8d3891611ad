"""Whose turn it is, and how long it takes until then."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffava_server.jobs.pace import Pace
from diffava_server.jobs.turns import Turns


def serve(turns, *batch):
    turns.take(batch)
    turns.done()


def served(turns):
    """Serve everybody, one at a time, and return them in the order of their turns."""
    order = []
    while waiting := turns.order():
        serve(turns, waiting[0])
        order.append(waiting[0])
    return order


def test_clients_take_turns_however_many_jobs_one_of_them_has():
    turns = Turns()
    a1, a2, a3 = (turns.enter("ada", 8) for _ in range(3))
    b1, b2 = (turns.enter("bob", 8) for _ in range(2))
    c1 = turns.enter("cy", 8)
    assert served(turns) == [a1, b1, c1, a2, b2, a3]


def test_a_newcomer_waits_for_the_running_job_alone():
    turns = Turns()
    running, *later = [turns.enter("ada", 8) for _ in range(40)]
    turns.take([running])
    newcomer = turns.enter("bob", 8)
    turns.done()
    assert turns.order() == [newcomer, *later]


@pytest.mark.parametrize("owner", ["ada", "bob"])
def test_a_short_preview_goes_before_a_long_job_also_before_its_own_clients(owner):
    turns = Turns()
    long = turns.enter("ada", 600)
    preview = turns.enter(owner, 2)
    assert served(turns) == [preview, long]


@pytest.mark.parametrize("client_id", [lambda _: "bob", lambda number: f"bob{number}"])
def test_a_long_job_is_not_passed_for_ever_not_even_by_newcomers_alone(client_id):
    turns = Turns()
    long = turns.enter("ada", 100)
    turns.enter("bob0", 10)
    served_before = 0
    while (first := turns.order()[0]) is not long:
        turns.take([first])
        turns.enter(client_id(served_before), 10)  # there is always another short one, and it comes meanwhile
        turns.done()
        served_before += 1
    assert served_before <= 2 * 100 / 10, "others have had little more of the engine than ada asks for"


def test_what_a_client_has_had_counts_against_its_next_job_and_not_against_another_ones():
    turns = Turns()
    turns.take([turns.enter("ada", 8)])
    again, newcomer = turns.enter("ada", 8), turns.enter("bob", 8)
    assert turns.order() == [newcomer, again]


def test_who_rides_along_pays_with_its_own_clients_time_and_does_not_move_the_clock():
    turns = Turns()
    front, mate = turns.enter("ada", 8), turns.enter("bob", 64)
    turns.take([front, mate])
    bob, cy = turns.enter("bob", 8), turns.enter("cy", 8)
    turns.done()
    assert served(turns) == [cy, bob]


def test_jobs_that_a_client_gave_up_do_not_count_against_its_next_one():
    turns = Turns()
    for given_up in [turns.enter("bob", 8) for _ in range(5)]:
        turns.leave(given_up)
        turns.leave(given_up)
    bob, cy = turns.enter("bob", 8), turns.enter("cy", 8)
    assert turns.order() == [bob, cy]


def test_an_idle_server_has_forgotten_who_was_there():
    turns = Turns()
    serve(turns, turns.enter("ada", 1000))
    ada, bob = turns.enter("ada", 8), turns.enter("bob", 8)
    assert turns.order() == [ada, bob]


JOBS = st.lists(
    st.tuples(st.sampled_from(["ada", "bob", "cy"]), st.integers(1, 500), st.integers(0, 3)), min_size=1, max_size=60
)


@settings(deadline=None, derandomize=True)  # neither the machine's load nor chance decides
@given(JOBS)
def test_no_client_falls_behind_another_by_more_than_one_job_of_each(jobs):
    """The bound of fair queuing: while two clients both wait, neither gets more than a longest job of both ahead."""
    turns, had = Turns(), {"ada": 0.0, "bob": 0.0, "cy": 0.0}
    largest = max(cost for _, cost, _ in jobs)
    waiting_since = {}
    for client_id, cost, serve_count in [*jobs, *[("ada", 1, 9)] * 10]:
        turns.enter(client_id, cost)
        for _ in range(serve_count):
            for turn in turns.order():
                waiting_since.setdefault(turn.client_id, dict(had))
            if order := turns.order():
                serve(turns, order[0])
                had[order[0].client_id] += order[0].cost
            still = {turn.client_id for turn in turns.order()}
            waiting_since = {client: since for client, since in waiting_since.items() if client in still}
            for client, since in waiting_since.items():
                for other, other_since in waiting_since.items():
                    begun = since if sum(since.values()) > sum(other_since.values()) else other_since
                    ahead = (had[other] - begun[other]) - (had[client] - begun[client])
                    assert ahead <= 3 * largest


@settings(deadline=None, derandomize=True)
@given(JOBS)
def test_everybody_is_served_once_and_of_one_client_the_shorter_of_two_that_came_together_first(jobs):
    turns = Turns()
    entered = [turns.enter(client_id, cost) for client_id, cost, _ in jobs]
    order = served(turns)
    assert sorted(order, key=lambda turn: turn.number) == entered
    for client_id in ("ada", "bob", "cy"):
        costs = [turn.cost for turn in order if turn.client_id == client_id]
        assert all(a <= b for a, b in pairwise(costs))


def test_the_pace_of_a_model_is_known_after_its_first_batch_and_follows_the_latest():
    pace = Pace()
    assert pace.duration_s("mini", 8) is None
    pace.note("mini", cost=8, duration_s=4)
    assert pace.duration_s("mini", 16) == pytest.approx(8)
    for _ in range(20):
        pace.note("mini", cost=8, duration_s=16)
    assert pace.duration_s("mini", 8) == pytest.approx(16, rel=0.01)
    assert pace.duration_s("nano", 8) is None
