"""How many steps and how much guidance `mini` needs: what a judge recognises, and how well a performance is followed.

Prompts are the plain names of the judged kinds, performances are clips of training recordings with seeds of their own,
so nothing that the benchmark measures is looked at here.

    python tests/benchmarks/sampling.py FOLDER_OF_A_MODEL --data recordings --cache FOLDER_WITH_JUDGES
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from diffava.builders import load
from diffava.condition.timing_guide import energy_curve
from diffava.evaluation.benchmark import load_jury
from diffava.pipeline import FoleyPipeline
from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.kinds import kind_named
from diffava.sounds.recordings import read_recordings
from diffava.sounds.takes import load_takes
from diffava.spec import FoleyRequest

SAMPLES = 245_760
FIRST_SEED = 9_000_000
SETTINGS = ((4, 4.0), (6, 4.0), (10, 2.5), (10, 4.0), (10, 6.0), (10, 8.0), (20, 4.0))


def sound(pipeline: FoleyPipeline, request: FoleyRequest) -> torch.Tensor:
    return torch.cat([piece.samples for piece in pipeline.generate(request, [])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--per-kind", type=int, default=2)
    parser.add_argument("--performances", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    library = load_takes(read_recordings(arguments.data), arguments.cache)
    jury, pipeline = load_jury(library, arguments.cache), load(arguments.model)
    found = []
    for steps, guidance in SETTINGS:
        started = time.process_time()
        fields = {"step_count": steps, "guidance_scale": guidance}
        clips, labels = [], []
        for index, kind in enumerate(jury.kinds):
            for take in range(arguments.per_kind):
                phrase = kind_named(kind).phrases[take % len(kind_named(kind).phrases)]
                request = FoleyRequest(phrase, SAMPLES, seeds=(FIRST_SEED + take,), **fields)
                clips.append(sound(pipeline, request).numpy())
                labels.append(index)
        right = [np.mean(jury.named_right(judge, clips, np.array(labels))) for judge in (jury.a, jury.b)]
        follows = []
        for number in range(arguments.performances):
            clip = draw_clip(library, "generator", 5.12, FIRST_SEED + number)
            samples = torch.from_numpy(waveform_of(clip, library))
            phrase = kind_named(clip.score.sources[0].kind).phrases[0]
            made = sound(pipeline, FoleyRequest(phrase, SAMPLES, performance=samples, **fields))
            curves = [energy_curve(one, 480, 128, 4).flatten().numpy() for one in (samples, made)]
            if min(curve.std() for curve in curves) > 0:
                follows.append(float(np.corrcoef(*curves)[0, 1]))
        row = {
            "steps": steps,
            "guidance": guidance,
            "judge_a": round(float(right[0]), 3),
            "judge_b": round(float(right[1]), 3),
            "energy_r": round(float(np.mean(follows)), 3),
            "cpu_s": round(time.process_time() - started, 1),
        }
        found.append(row)
        print(row, flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
