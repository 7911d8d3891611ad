"""How long a scene takes to draw on one core: the median of each motion, in milliseconds of processor time.

python tests/benchmarks/scenes.py
"""

import json
import statistics
import time
from fractions import Fraction

from diffava.scenes.render import render
from diffava.sounds.kinds import Kind, kinds
from diffava.sounds.score import Hit, Score, Source

DURATION_S = 5.12
SEEDS = range(5)


def source(kind: Kind) -> Source:
    in_frame = ((0.0, DURATION_S),)
    if kind.action == "texture":
        return Source(kind.name, kind.motion, active=((0.5, 4.5),), in_frame=in_frame)
    hits = tuple(Hit(0.5 + 0.8 * k, 0.8, 0.4) for k in range(5))
    return Source(kind.name, kind.motion, hits, in_frame=in_frame)


def milliseconds(score: Score) -> float:
    started = time.process_time()
    render(score, Fraction(25), 96)
    return 1000 * (time.process_time() - started)


def main() -> None:
    milliseconds(Score(DURATION_S, (source(kinds()[0]),), 0))  # the tables are read once
    by_motion: dict[str, list[float]] = {}
    for kind in kinds():
        by_motion.setdefault(kind.motion, []).extend(
            milliseconds(Score(DURATION_S, (source(kind),), seed)) for seed in SEEDS
        )
    medians = {motion: round(statistics.median(found), 1) for motion, found in sorted(by_motion.items())}
    for motion, median in medians.items():
        print(f"{motion:8} {median:6.1f} ms")
    every = [value for found in by_motion.values() for value in found]
    print(json.dumps({"ms_by_motion": medians, "ms_median": round(statistics.median(every), 1)}))


if __name__ == "__main__":
    main()
