"""`diffava bench load` against servers that keep their promises, and against one that does not."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from support.certificates import studio
from support.serving.loaded_server import loaded_server

DIFFAVA = (sys.executable, "-c", "from diffava.cli import main; main()")


def bench(*arguments):
    command = [*DIFFAVA, "bench", "load", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_short_run_tells_every_figure(tmp_path):
    with loaded_server(tmp_path, {"step_s": 0.01}, max_queued_jobs=1) as server:
        where = ("--server", server.target.address, "--token-file", tmp_path / "token", "--pid", server.pid)
        asked = ("--clients", 8, "--duration", 60, "--requests", 2, "--lengths", 0.5, "--lengths", 1, "--cancel", 0.3)
        run = bench(*where, *asked, "--json")
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert (figures["requests"], figures["lost"], figures["hung"], figures["untyped"]) == (16, 0, 0, 0)
    assert figures["done"] + figures["cancelled"] == 16
    assert figures["done"] > 0 < figures["cancelled"]
    assert set(figures["attempts_refused"]) == {"QUEUE_FULL"}
    assert figures["queue_s"]["p50"] <= figures["first_audio_s"]["p50"] <= figures["whole_s"]["p99"]
    assert figures["health_checks"] > 0 == figures["health_failed"]
    assert figures["server"]["parent"]["memory_bytes"]["max"] > 1 << 20
    assert figures["real_time_factor"] > 0


def test_a_server_is_started_where_none_is_named():
    pytest.importorskip("torch")
    run = bench("--model", "nano", "--clients", 2, "--requests", 1, "--lengths", 0.2, "--steps", 1)
    assert run.returncode == 0, run.stderr
    assert "2 requests: 2 done, 0 refused" in run.stdout
    assert "the server holds" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--clients", 0), "--clients is out of its bounds"),
        (("--cancel", 2), "--cancel is out of its bounds"),
        (("--server", "nowhere"), "is not a server's address"),
        (("--server", "127.0.0.1:1"), "There is no token"),
        (("--server", "127.0.0.1:1", "--token-file", "/no/such"), "cannot be read"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(arguments, told, monkeypatch):
    monkeypatch.delenv("DIFFAVA_TOKEN", raising=False)
    run = bench(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert told in run.stderr
    assert len(run.stderr.splitlines()) == 1


class ForgetfulServer(foley_pb2_grpc.FoleyServiceServicer):
    """Ends every call well: the first of each client without a result, the others with a result that is too short."""

    def __init__(self):
        self.seen = set()

    def GetServerInfo(self, request, context):  # noqa: N802 - the wire's name
        rate = pb.Rational(numerator=8, denominator=1)
        model = pb.ModelInfo(name="fake", sample_rate_hz=48_000, frame_rate=rate)
        return pb.GetServerInfoResponse(models=[model])

    def Generate(self, requests, context):  # noqa: N802 - likewise
        client_id = next(iter(requests)).header.client_id
        yield pb.GenerateResponse(started=pb.Started())
        if client_id in self.seen:
            yield pb.GenerateResponse(audio=pb.AudioChunk(pcm_f32le=bytes(4)))
            yield pb.GenerateResponse(done=pb.Done(take_sha256=["0" * 64]))
        self.seen.add(client_id)


class Healthy(health_pb2_grpc.HealthServicer):
    def Check(self, request, context):  # noqa: N802 - likewise
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def test_what_a_server_loses_is_counted_and_ends_the_run_with_1(monkeypatch):
    monkeypatch.setenv("DIFFAVA_TOKEN", "any")
    server = grpc.server(ThreadPoolExecutor(8))
    foley_pb2_grpc.add_FoleyServiceServicer_to_server(ForgetfulServer(), server)
    health_pb2_grpc.add_HealthServicer_to_server(Healthy(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        asked = ("--clients", 2, "--requests", 2, "--pictures", 0, "--takes", 1)
        run = bench("--server", f"127.0.0.1:{port}", *asked, "--json")
    finally:
        server.stop(0).wait()
    assert run.returncode == 1, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert (figures["requests"], figures["done"], figures["lost"]) == (4, 0, 4)
    assert len(figures["faults"]) == 2


def test_a_server_that_asks_for_certificates_is_loaded_over_tls(tmp_path):
    made = studio(tmp_path / "certificates")
    with loaded_server(tmp_path, {}, **made.tls(mutual=True)) as server:
        address = f"localhost:{server.target.address.rpartition(':')[2]}"
        where = ("--server", address, "--token-file", tmp_path / "token")
        cert, key = made.issue("ada", "ada")
        asked = ("--clients", 2, "--requests", 2, "--lengths", 0.5, "--json")
        run = bench(*where, "--ca", made.ca, "--cert", cert, "--key", key, *asked)
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert (figures["done"], figures["health_failed"]) == (4, 0)
