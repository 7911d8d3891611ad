"""Calls side by side: each keeps to its core, and what they give comes in their order."""

from collections.abc import Iterator

import pytest
import torch

from diffava.cores import Cores


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def thread_count_where_it_computes() -> int:
    torch.ones(1 << 20).exp().sum()  # large enough for torch to divide it among threads
    return torch.get_num_threads()


def test_each_call_keeps_to_its_core_and_the_caller_keeps_all():
    """Four threads on two cores made a job of `mini` a seventh longer."""
    assert list(Cores().in_order([thread_count_where_it_computes] * 4)) == [1] * 4
    assert torch.get_num_threads() == 2


def test_results_come_in_the_order_of_the_calls():
    assert list(Cores().in_order(lambda n=n: n for n in range(20))) == list(range(20))
