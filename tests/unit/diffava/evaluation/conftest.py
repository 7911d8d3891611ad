"""A toy library, judges trained on it in seconds, and a held-out set of a few clips."""

import pytest

from diffava.evaluation.cases import HeldOutSet
from diffava.evaluation.judge_training import JudgePlan, JudgeTask
from diffava.evaluation.jury import Jury
from diffava.training.loop import load_weights, train
from diffava.training.plan import Plan
from support.toy_sounds import striped, toy_library


@pytest.fixture(scope="session")
def library():
    return toy_library()


@pytest.fixture(scope="session")
def held_out(library):
    return HeldOutSet(library, 8, striped)


@pytest.fixture(scope="session")
def jury(library, tmp_path_factory):
    task = JudgeTask(library, JudgePlan("a", ("generator", "judge")), clips_per_kind=5)
    schedule = Plan(45, learning_rate=4e-3, warmup_steps=4, average=0.8)
    load_weights(task.module, train(task, tmp_path_factory.mktemp("judge"), schedule, lambda _: None))
    task.judge.eval()
    return Jury(task.judge, task.judge, library, real_per_kind=2)
