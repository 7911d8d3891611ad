"""T2AV's comparison of its four condition operators, on our own clips.

Each begins from the same trained denoiser, which stays frozen as in T2AV, with a fresh operator and a fresh control
branch, and learns for the same number of steps. Reported is the flow-matching loss of controlled clips of unseen
recordings and unseen scenes; the same with every picture exchanged for another clip's, which says how much the operator
listens to the picture; and the same without control.

    python tests/benchmarks/operators.py runs/mini --model diffava/weights/mini --steps 150
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from diffava.builders import load
from diffava.condition.control_sequence import ControlSequence
from diffava.condition.operators import OPERATORS
from diffava.latent.control import ControlBranch
from diffava.pipeline import FoleyPipeline
from diffava.training.clip_bank import ClipBank
from diffava.training.generator import Batch, GeneratorModel, GeneratorTask

RATE = 5e-4
ROUNDS = 4  # draws of noise and conditions for each held-out clip


def begin(pipeline: FoleyPipeline, operator: str) -> GeneratorModel:
    config = pipeline.config
    assert config.control is not None
    assert config.control.block_count is not None
    torch.manual_seed(0)
    section = config.control.model_copy(update={"operator": operator})
    sequence = ControlSequence(section, config.clap.projection_dim, config.vae_factor)
    denoiser = pipeline.parts["transformer"]
    branch = ControlBranch(denoiser, sequence.dim, config.control.block_count).requires_grad_(True)
    return GeneratorModel(denoiser, branch, sequence)


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


def compare(run: Path, pipeline: FoleyPipeline, operator: str, steps: int) -> dict[str, float]:
    model, alignment = begin(pipeline, operator), pipeline.parts["alignment"]
    names = ("sound", "text", "audio", "picture")
    seen, held_out = (ClipBank(*(run / "banks" / f"{name}-{kind}" for name in names)) for kind in ("seen", "held"))
    empty = torch.zeros(pipeline.config.clap.projection_dim)
    task = GeneratorTask(model, seen, held_out, empty, seen=seen, alignment=alignment)
    with torch.no_grad():
        without = held_out_loss(task, held_out, exchanged=False)  # what a fresh branch adds is zero
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE, betas=(0.9, 0.98))
    for step in range(steps):
        torch.manual_seed(step)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        with torch.autocast("cpu", torch.bfloat16):
            loss = task.loss(task.batch(step))["controlled"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        right = held_out_loss(task, held_out, exchanged=False)
        wrong = held_out_loss(task, held_out, exchanged=True)
    figures = {"without": without, "held_out": right, "pictures_exchanged": wrong}
    return {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a training, with its banks")
    parser.add_argument("--model", type=Path, required=True, help="the folder of a trained model")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--only", choices=list(OPERATORS), default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for operator in OPERATORS if arguments.only is None else (arguments.only,):
        found[operator] = compare(arguments.run, load(arguments.model), operator, arguments.steps)
        print(operator, found[operator], flush=True)
    print(json.dumps({"steps": arguments.steps, **found}))


if __name__ == "__main__":
    main()
