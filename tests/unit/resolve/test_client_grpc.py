"""What an editor is told when the wire or the server fails, with a real server process where one is needed."""

import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import grpc
import numpy as np
import pytest

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.errors import RequestError, ServerError
from diffava_resolve.spec import FoleyJob
from support.server import server_process

JOB = FoleyJob("steps", 48_000, (1,))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server"), Fraction(8), 32, 18) as process:
        yield process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pictures(count, before_each=lambda number: None):
    for number in range(count):
        before_each(number)
        yield np.zeros((1, 18, 32, 3), np.uint8)


def test_no_server_says_how_to_start_one():
    with GrpcClient(f"127.0.0.1:{free_port()}", "token") as client, pytest.raises(ServerError) as caught:
        client.models()
    assert "diffava serve --listen 127.0.0.1:" in str(caught.value)
    assert caught.value.retryable


def test_no_server_at_a_socket_is_said_too(tmp_path):
    with (
        GrpcClient(f"unix:{tmp_path}/none.sock", "token") as client,
        pytest.raises(ServerError, match="No foley server"),
    ):
        client.models()


def test_a_wrong_token_says_where_to_put_the_right_one(server):
    with GrpcClient(server.address, "wrong" * 8) as client, pytest.raises(ServerError) as caught:
        client.models()
    assert "DIFFAVA_TOKEN" in str(caught.value)
    assert not caught.value.retryable
    assert "wrong" not in str(caught.value)


def test_the_token_is_not_in_the_clients_own_description():
    with GrpcClient("127.0.0.1:1", "secret-token") as client:
        assert "secret" not in repr(client)


def test_the_servers_own_sentence_is_passed_on(server):
    with GrpcClient(server.address, server.token) as client, pytest.raises(RequestError, match="cuts"):
        list(client.generate(FoleyJob("steps", 48_000, (1,), cut_samples=(9, 9)), pictures(8)))


def test_what_is_beyond_the_servers_limits_is_a_wrong_request(server):
    with GrpcClient(server.address, server.token) as client, pytest.raises(RequestError, match="10000 characters"):
        list(client.generate(FoleyJob("x" * 10_000, 48_000, (1,)), pictures(8)))


def test_a_negative_seed_is_refused_before_anything_is_sent(server):
    with GrpcClient(server.address, server.token) as client, pytest.raises(RequestError, match="not negative"):
        list(client.generate(FoleyJob("steps", 48_000, (-1,)), pictures(8)))


def test_a_job_beyond_its_time_is_given_up(server):
    never = threading.Event()
    with GrpcClient(server.address, server.token, job_timeout_s=0.3) as client, pytest.raises(ServerError) as caught:
        list(client.generate(JOB, pictures(8, lambda number: never.wait(0.4))))
    assert caught.value.retryable


@pytest.mark.skipif(sys.platform == "win32", reason="ends the server with SIGKILL")
def test_a_server_that_dies_during_the_job_is_said_and_may_be_asked_again(tmp_path):
    with server_process(tmp_path / "mortal", Fraction(8), 32, 18) as server:

        def kill_at_4(number):
            if number == 4:
                os.kill(server.pid, signal.SIGKILL)

        with GrpcClient(server.address, server.token) as client, pytest.raises(ServerError) as caught:
            list(client.generate(JOB, pictures(8, kill_at_4)))
    assert "lost" in str(caught.value)
    assert caught.value.retryable


def test_something_else_that_listens_is_not_taken_for_a_foley_server():
    other = grpc.server(ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    try:
        with GrpcClient(f"127.0.0.1:{port}", "token") as client, pytest.raises(ServerError, match="not a foley server"):
            client.models()
    finally:
        other.stop(0).wait()


def test_an_upload_is_pulled_only_as_fast_as_the_server_reads(server):
    """A job that waits in the queue must not have its pictures decoded into memory."""
    pulled, release = [], threading.Event()
    first_frame_sent = threading.Event()

    def hold(number):
        first_frame_sent.set()
        release.wait(20)

    long_job = FoleyJob("steps", 48_000 * 600, (1,))
    with GrpcClient(server.address, server.token) as one, GrpcClient(server.address, server.token) as two:
        holder = threading.Thread(target=lambda: list(one.generate(JOB, pictures(8, hold))))
        holder.start()
        assert first_frame_sent.wait(20)
        queued = threading.Event()
        waiting = two.generate(long_job, pictures(4800, pulled.append), on_event=lambda event: queued.set())
        reader = threading.Thread(target=lambda: next(waiting))
        reader.start()
        assert queued.wait(20)
        early = len(pulled) * 18 * 32 * 3
        release.set()
        holder.join(20)
        reader.join(20)
        waiting.close()
    assert early < 8 << 20


def test_an_interruption_never_cuts_the_beginning_of_a_call_in_two(server, monkeypatch):
    """A call that gRPC began and nobody holds keeps the whole program from ending."""
    begun = threading.Event()
    with GrpcClient(server.address, server.token) as client:
        begin = client._stub.Generate

        def interrupted_while_it_begins(*arguments, **options):
            signal.raise_signal(signal.SIGINT)
            call = begin(*arguments, **options)
            begun.set()
            return call

        monkeypatch.setattr(client._stub, "Generate", interrupted_while_it_begins)
        with pytest.raises(KeyboardInterrupt):
            list(client.generate(JOB, pictures(8)))
        assert begun.wait(timeout=10)
