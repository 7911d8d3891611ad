"""T2AV's comparison of its four condition operators, on our own clips.

Each begins from the same generator, trained without pictures, with a fresh operator, and goes on with pictures for the
same number of steps. Reported is the flow-matching loss of controlled clips of unseen recordings and unseen scenes; and
the same with every picture exchanged for another clip's, which says how much the operator listens to the picture.

    python tests/benchmarks/operators.py runs/mini --steps 150
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from diffava.condition.control_sequence import ControlSequence
from diffava.condition.operators import OPERATORS
from diffava.config import load_config
from diffava.model_parts import make_parts
from diffava.training.clip_bank import ClipBank
from diffava.training.generator import Batch, GeneratorModel, GeneratorTask

RATE = 5e-4
ROUNDS = 4  # draws of noise and conditions for each held-out clip


def begin(run: Path, operator: str) -> tuple[GeneratorModel, Any]:
    config = load_config("mini")
    torch.manual_seed(0)
    parts = make_parts(config)
    parts["alignment"].load_state_dict(load_file(run / "alignment" / "model.safetensors"))
    parts["alignment"].eval().requires_grad_(False)
    assert config.control is not None
    section = config.control.model_copy(update={"operator": operator})
    sequence = ControlSequence(section, config.clap.projection_dim, config.vae_factor)
    model = GeneratorModel(parts["transformer"], parts["control_branch"], sequence)
    weights = load_file(run / "sound" / "model.safetensors")
    weights = {name: value for name, value in weights.items() if not name.startswith("sequence.operator.")}
    model.load_state_dict(weights, strict=False)
    return model, parts["alignment"]


def held_out_loss(task: GeneratorTask, bank: ClipBank, *, exchanged: bool) -> float:
    total, count = 0.0, 0
    for number in range(ROUNDS * (len(bank) // 32)):
        rng = np.random.default_rng((9, number))
        rows = rng.choice(len(bank), 32, replace=False)
        torch.manual_seed(number)
        batch: Batch = task._read(bank, rows, rng)
        if exchanged and batch.tokens is not None:
            batch = replace(batch, tokens=batch.tokens.roll(1, 0))
        total += float(task.loss(batch)["controlled"])
        count += 1
    return total / count


def compare(run: Path, operator: str, steps: int, empty: torch.Tensor) -> dict[str, float]:
    model, alignment = begin(run, operator)
    banks = run / "banks"
    names = ("sound", "text", "audio", "picture")
    seen, held_out = (ClipBank(*(banks / f"{name}-{kind}" for name in names)) for kind in ("seen", "held"))
    task = GeneratorTask(model, seen, held_out, empty, seen=seen, alignment=alignment)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98))
    for step in range(steps):
        torch.manual_seed(step)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        with torch.autocast("cpu", torch.bfloat16):
            loss = task.loss(task.batch(step))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        right = held_out_loss(task, held_out, exchanged=False)
        wrong = held_out_loss(task, held_out, exchanged=True)
    return {"held_out": round(right, 4), "pictures_exchanged": round(wrong, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a training, with its banks and weights")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--only", choices=list(OPERATORS), default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    empty = torch.zeros(load_config("mini").clap.projection_dim)
    found = {}
    for operator in OPERATORS if arguments.only is None else (arguments.only,):
        found[operator] = compare(arguments.run, operator, arguments.steps, empty)
        print(operator, found[operator], flush=True)
    print(json.dumps({"steps": arguments.steps, **found}))


if __name__ == "__main__":
    main()
