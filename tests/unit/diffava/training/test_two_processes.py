"""The same training on one process and on two that `accelerate launch` starts: the same curve and the same weights."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from diffava.training.corpora.corpus import Clip
from diffava.training.prepared.media import Media
from diffava.training.prepared.preparation import prepare
from diffava.training.run_folder import LOG
from support import two_processes

SECONDS = 3


class Corpus:
    info = {"corpus": "random", "licence": "none"}  # noqa: RUF012  # a test's constant
    missing = ()

    def clips(self, clip_s):
        return (Clip(f"{k}", f"{k}", Path(str(k)), 0.0, clip_s, ("",)) for k in range(60))


class Encoder:
    key = {"model": "random"}  # noqa: RUF012
    clip_s = 3.0

    def encode(self, media, captions):
        rng = np.random.default_rng(int(media.samples[0]))
        drawn = {name: rng.standard_normal((SECONDS, two_processes.DIM)) for name in ("seconds", "video")}
        drawn["captions"] = rng.standard_normal((2, two_processes.DIM))
        present = np.arange(SECONDS) < rng.integers(1, SECONDS + 1)  # some clips are shorter
        return {name: values.astype(np.float16) for name, values in drawn.items()} | {"present": present}


def launched(*words):
    accelerate = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    accelerate += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *accelerate, two_processes.__file__, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=240)


def rows(folder, name):
    with (folder / name).open() as file:
        return [[float(value) for value in row.values()] for row in csv.DictReader(file)]


def test_two_processes_train_what_one_does(tmp_path):
    def read(clip):
        return Media(np.zeros((1, 2, 2, 3), np.uint8), np.array([int(clip.clip_id)], np.float32))

    prepare(Corpus(), Encoder(), read, tmp_path / "prepared", clips_a_shard=16)
    alone = load_file(two_processes.run(tmp_path / "prepared", tmp_path / "one"))
    answer = launched(tmp_path / "prepared", tmp_path / "two")
    assert answer.returncode == 0, answer.stderr[-2000:]
    together = load_file(tmp_path / "two" / "model.safetensors")
    for name in alone:
        one, two = alone[name], together[name]
        if name.endswith("in_proj_bias"):  # attention does not hear its keys' bias: that moves by rounding errors alone
            one, two = (torch.cat([bias.chunk(3)[0], bias.chunk(3)[2]]) for bias in (one, two))
        torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-4)  # sums in another order, through eight steps
    for log in (LOG, f"validation-{LOG}"):
        np.testing.assert_allclose(rows(tmp_path / "one", log), rows(tmp_path / "two", log), rtol=1e-5, atol=1e-6)
