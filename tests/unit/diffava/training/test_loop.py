"""The training loop on a line that is fitted: it learns, resumes exactly, and keeps a run's plan."""

import csv
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from diffava.errors import DataError
from diffava.training.loop import LOG, Plan, load_weights, train

PLAN = Plan(step_count=40, learning_rate=0.05, warmup_steps=2, checkpoint_every=10, validate_every=20, log_every=5)


class Line:
    """y = 3 x + 1 with dropout, so that a resumed run shows whether randomness is resumed too."""

    def __init__(self, stop_at=None):
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.stop_at = stop_at

    def batch(self, step):
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = torch.linspace(-1, 1, 16)[:, None] * (1 + step % 3)
        return x, 3 * x + 1

    def loss(self, batch):
        return {"loss": (self.module(batch[0]) - batch[1]).square().mean()}

    def validate(self):
        assert not self.module.training
        x = torch.linspace(-1, 1, 5)[:, None]
        return {"error": float((self.module(x) - (3 * x + 1)).abs().mean())}


def run(folder, stop_at=None, plan=PLAN):
    return load_file(train(Line(stop_at), folder, plan, lambda _: None))


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_it_learns_and_logs(tmp_path):
    run(tmp_path)
    losses = [float(row["loss"]) for row in rows(tmp_path / LOG)]
    assert len(losses) == 8
    assert losses[-1] < losses[0] / 4
    assert [row["step"] for row in rows(tmp_path / f"validation-{LOG}")] == ["20", "40"]


def test_a_killed_run_goes_on_to_the_same_weights_and_losses(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", stop_at=20)
    resumed = run(tmp_path / "killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert rows(tmp_path / "whole" / LOG) == rows(tmp_path / "killed" / LOG)


def test_a_folder_with_another_plan_is_left_alone(tmp_path):
    before = run(tmp_path)
    with pytest.raises(DataError, match="a run whose learning_rate differ"):
        run(tmp_path, plan=replace(PLAN, learning_rate=0.1))
    line = Line()
    load_weights(line.module, tmp_path / "model.safetensors")
    assert all(torch.equal(before[name], value) for name, value in line.module.state_dict().items())
