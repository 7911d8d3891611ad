"""The training loop on a line that is fitted: it learns, resumes exactly, keeps the best, and keeps a run's plan."""

import csv
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from diffava.errors import DataError
from diffava.training.loop import load_weights, train
from diffava.training.plan import Plan
from diffava.training.run_folder import EVENTS, LOG, STATE, WEIGHTS

PLAN = Plan(step_count=40, learning_rate=0.05, warmup_steps=2, checkpoint_every=10, validate_every=20, log_every=4)
VALIDATION = f"validation-{LOG}"


class Line:
    """y = 3 x + 1 with dropout, so that a resumed run shows whether randomness is resumed too."""

    def __init__(self, stop_at=None, errors=()):
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.stop_at, self.errors = stop_at, list(errors)

    def batch(self, number):
        if number == self.stop_at:
            raise KeyboardInterrupt
        x = torch.linspace(-1, 1, 16)[:, None] * (1 + number % 3)
        return x, 3 * x + 1

    def loss(self, batch):
        return {"loss": (self.module(batch[0]) - batch[1]).square().mean()}

    def validate(self):
        assert not self.module.training
        x = torch.linspace(-1, 1, 5)[:, None]
        error = self.errors.pop(0) if self.errors else float((self.module(x) - (3 * x + 1)).abs().mean())
        return {"error": error}


def run(folder, stop_at=None, plan=PLAN, **options):
    return load_file(train(Line(stop_at), folder, plan, lambda _: None, **options))


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_and_logs(tmp_path):
    run(tmp_path)
    losses = [float(row["loss"]) for row in rows(tmp_path / LOG)]
    assert len(losses) == 10
    assert losses[-1] < losses[0] / 4
    assert [row["step"] for row in rows(tmp_path / VALIDATION)] == ["20", "40"]


def test_tensorboard_can_read_the_curves(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_at=27)
    run(tmp_path)
    events = EventAccumulator(str(tmp_path / EVENTS)).Reload()
    logged = [(event.step, event.value) for event in events.Scalars("training/loss")]
    assert [step for step, _ in logged] == [int(row["step"]) for row in rows(tmp_path / LOG)]
    assert [value for _, value in logged] == pytest.approx([float(row["loss"]) for row in rows(tmp_path / LOG)])
    assert events.Scalars("validation/error")[-1].step == 40


@pytest.mark.parametrize("step", [5, 20, 27, 39])
def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_weights_and_losses(tmp_path, step):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", stop_at=step)
    assert same(whole, run(tmp_path / "stopped"))
    for log in (LOG, VALIDATION):
        assert rows(tmp_path / "whole" / log) == rows(tmp_path / "stopped" / log)


def test_a_run_killed_between_the_two_files_of_its_last_checkpoint_still_ends_on_its_weights(tmp_path):
    whole = run(tmp_path)
    half = {name: value / 2 for name, value in whole.items()}
    from safetensors.torch import save_file

    save_file(half, tmp_path / WEIGHTS)
    (tmp_path / f"{STATE}.unfinished").write_bytes(b"half a checkpoint")
    with (tmp_path / LOG).open("a") as log:
        log.write("44,0.")
    assert same(whole, run(tmp_path))
    assert len(rows(tmp_path / LOG)) == 10


def test_the_best_validated_weights_are_kept_also_through_a_stop(tmp_path):
    plan = replace(PLAN, keep_best="error", validate_every=10)

    def best(folder, *stops):
        errors = [3.0, 1.0, 2.0, 4.0]
        for stop in stops:
            with pytest.raises(KeyboardInterrupt):
                train(Line(stop, errors), folder, plan, lambda _: None)
            errors = errors[stop // 10 :]
        return load_file(train(Line(None, errors), folder, plan, lambda _: None))

    kept = best(tmp_path / "whole")
    at_20 = torch.load(tmp_path / "whole" / STATE, weights_only=True)["best"]
    assert at_20["step"] == 20
    assert same(kept, at_20["weights"])
    assert same(kept, best(tmp_path / "stopped", 30))
    assert not same(kept, run(tmp_path / "last"))


def test_a_figure_that_is_not_validated_cannot_be_kept_best(tmp_path):
    with pytest.raises(DataError, match="keep_best is 'loss', but validated are only error"):
        run(tmp_path, plan=replace(PLAN, keep_best="loss"))


def test_accumulated_micro_batches_are_one_batch(tmp_path):
    """Of equal halves, which a linear task without dropout cannot tell from the whole."""

    class Halves(Line):
        def __init__(self, parts):
            super().__init__()
            self.module, self.parts = nn.Linear(1, 1), parts

        def batch(self, number):
            step, part = divmod(number, self.parts)
            x, y = super().batch(step)
            return x[part :: self.parts], y[part :: self.parts]

    weights = [
        load_file(train(Halves(parts), tmp_path / str(parts), PLAN, lambda _: None, accumulate=parts))
        for parts in (1, 2)
    ]
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=1e-5)


def test_a_constant_rate_stays_and_a_cosine_ends_at_zero():
    assert [replace(PLAN, schedule="constant").rate(step) for step in (0, 2, 39)] == [0.5, 1, 1]
    assert PLAN.rate(40) == pytest.approx(0)


def test_a_folder_with_another_plan_is_left_alone(tmp_path):
    before = run(tmp_path)
    with pytest.raises(DataError, match="a run whose learning_rate differ"):
        run(tmp_path, plan=replace(PLAN, learning_rate=0.1))
    with pytest.raises(DataError, match="a run whose micro_batches differ"):
        run(tmp_path, accumulate=2)
    line = Line()
    load_weights(line.module, tmp_path / "model.safetensors")
    assert same(before, line.module.state_dict())
