"""Editors that are killed in the middle of a job: how soon does the server let go, and who waits get the engine?"""

import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc

from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.load.client import Target
from diffava_server.load.outcomes import percentiles
from support.server import header
from support.serving.loaded_server import loaded_server

STEP_S = 0.1
_EDITOR = """
import sys, grpc
from support.server import header
from diffava_proto.v1 import foley_pb2_grpc
address, token = sys.argv[1:]
stub = foley_pb2_grpc.FoleyServiceStub(grpc.insecure_channel(address))
call = stub.Generate(iter([header(step_count=200)]), metadata=[("authorization", f"Bearer {token}")])
for response in call:
    print(response.WhichOneof("event"), flush=True)
"""


def vanished(directory: Path, count: int) -> dict[str, Any]:
    """Kill `count` editors, each in the middle of a job for which another waits.

    Returns, of the seconds since each kill: `let_go_s` until the server ended the call, `next_s` until the one who
    waited had the engine. A step of the engine takes `step_s`.
    """
    let_go_s, next_s = [], []
    with (
        loaded_server(directory, {"step_s": STEP_S}) as server,
        grpc.insecure_channel(server.target.address) as channel,
    ):
        for number in range(count):
            killed_at, next_at = _one(server.target, channel)
            next_s.append(next_at - killed_at)
            let_go_s.append(_cancelled_at(directory / "log", number) - killed_at)
    return {"count": count, "step_s": STEP_S, "let_go_s": percentiles(let_go_s), "next_s": percentiles(next_s)}


def _one(target: Target, channel: grpc.Channel) -> tuple[float, float]:
    """Wall-clock seconds of the kill, and of the other's turn."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    arguments = [sys.executable, "-c", _EDITOR, target.address, target.token]
    stub = foley_pb2_grpc.FoleyServiceStub(channel)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as editor:
        assert editor.stdout is not None
        while editor.stdout.readline().strip() != "progress":  # of a step: it has no pictures
            assert editor.poll() is None, "the editor ended by itself"
        waiting = stub.Generate(iter([header(step_count=1)]), metadata=target.metadata)
        assert next(waiting).WhichOneof("event") == "queued"
        editor.kill()
        killed_at = time.time()
        while next(waiting).WhichOneof("event") != "started":
            pass
        next_at = time.time()
        list(waiting)
    return killed_at, next_at


def _cancelled_at(log: Path, number: int) -> float:
    """When the server noted the end of the `number`-th job that was cancelled."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        noted = re.findall(r'^timestamp=(\S+) .*event="job cancelled"', log.read_text(), re.MULTILINE)
        if len(noted) > number:
            return datetime.fromisoformat(noted[number]).timestamp()
    raise AssertionError("the server noted no cancelled job")
