"""A whole small training on drawn scenes: prepare, train alignment, train control, on one process and on two.

Scenes with sound are written as movies; from there on everything is done by the commands that a user types. Reported
are eq. 2's loss at the start, beside T·log B, which it has where no sound is nearer to its own prompt than to
another's; the loss afterwards; how often the aligned prompt of a clip of unseen recordings finds its sound among all of
them, beside the prompt alone; the denoising loss with control, without it, and with pictures exchanged; how far two
processes are from one; and whether a run that was killed ends on the weights of one that was not.

    python tests/benchmarks/training.py --recordings FOLDER --model mini --clips 320 --work FOLDER
"""

import argparse
import csv
import json
import math
import random
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from diffava.scenes.render import render
from diffava.sounds.captions import caption
from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.recordings import read_recordings
from diffava.sounds.takes import load_takes
from support.movies import write_movie

CLIP_S = 5.12
VAGUE = 0.8  # of the captions leave to the picture what it is
CAPTIONS = 4
DIFFAVA = str(Path(sys.executable).with_name("diffava"))
LAUNCH = [str(Path(sys.executable).with_name("accelerate")), "launch", "--multi_gpu", "--num_processes", "2"]
LAUNCH += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--no_python"]


def draw_library(folder: Path, library: Any, split: Any, count: int, first_seed: int) -> None:
    """Scenes as movies, with a table of captions; what is there already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        clip = draw_clip(library, split, CLIP_S, first_seed + number)
        rng = np.random.default_rng((1, first_seed + number))
        path = folder / f"{number:05d}.mkv"
        rows += [(path.name, caption(clip.score, rng, vague=VAGUE)) for _ in range(CAPTIONS)]
        if not path.exists():
            rgb = render(clip.score, Fraction(25), 96, unseen=split == "held_out")
            unfinished = path.with_suffix(".part.mkv")
            write_movie(unfinished, rgb, Fraction(25), waveform_of(clip, library))
            unfinished.replace(path)
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "caption"), *rows])


def diffava(*words: object, launch: tuple[str, ...] = ()) -> dict[str, Any]:
    """A command's JSON line, and how long it took."""
    command = [*launch, DIFFAVA, *map(str, words), "--json"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-4000:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**told, "seconds": round(time.monotonic() - began, 1)}


def killed(words: list[object], state: Path, rng: random.Random) -> int:
    """Start a command, and kill -9 it somewhere behind its first checkpoint; the step that it had reached."""
    with subprocess.Popen([DIFFAVA, *map(str, words)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not state.exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
    return int(torch.load(state, weights_only=True)["step"])


def losses(run: Path, log: str = "log.csv") -> list[dict[str, str]]:
    with (run / log).open() as file:
        return list(csv.DictReader(file))


def largest_difference(one: Path, other: Path) -> float:
    a, b = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--clips", type=int, default=320)
    parser.add_argument("--held-out", type=int, default=96)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--control-steps", type=int, default=60)
    return parser.parse_args()


def main() -> None:
    options = read_options()
    work, model = options.work, options.model
    library = load_takes(read_recordings(options.recordings), work / "takes")
    for split, count, seed in (("generator", options.clips, 90_000_000), ("held_out", options.held_out, 95_000_000)):
        draw_library(work / "scenes" / split, library, split, count, seed)
        words = ("train", "prepare", "folder", work / "scenes" / split, "--model", model, "--for-control", "--clip-s")
        print(split, diffava(*words, CLIP_S, "--out", work / "prepared" / split), flush=True)
    for old in ("models", "runs"):
        shutil.rmtree(work / old, ignore_errors=True)

    def train(part: str, name: str, *more: object, **launch: Any) -> dict[str, Any]:
        return diffava(*words_of(part, name, *more), **launch)

    def words_of(part: str, name: str, *more: object) -> list[object]:
        data = ["--data", work / "prepared/generator", "--validation", work / "prepared/held_out"]
        return ["train", part, *data, "--out", work / "models" / name, "--runs", work / "runs" / name, *more]

    batch, seconds = 64, math.floor(CLIP_S)
    aligned = ["--model", model, "--recipe", "diffava-small", "--set", f"step_count={options.steps}"]
    aligned += ["--set", f"batch_size={batch}", "--set", "mean_over_time=false", "--set", "validations=10"]
    result: dict[str, Any] = {"t_log_b": seconds * math.log(batch)}
    result["alignment"] = train("alignment", "alignment", *aligned)
    rows = losses(work / "runs/alignment")
    result["loss_first"], result["loss_last"] = float(rows[0]["loss"]), float(rows[-1]["loss"])

    exact = [*aligned, "--set", "dropout=0.0", "--set", "step_count=20", "--set", "validations=4"]
    train("alignment", "one", *exact)
    train("alignment", "two", *exact, launch=tuple(LAUNCH))
    result["two_processes_off_by"] = largest_difference(work / "runs/one", work / "runs/two")
    resumed = [*aligned, "--set", "step_count=60", "--set", "validations=20", "--set", "keep_best="]
    train("alignment", "whole", *resumed)
    result["killed_at_steps"] = [
        killed(words_of("alignment", "killed", *resumed), work / "runs/killed/state.pt", random.Random(k))
        for k in range(2)
    ]
    train("alignment", "killed", *resumed)
    result["killed_off_by"] = largest_difference(work / "runs/whole", work / "runs/killed")
    result["killed_same_log"] = losses(work / "runs/whole") == losses(work / "runs/killed")

    control = ["--weights", work / "models/alignment", "--recipe", "t2av-small", "--set"]
    control += [f"step_count={options.control_steps}"]
    result["control"] = train("control", "control", *control)
    for name, value in result.items():
        print(f"{name:24} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
