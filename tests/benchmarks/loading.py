"""How long a saved model takes from its folder to a pipeline that is ready, its imports already made.

    python tests/benchmarks/loading.py [--model mini] [--rounds 5]

A local server starts with this, so it should stay below 2 s on two cores. Other work on the machine changes the seconds
that one waits, hardly those of the processor. Prints a line and, last, JSON.
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
    waited, computed = [], []
    for _ in range(arguments.rounds):
        start_s, start_processor_s = time.perf_counter(), time.process_time()
        open_model(arguments.model)
        waited.append(time.perf_counter() - start_s)
        computed.append(time.process_time() - start_processor_s)
    median_s, processor_s = statistics.median(waited), statistics.median(computed)
    print(f"{arguments.model}: {median_s:.2f} s, of the processor {processor_s:.2f} s (medians of {arguments.rounds})")
    print(json.dumps({"model": arguments.model, "median_s": median_s, "processor_s": processor_s, "limit_s": LIMIT_S}))


if __name__ == "__main__":
    main()
