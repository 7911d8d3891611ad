"""What a foreign file does to the process that decodes it ends as a sentence, and the next file is decoded as ever."""

import itertools
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from diffava_resolve.decoding.decoders import Decoders
from diffava_resolve.decoding.limits import Limits
from diffava_resolve.errors import MediaError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these limits")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems count no address space, or have no /proc")
SHORT = Limits(answer_s=0.5)


@pytest.fixture
def decoders():
    ours = Decoders(SHORT)
    yield ours
    ours.close()


def said(decoders, function, *arguments):
    with pytest.raises(MediaError) as caught:
        list(decoders.run(function, *arguments))
    assert list(decoders.run(range, 3)) == [0, 1, 2], "the next file suffers"
    return str(caught.value)


def test_arrays_and_values_come_back_as_they_were(decoders):
    arrays = [np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3), np.ones(5, "<f4"), np.zeros((0, 2, 2, 3), np.uint8)]
    back = list(decoders.run(iter, arrays))
    assert all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(arrays, back, strict=True))
    assert list(decoders.run(iter, [1, "two", None, [3.5]])) == [1, "two", None, [3.5]]


def test_a_crash_is_a_sentence(decoders):
    assert "brought its decoder down" in said(decoders, os.abort)


def test_a_process_that_hangs_is_ended(decoders):
    started_s = time.monotonic()
    assert "more than 0.5 s" in said(decoders, time.sleep, 60)
    assert time.monotonic() - started_s < 10


def test_a_process_that_counts_for_ever_is_ended(decoders):
    assert "more than 0.5 s" in said(decoders, max, itertools.count())


@LINUX
def test_memory_has_a_limit(decoders):
    assert "more memory" in said(decoders, bytes, 2 << 30)


@POSIX
def test_nothing_can_be_written(decoders, tmp_path):
    assert "File too large" in said(decoders, Path.write_text, tmp_path / "written", "x" * 100)
    assert (tmp_path / "written").read_bytes() == b""


@POSIX
def test_few_files_can_be_open_at_once(decoders):
    assert "Too many open files" in said(decoders, partial(map, os.dup), [2] * 100)


def test_a_defect_of_ours_is_a_sentence_too(decoders):
    assert "ValueError" in said(decoders, int, "x")


def test_a_consumer_may_take_its_time(decoders):
    """A full server holds the pictures back for as long as it likes."""
    numbers = decoders.run(range, 5)
    assert next(numbers) == 0
    threading.Event().wait(0.7)  # longer than the process may
    assert list(numbers) == [1, 2, 3, 4]


def test_closing_early_ends_the_process_and_the_next_one_works(decoders):
    numbers = decoders.run(itertools.count)
    next(numbers)
    numbers.close()
    assert list(decoders.run(range, 2)) == [0, 1]


def test_two_at_once_do_not_mix(decoders):
    one, two = decoders.run(range, 100), decoders.run(range, 1000, 1100)
    pairs = list(zip(one, two, strict=True))
    assert pairs == [(number, number + 1000) for number in range(100)]


def test_the_token_stays_outside(monkeypatch):
    monkeypatch.setenv("DIFFAVA_TOKEN", "secret")
    ours = Decoders()
    try:
        assert "secret" not in list(ours.run(partial(os.getenv, "DIFFAVA_TOKEN", "")))
    finally:
        ours.close()
