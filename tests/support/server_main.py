"""`python -m support.server_main RATE WIDTH HEIGHT`: a server with the fake engine, settings from the environment."""

import asyncio
import functools
import sys
from fractions import Fraction

from diffava_server.app import serve
from diffava_server.cli import stderr_log
from diffava_server.config import read_config
from diffava_server.engine.fake import FakeEngine


def main() -> None:
    rate, width, height = Fraction(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    factory = functools.partial(FakeEngine, rate, width, height)
    asyncio.run(serve(read_config(), factory, stderr_log(), lambda state: print(state.to_json(), flush=True)))


if __name__ == "__main__":
    main()
