"""How long a saved model takes from its folder to a pipeline that is ready, its imports already made.

    python tests/benchmarks/loading.py [--model mini] [--rounds 5]

A local server starts with this, so it should stay below 2 s on two cores. Prints a line and, last, JSON.
"""

import argparse
import json
import statistics
import time

from diffava.builders import build, open_model

LIMIT_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini", help="a model that ships, or a saved model's folder")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    build("nano")  # whatever is imported late is imported now
    seconds = []
    for _ in range(arguments.rounds):
        start_s = time.perf_counter()
        open_model(arguments.model)
        seconds.append(time.perf_counter() - start_s)
    median_s = statistics.median(seconds)
    print(f"{arguments.model}: {median_s:.2f} s in the median of {arguments.rounds}, at most {max(seconds):.2f} s")
    print(json.dumps({"model": arguments.model, "median_s": median_s, "max_s": max(seconds), "limit_s": LIMIT_S}))


if __name__ == "__main__":
    main()
