"""A small alignment trained on prepared clips, alone or as one of the processes that `accelerate launch` starts.

accelerate launch --multi_gpu --num_processes 2 tests/support/two_processes.py PREPARED RUN
"""

import sys
from pathlib import Path

import torch

from diffava.condition.alignment import Alignment
from diffava.config import AlignmentSection
from diffava.training.alignment import AlignmentTask
from diffava.training.loop import train
from diffava.training.plan import Plan
from diffava.training.prepared.batches import Feed, PreparedAlignmentData
from diffava.training.prepared.clips import PreparedClips
from diffava.training.processes import Processes

DIM, BATCH = 8, 16
PLAN = Plan(8, learning_rate=0.01, warmup_steps=0, checkpoint_every=4, validate_every=4, log_every=2)


def run(prepared: Path, folder: Path) -> Path:
    """Train in a folder; without dropout, whose masks hang on how a batch is shared out."""
    torch.manual_seed(0)
    section = AlignmentSection(hidden_size=8, num_layers=1, num_heads=1, dropout=0.0)
    feed = Feed(PreparedClips([prepared], 0.2), BATCH, Processes("cpu").count)
    task = AlignmentTask(Alignment(section, DIM, DIM), PreparedAlignmentData(feed))
    return train(task, folder, PLAN, lambda _: None, device="cpu")


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
