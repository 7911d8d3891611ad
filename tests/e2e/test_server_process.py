"""Servers as processes of their own: where they listen, what they leave behind, how they start, stop and refuse."""

import json
import os
import signal
import socket
import stat
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import grpc
import pytest

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from support.server import header, server_process, started_process

FAKE = ["-m", "support.server_main", "8", "32", "18"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets and signals are not used on Windows")


@pytest.fixture
def short_path():
    """A folder whose path leaves room for a socket's name within 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="dv", dir="/tmp") as directory:
        yield Path(directory)


def ready_state(process):
    return json.loads(process.stdout.readline())


def info_at(address, token):
    with grpc.insecure_channel(address) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        return stub.GetServerInfo(
            pb.GetServerInfoRequest(), metadata=[("authorization", f"Bearer {token}")], timeout=20, wait_for_ready=True
        )


def test_a_server_process_answers_where_its_first_line_says(tmp_path):
    with server_process(tmp_path, Fraction(24000, 1001), 64, 36) as server:
        (model,) = info_at(server.address, server.token).models
        assert (model.frame_width_pixels, model.frame_height_pixels) == (64, 36)
        with grpc.insecure_channel(server.address) as channel:
            call = foley_pb2_grpc.FoleyServiceStub(channel).Generate(
                iter([header()]), metadata=[("authorization", f"Bearer {server.token}")]
            )
            assert list(call)[-1].WhichOneof("event") == "done"


@posix
def test_a_unix_socket_is_for_this_user_alone_and_goes_with_its_server(tmp_path, short_path):
    path = short_path / "s"
    with started_process(FAKE, tmp_path, listen=f"unix:{path}") as process:
        state = ready_state(process)
        assert state["address"] == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert info_at(state["address"], (tmp_path / "token").read_text().strip()).models
    assert process.returncode == 0
    assert not path.exists()


@posix
@pytest.mark.parametrize("kind", ["port", "socket"])
def test_a_second_server_at_one_address_is_refused_and_the_first_one_lives(tmp_path, short_path, kind):
    listen = f"unix:{short_path / 's'}" if kind == "socket" else "127.0.0.1:0"
    with started_process(FAKE, tmp_path, listen=listen) as first:
        address = ready_state(first)["address"]
        with started_process(["-m", "diffava_server"], tmp_path, listen=address, models="nano") as second:
            stdout, stderr = second.communicate(timeout=60)
        assert (second.returncode, stdout) == (1, "")
        assert len(stderr.strip().splitlines()) == 1, stderr
        assert "choose another" in stderr
        assert info_at(address, (tmp_path / "token").read_text().strip()).models


@posix
def test_the_socket_of_a_server_that_was_killed_is_taken_over(tmp_path, short_path):
    path = short_path / "s"
    with started_process(FAKE, tmp_path, listen=f"unix:{path}") as first:
        ready_state(first)
        first.kill()
        first.communicate(timeout=60)
        assert path.exists()
    with started_process(FAKE, tmp_path, listen=f"unix:{path}") as second:
        assert info_at(ready_state(second)["address"], (tmp_path / "token").read_text().strip()).models


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_its_state_file_and_its_engine(tmp_path, number):
    state_file = tmp_path / "state.json"
    with started_process(FAKE, tmp_path, state_file=str(state_file)) as process:
        state = ready_state(process)
        assert json.loads(state_file.read_text()) == state
        assert stat.S_IMODE(state_file.stat().st_mode) == 0o600
        assert (state["pid"], state["models"]) == (process.pid, ["fake"])
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert not state_file.exists()


def test_a_server_without_calls_ends_by_itself(tmp_path):
    state_file = tmp_path / "state.json"
    with started_process(FAKE, tmp_path, idle_exit_s="0.2", state_file=str(state_file)) as process:
        ready_state(process)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "reason=idle" in stderr
    assert not state_file.exists()


@posix
def test_a_killed_server_takes_its_engine_with_it(tmp_path):
    with started_process(FAKE, tmp_path) as process:
        ready_state(process)
        # The engine holds the other end of our stderr pipe: it ends only when the engine has ended too.
        process.kill()
        process.communicate(timeout=60)


def test_an_unknown_model_ends_the_start_with_one_sentence_and_exit_code_2(tmp_path):
    with started_process(["-m", "diffava_server", "--model", "maxi"], tmp_path) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert "no model 'maxi'" in stderr
    assert "nano" in stderr
    assert "Traceback" not in stderr


def test_an_address_beyond_this_machine_is_refused_with_exit_code_2(tmp_path):
    with started_process(["-m", "diffava_server", "--listen", "0.0.0.0:0"], tmp_path) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "loopback" in stderr


def test_logs_hold_neither_prompts_nor_the_token(tmp_path):
    with started_process(FAKE, tmp_path) as process:
        state = ready_state(process)
        token = (tmp_path / "token").read_text().strip()
        with grpc.insecure_channel(state["address"]) as channel:
            stub = foley_pb2_grpc.FoleyServiceStub(channel)
            list(stub.Generate(iter([header(prompt="a secret film")]), metadata=[("authorization", f"Bearer {token}")]))
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
    assert "job done" in stderr
    assert "secret film" not in stdout + stderr
    assert token not in stdout + stderr


def test_a_silent_tcp_connection_does_not_keep_others_waiting(tmp_path):
    with server_process(tmp_path) as server:
        host, _, port = server.address.rpartition(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(50)]
        assert info_at(server.address, server.token).models
        for connection in silent:
            connection.close()
    assert not Path(f"/proc/{server.pid}").exists() or os.name == "nt"


def test_a_server_without_its_packages_says_what_to_install(tmp_path):
    """The plugin alone installs without them, and starts a server where it is given none."""
    missing = "import runpy, sys; sys.modules['pydantic_settings'] = None"
    code = f"{missing}; runpy.run_module('diffava_server', run_name='__main__')"
    with started_process(["-c", code], tmp_path) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told.startswith("A server needs pydantic_settings, which is not installed here; install it with")
    assert "--server" in told
