"""What a cancelled call leaves in the memory of a server, beside one of grpc.aio's own with nothing of ours in it.

    python tests/benchmarks/cancelled_calls.py [--calls 20000]

Bare servers whose one method reads, or writes and waits, and a foley server with an engine that does nothing; each in a
process of its own, and a client that cancels ten calls at a time, each a few milliseconds later than the one before.
Bytes of resident memory for each call, between a quarter of the calls and their end. The last line is one JSON object.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from support.server import header  # noqa: E402 - `support` is found only now
from support.serving.loaded_server import loaded_server  # noqa: E402

BARE = {"reads": False, "writes and waits": True}
METHOD = "/diffava.v1.FoleyService/Generate"
AT_ONCE = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--serve-bare", choices=tuple(BARE), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_bare is not None:
        return asyncio.run(serve_bare(writes=BARE[arguments.serve_bare]))
    grown = {}
    for kind in BARE:
        with bare_server(kind) as (port, pid):
            grown[f"bare, {kind}"] = asyncio.run(bytes_a_call(f"127.0.0.1:{port}", (), pid, arguments.calls))
    with (
        tempfile.TemporaryDirectory(prefix="diffava-") as folder,
        loaded_server(Path(folder), {"step_s": 0.0, "step_count": 1}) as server,
    ):
        token = (("authorization", f"Bearer {server.target.token}"),)
        grown["ours"] = asyncio.run(bytes_a_call(server.target.address, token, server.pid, arguments.calls))
    for name, count in grown.items():
        print(f"{name:24} {count:6.0f} bytes a cancelled call")
    print(json.dumps({"benchmark": "cancelled calls", "calls": arguments.calls, "bytes_a_call": grown}))
    return 0


async def serve_bare(*, writes: bool) -> int:
    """A server of grpc.aio alone, until it is killed."""

    async def generate(_: Any, context: Any) -> None:
        await context.read()
        if writes:
            for _ in range(3):
                await context.write(bytes(50))
            await asyncio.Event().wait()
        await context.read()

    server = grpc.aio.server()
    service, method = METHOD.strip("/").split("/")
    handlers = {method: grpc.stream_stream_rpc_method_handler(generate)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.Event().wait()
    return 0


@contextlib.contextmanager
def bare_server(kind: str) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    command = [sys.executable, __file__, "--serve-bare", kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()


async def bytes_a_call(address: str, metadata: tuple[tuple[str, str], ...], pid: int, count: int) -> float:
    """By how much the process grows with each cancelled call once it is warm."""
    process, rounds = psutil.Process(pid), count // AT_ONCE
    warm_bytes = 0
    async with grpc.aio.insecure_channel(address) as channel:
        method = channel.stream_stream(METHOD)
        for number in range(rounds):
            if number == rounds // 4:
                warm_bytes = process.memory_info().rss
            await asyncio.gather(*(cancelled(method, metadata, place) for place in range(AT_ONCE)))
    grown: float = process.memory_info().rss - warm_bytes
    return round(grown / (AT_ONCE * (rounds - rounds // 4)), 1)


async def cancelled(method: Callable[..., Any], metadata: tuple[tuple[str, str], ...], place: int) -> None:
    """One call that is given up after some milliseconds."""
    call = method(metadata=metadata)
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
        await call.write(header(4_800, client_id=f"editor {place}").SerializeToString())
        await asyncio.sleep(0.002 * place)
        call.cancel()
        await call.read()


if __name__ == "__main__":
    sys.exit(main())
