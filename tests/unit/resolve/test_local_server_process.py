"""A server of one's own as it really starts: `python -m diffava_server` with the smallest model."""

import json
import os
import signal
import sys
import threading
from dataclasses import replace

import pytest

from diffava_resolve.client.local_server import LocalServers, launch_detached
from diffava_resolve.errors import RequestError


@pytest.fixture
def servers(tmp_path):
    """The local servers of a fresh folder, with what was started; all ended afterwards."""
    started = []

    def launch(settings, log_file):
        started.append(launch_detached(settings, log_file))
        return started[-1]

    yield LocalServers(tmp_path / "state", launch), started
    for process in started:
        process.terminate()
        process.wait(60)


def test_a_server_starts_stays_for_the_next_command_and_survives_ctrl_c(servers, tmp_path):
    local, started = servers
    with local.connect("nano") as client:
        assert client.models()[0].name == "nano"
    (process,) = started
    if sys.platform != "win32":
        assert os.getpgid(process.pid) != os.getpgrp()  # Ctrl-C goes to the process group of the terminal
    with local.connect("nano") as client:
        assert client.models()[0].name == "nano"
    assert len(started) == 1
    (state_file,) = (tmp_path / "state").glob("*.json")
    assert json.loads(state_file.read_text())["pid"] == process.pid
    if sys.platform != "win32":
        os.kill(process.pid, signal.SIGTERM)
        process.wait(60)
        assert not state_file.exists()


def test_an_unknown_model_is_refused_with_the_known_ones(servers):
    local, _ = servers
    with pytest.raises(RequestError, match=r"nano"):
        local.connect("foleymatic")


def test_an_interrupted_start_leaves_no_process(servers):
    local, started = servers

    def interrupted(duration_s):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(local, sleep_s=interrupted).connect("nano")
    (process,) = started
    ended = threading.Thread(target=process.wait)
    ended.start()
    ended.join(60)
    assert process.poll() is not None
