"""`python -m support.server_main RATE WIDTH HEIGHT [JOBS NOTE...]`: a server with the fake engine.

The engine keeps its jobs in the file JOBS and says the notes of each; what the file JOBS.kill orders (see
`recorded_jobs.keep_job_and_kill`) is carried out. Settings come from the environment.
"""

import asyncio
import functools
import sys
from fractions import Fraction
from pathlib import Path

from diffava_server.app import serve
from diffava_server.config import read_config
from diffava_server.engine.fake import FakeEngine
from diffava_server.operations.logs import logged, server_log
from support.recorded_jobs import keep_job_and_kill


def main() -> None:
    rate, width, height = Fraction(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    jobs = Path(sys.argv[4]) if sys.argv[4:] else None
    on_job = functools.partial(keep_job_and_kill, jobs, jobs.with_name(f"{jobs.name}.kill")) if jobs else None
    factory = functools.partial(FakeEngine, rate, width, height, notes=tuple(sys.argv[5:]), on_job=on_job)
    config = read_config()
    engine, log = logged(factory, config.log_format), server_log(config.log_format)
    asyncio.run(serve(config, engine, log, lambda state: print(state.to_json(), flush=True)))


if __name__ == "__main__":
    main()
