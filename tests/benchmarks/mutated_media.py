"""How foreign media that were mutilated end: pictures, or one sentence; never a crash, a hang or much memory.

    python tests/benchmarks/mutated_media.py [--count 1000] [--seed 0]

Every file is opened for its length and decoded as far as a movie of that length would be asked for. Says how the files
ended, the longest time that one took, the largest resident memory of a decoding process (Linux), and how many of the
processes crashed. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.media_endings import decode_all


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diffava-") as folder:
        endings = decode_all(Path(folder), range(arguments.count), arguments.seed)
    for name, count in endings.count.most_common():
        print(f"{count:6} {name}")
    result = {
        "benchmark": "mutated_media",
        "files": arguments.count,
        "pictures": endings.count["pictures"],
        "crashes_of_a_decoder": len(endings.crashes),
        "longest_s": round(endings.longest_s, 2),
        "largest_decoder_mib": round(endings.largest_mib),
        "wrong": endings.wrong[:10],
    }
    print(json.dumps(result))
    return 1 if endings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
