"""Case 20, the short form: five minutes of mixed load, and the server holds what it held when it was warm.

The hour, with its figures, is `python tests/benchmarks/serving.py soak`. Nearly all of the time is waiting: the check
`soak` of `tests/check.py` runs beside the others.
"""

import pytest

from diffava_server.load.plan import LoadPlan
from support.serving.soak import GROWTH_LIMIT, soak

pytest.importorskip("psutil")
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

DURATION_S = 300.0
CANCELLATIONS = 2_000 * DURATION_S / 3_600


def test_case_20_memory_descriptors_and_threads_stay_where_they_were_once_warm(tmp_path):
    figures = soak(
        tmp_path,
        duration_s=DURATION_S,
        warm_up_s=90.0,
        level_s=60.0,
        engine={"step_s": 0.05, "step_count": 4},
        plan=LoadPlan(
            client_count=12,
            duration_s=DURATION_S,
            lengths_s=(1.0, 2.0, 4.0),
            cancel_share=0.3,
            pause_s=2.0,
        ),
    )
    assert (figures["lost"], figures["hung"], figures["untyped"]) == (0, 0, 0), figures["faults"]
    assert figures["cancelled"] >= CANCELLATIONS
    grown = {name: each for name, each in figures["holding"].items() if each["growth"] > GROWTH_LIMIT}
    assert not grown
