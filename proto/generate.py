"""Generate the committed stubs from the .proto files: the only way they are made.

    python proto/generate.py            writes them beside the .proto files
    python proto/generate.py --out DIR  writes them below DIR, for the test that compares

Compiled with `-Iproto`, so that the stubs import each other as `diffava_proto.v1`. The compiler's version is pinned in
pyproject.toml: stubs made by a newer one refuse an older runtime.
"""

import argparse
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent


def generate(out: Path) -> None:
    """Write `*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` for every .proto below this folder into `out`."""
    sources = sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*.proto"))
    arguments = ["protoc", f"-I{HERE}", f"-I{files('grpc_tools') / '_proto'}"]
    arguments += [f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}", *sources]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed; its message is above")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE)
    generate(parser.parse_args().out)
