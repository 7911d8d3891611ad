"""The judge: what it hears, that it learns, that it is kept, and that its data are a function of their seed."""

import numpy as np
import pytest
import torch

from diffava.errors import CheckpointError
from diffava.evaluation.judge import Hearing, Judge, heard_by, load_judge, save_judge
from diffava.evaluation.judge_training import JudgePlan, JudgeTask, fingerprint, held_out_clips, judged_kinds
from diffava.sounds.takes import TakeLibrary
from support.toy_sounds import KINDS

PLAN = JudgePlan("b", ("judge",))


def test_neither_level_nor_a_floor_of_minus_70_db_can_be_heard():
    clip = np.zeros(96_000, np.float32)
    clip[24_000:60_000] = np.sin(np.arange(36_000) * 0.1)
    hearing = Hearing()
    floor = (10 ** (-70 / 20) * np.random.default_rng(0).standard_normal(len(clip))).astype(np.float32)
    assert torch.allclose(hearing(0.01 * clip), hearing(clip), atol=2e-3)
    assert float((hearing(clip + floor) - hearing(clip)).abs().mean()) < 0.02
    assert hearing(clip).shape == (512, 80)
    assert float(hearing(np.zeros(10, np.float32)).max()) == 1  # silence is even, not an error


def test_a_judge_learns_kinds_from_some_sessions_and_knows_them_in_others(jury):
    clips, labels = held_out_clips(jury.library, jury.kinds, 4)
    probabilities, features = heard_by(jury.a, clips)
    assert (probabilities.argmax(1) == labels).mean() >= 0.75
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert features.shape == (len(clips), 128)


def test_only_kinds_with_three_sessions_in_every_split_are_judged(library):
    assert set(judged_kinds(library)) == set(KINDS)
    fewer = tuple(take for take in library.takes if take.origin != "rain-judge-0")
    assert "rain" not in judged_kinds(TakeLibrary(library._samples, fewer))


def test_batches_are_a_function_of_plan_and_step(library):
    one, other = (JudgeTask(library, PLAN, clips_per_kind=1) for _ in range(2))
    for ours, theirs in zip(one.batch(3), other.batch(3), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(one.batch(3)[0], one.batch(4)[0])
    assert torch.allclose(one.batch(3)[1].sum(1), torch.ones(32))


def test_a_kept_judge_says_the_same_and_a_damaged_one_says_what_to_do(jury, tmp_path):
    path = tmp_path / "judge.safetensors"
    save_judge(jury.a, path)
    clips, _ = held_out_clips(jury.library, jury.kinds, 1)
    assert np.array_equal(heard_by(load_judge(path), clips)[0], heard_by(jury.a, clips)[0])
    path.write_bytes(b"no judge")
    with pytest.raises(CheckpointError, match="remove it"):
        load_judge(path)


def test_another_plan_or_other_recordings_are_another_judge(library):
    fewer = TakeLibrary(library._samples, library.takes[1:])
    names = {fingerprint(library, PLAN), fingerprint(fewer, PLAN), fingerprint(library, JudgePlan("b", ("judge",), 7))}
    assert len(names) == 3


def test_a_judge_gives_a_logit_for_each_kind():
    assert Judge(("a", "b", "c"))(torch.zeros(2, 512, 80)).shape == (2, 3)
