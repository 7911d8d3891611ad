"""When things move: contacts are exact, still parts are still."""

import numpy as np
import pytest

from diffava.scenes.timing import absence, contact_height, decay, running_s, sounding
from diffava.sounds.score import Hit

TIMES_S = np.arange(0, 4, 0.001)


def hits(*times_s: float) -> tuple[Hit, ...]:
    return tuple(Hit(time_s, 0.8, 0.5) for time_s in times_s)


@pytest.mark.parametrize("times_s", [(1.0,), (0.03, 0.19, 0.4), (1.0, 1.16, 3.0)])
def test_a_contact_is_at_the_hit_and_fastest_just_before_it(times_s):
    height = contact_height(TIMES_S, hits(*times_s))
    for time_s in times_s:
        at = round(time_s * 1000)
        assert height[at] == pytest.approx(0, abs=1e-6)
        before = max(0, at - 20)
        assert np.diff(height[before : at + 1]).max() < 0  # falls
        if at > 40:
            assert height[at - 20] - height[at] > height[at - 40] - height[at - 20]  # ever faster


def test_without_hits_nothing_moves():
    assert np.ptp(contact_height(TIMES_S, ())) == 0
    assert not sounding(TIMES_S, ()).any()
    assert not decay(TIMES_S, (), 0.1).any()


def test_a_call_lasts_as_long_as_its_sound():
    opened = sounding(TIMES_S, hits(1.0))
    assert not opened[:1000].any()
    assert opened[1100:1350].min() == pytest.approx(0.8)
    assert not opened[1501:].any()


def test_a_texture_stands_still_between_its_intervals():
    run_s = running_s(TIMES_S, ((0.5, 1.0), (2.0, 3.0)))
    assert run_s[1500] == run_s[1999] == pytest.approx(0.5)
    assert run_s[-1] == pytest.approx(1.5)


def test_a_source_is_wholly_there_in_its_interval_and_gone_soon_after():
    away = absence(TIMES_S, ((1.0, 2.0),), 0.15)
    assert not away[1000:2000].any()
    assert (away[:849] == 1).all()
    assert (away[2151:] == 1).all()
