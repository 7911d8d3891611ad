"""Damaged media give pictures or one sentence, in time, and bring nothing down. A thousand: tests/benchmarks."""

import pytest

from support.media_endings import decode_all


@pytest.mark.parametrize("seed", [1])
def test_fifty_mutilated_files_end_as_pictures_or_as_a_sentence(tmp_path, seed):
    endings = decode_all(tmp_path, range(50), seed)
    assert not endings.wrong
    assert endings.count.total() == 50
    assert 0 < endings.count["pictures"] < 50  # neither all harmless nor all hopeless
