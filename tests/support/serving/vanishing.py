"""Editors that go away in the middle of a job: how soon does the server let go, and who waits get the engine?"""

import os
import re
import signal
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
EDITOR = """
import sys, grpc
from support.server import header
from diffava_proto.v1 import foley_pb2_grpc
address, token = sys.argv[1:]
stub = foley_pb2_grpc.FoleyServiceStub(grpc.insecure_channel(address))
call = stub.Generate(iter([header(step_count=200)]), metadata=[("authorization", f"Bearer {token}")])
for response in call:
    print(response.WhichOneof("event"), flush=True)
"""


def vanished(directory: Path, count: int, number: int = signal.SIGKILL, step_s: float = STEP_S) -> dict[str, Any]:
    """Send `count` editors a signal, each in the middle of a job for which another waits; SIGSTOP freezes them.

    Returns, of the seconds since each signal: `let_go_s` until the server ended the call, `next_s` until the one who
    waited had the engine. A step of the engine takes `step_s`.
    """
    let_go_s, next_s = [], []
    with (
        loaded_server(directory, {"step_s": step_s}) as server,
        grpc.insecure_channel(server.target.address) as channel,
    ):
        for index in range(count):
            signalled_at, next_at = _one(server.target, channel, number)
            next_s.append(next_at - signalled_at)
            let_go_s.append(_cancelled_at(directory / "log", index) - signalled_at)
    return {"count": count, "step_s": step_s, "let_go_s": percentiles(let_go_s), "next_s": percentiles(next_s)}


def _one(target: Target, channel: grpc.Channel, number: int) -> tuple[float, float]:
    """Wall-clock seconds of the signal, and of the other's turn."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    arguments = [sys.executable, "-c", EDITOR, target.address, target.token]
    stub = foley_pb2_grpc.FoleyServiceStub(channel)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as editor:
        assert editor.stdout is not None
        while editor.stdout.readline().strip() != "progress":  # of a step: it has no pictures
            assert editor.poll() is None, "the editor ended by itself"
        waiting = stub.Generate(iter([header(step_count=1)]), metadata=target.metadata)
        assert next(waiting).WhichOneof("event") == "queued"
        editor.send_signal(number)
        signalled_at = time.time()
        while next(waiting).WhichOneof("event") != "started":
            pass
        next_at = time.time()
        editor.kill()
        list(waiting)
    return signalled_at, next_at


def _cancelled_at(log: Path, index: int) -> float:
    """When the server noted the end of the `index`-th job that was cancelled."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        noted = re.findall(r'^timestamp=(\S+) .*event="job cancelled"', log.read_text(), re.MULTILINE)
        if len(noted) > index:
            return datetime.fromisoformat(noted[index]).timestamp()
    raise AssertionError("the server noted no cancelled job")
