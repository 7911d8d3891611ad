"""How often one client may call."""

import pytest

from diffava_server.errors import RateLimitError
from diffava_server.rpc import call_limits
from diffava_server.rpc.call_limits import CallLimits


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def calls_let_in(limits, identity, count):
    passed = 0
    for _ in range(count):
        try:
            with limits.entered(identity):
                passed += 1
        except RateLimitError:
            pass
    return passed


def test_a_minutes_calls_pass_at_once_and_then_as_many_as_time_goes_by(clock):
    limits = CallLimits(60, 10, clock)
    assert calls_let_in(limits, "ada", 100) == 60
    clock.now_s += 5
    assert calls_let_in(limits, "ada", 100) == 5
    clock.now_s += 3600
    assert calls_let_in(limits, "ada", 100) == 60


def test_one_clients_calls_do_not_count_for_another(clock):
    limits = CallLimits(60, 10, clock)
    assert calls_let_in(limits, "ada", 100) == 60
    assert calls_let_in(limits, "bob", 1) == 1


def test_the_refusal_says_when_the_next_call_may_pass(clock):
    limits = CallLimits(6, 10, clock)
    calls_let_in(limits, "ada", 6)
    with pytest.raises(RateLimitError, match="more than 6 times in a minute") as caught, limits.entered("ada"):
        pass
    assert caught.value.retry_delay_s == pytest.approx(10)
    clock.now_s += caught.value.retry_delay_s
    assert calls_let_in(limits, "ada", 2) == 1


def test_open_calls_are_counted_while_they_last(clock):
    limits = CallLimits(60, 2, clock)
    with limits.entered("ada"), limits.entered("ada"):
        with pytest.raises(RateLimitError, match="2 calls of this client are open"), limits.entered("ada"):
            pass
        with limits.entered("bob"):
            pass
    with limits.entered("ada"):
        pass


def test_invented_clients_do_not_fill_the_memory_and_those_with_open_calls_are_kept(clock, monkeypatch):
    monkeypatch.setattr(call_limits, "MAX_REMEMBERED_CLIENTS", 10)
    limits = CallLimits(60, 1, clock)
    with limits.entered("ada"):
        for number in range(1000):
            calls_let_in(limits, number, 1)
        assert len(limits._clients) <= 12
        assert calls_let_in(limits, "ada", 1) == 0
