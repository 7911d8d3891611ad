"""A server under more than it can do at once: a crowd (case 3), an engine that dies all the time (8), spoilt messages.

The full forms, with what they measured, are in `tests/benchmarks/serving.py`. Bounds here are wide: other tests run
beside these.
"""

import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from support.server import server_config
from support.serving import messages
from support.serving.crowd import crowd
from support.serving.kills import killed
from support.serving.spoilt_calls import spoilt_calls

BUSY_MACHINE = 10  # how much slower other tests may make everything


def test_case_03_500_clients_at_once_are_all_served_or_refused_in_time(tmp_path):
    figures = crowd(tmp_path, 500)
    assert (figures["done"], figures["lost"], figures["hung"], figures["untyped"]) == (500, 0, 0, 0), figures["faults"]
    assert set(figures["attempts_refused"]) == {"QUEUE_FULL"}
    assert figures["refusal_s"]["p99"] < 1 * BUSY_MACHINE
    assert figures["health_s"]["p99"] < 0.05 * BUSY_MACHINE
    assert figures["health_failed"] == 0
    assert figures["parent_up_mib"] < 100


@pytest.mark.skipif(sys.platform == "win32", reason="counts on signals of POSIX")
def test_case_08_an_engine_killed_again_and_again_loses_no_request_and_changes_no_sample(tmp_path):
    figures = killed(tmp_path, duration_s=6, interval_s=2, pause_s=0.1)
    assert figures["kills"] >= 1
    assert (figures["lost"], figures["hung"], figures["untyped"], figures["refused"]) == (0, 0, 0, 0), figures["faults"]
    assert figures["done"] == figures["requests"] == figures["compared"] > 0
    assert figures["different"] == 0


def test_each_of_many_spoilt_requests_gets_an_answer_that_a_client_can_act_on(tmp_path):
    told = spoilt_calls(tmp_path, range(300))
    assert told["untyped"] == 0, told["answers"]
    assert told["engine_survived"]
    assert set(told["answers"]) == {"WELL", "INVALID_REQUEST", "LIMIT_EXCEEDED", "UNKNOWN_MODEL"}
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert log.replace("\n", "").isprintable()  # whatever clients call their models


@hypothesis.settings(max_examples=500, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(chance=st.randoms(use_true_random=False))
def test_the_validators_refuse_or_take_whatever_comes(tmp_path_factory, chance):
    answer = messages.answer(messages.mutated(chance), server_config(tmp_path_factory.getbasetemp(), **messages.LIMITS))
    known = {"INVALID_REQUEST", "LIMIT_EXCEEDED", "UNKNOWN_MODEL", messages.WELL, messages.UNDECODABLE}
    assert answer in known
