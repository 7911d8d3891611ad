"""Cases 1 and 2: a client that is killed, and one that only stops to answer, as if its cable had been pulled."""

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import grpc
import pytest

from diffava_server import listening
from diffava_server.engine.fake import FakeEngine
from support.server import Gate, header, running_server, until
from support.serving.vanishing import EDITOR, vanished

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def test_case_01_a_killed_client_ends_its_call_and_frees_the_engine_for_the_next(tmp_path):
    figures = vanished(tmp_path, 3)
    assert figures["let_go_s"]["max"] < 1
    assert figures["next_s"]["max"] < figures["step_s"] + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "token"]


async def test_case_02_a_frozen_client_is_noticed_and_its_engine_given_on(tmp_path, monkeypatch):
    shorter = {"grpc.keepalive_time_ms": 300, "grpc.keepalive_timeout_ms": 300, "grpc.http2.ping_timeout_ms": 300}
    assert shorter.keys() <= dict(listening.CHANNEL_OPTIONS).keys()
    monkeypatch.setattr(listening, "CHANNEL_OPTIONS", tuple((dict(listening.CHANNEL_OPTIONS) | shorter).items()))
    gate = Gate()
    async with running_server(tmp_path, partial(FakeEngine, before_step=gate)) as calls:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        arguments = [sys.executable, "-c", EDITOR, calls.server.state.address, calls.server.token]
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=environment) as editor:
            await gate.reached()
            editor.send_signal(signal.SIGSTOP)
            try:
                waiting = calls.open(header(step_count=1))
                assert (await waiting.read()).WhichOneof("event") == "queued"
                # The engine is let on only once the frozen client's call is over.
                await asyncio.wait_for(until(lambda: calls.server.engine.is_cancelling), 30)
                gate.let_on(2)
                while (response := await waiting.read()) is not grpc.aio.EOF:
                    last = response.WhichOneof("event")
                assert last == "done"
            finally:
                editor.kill()
