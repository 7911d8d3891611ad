"""A server as whoever runs it meets it: its log, its metrics, probes, rotation of its token, and its end by signals."""

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava.cli.command import run as run_command
from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.app import running
from diffava_server.engine.fake import FakeEngine
from diffava_server.errors import InvalidRequestError
from diffava_server.operations.logs import logged, server_log
from support.server import header, refusal_of, running_server, server_config, started_process, until

FAKE = ["-m", "support.server_main", "8", "32", "18"]
SECRET, UNWANTED = "a secret film's ending", "what nobody may hear"


def repeat_the_prompt(job):
    """As a library does that complains about what it was given, and a model of a text that is too long."""
    if job.seeds == (14,):
        raise InvalidRequestError(f"The text '{job.prompt[:12]}…' has 600 tokens, this model reads 512; shorten it.")
    if job.seeds == (13,):
        raise ValueError(f"cannot encode {job.prompt!r} without {job.negative_prompt}")


def bearer(token):
    return [("authorization", f"Bearer {token}")]


async def everything_that_can_go_wrong(server):
    """Jobs that end well, are refused, fail, and are cancelled; calls without and with a wrong token; a rotation."""
    async with grpc.aio.insecure_channel(server.state.address) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)

        def job(metadata=None, **fields):
            texts = {"prompt": SECRET, "negative_prompt": UNWANTED, "client_id": "ada"}
            return stub.Generate(iter([header(**{**texts, **fields})]), metadata=metadata or bearer(server.token))

        assert [answer async for answer in job()][-1].WhichOneof("event") == "done"
        for wrong in ({"model": "none"}, {"frame_count": 3}, {"seeds": [13]}, {"seeds": [14]}, {"sample_rate_hz": 1}):
            await refusal_of(job(**wrong))
        for metadata in ([("x", "y")], bearer("wrong-" + server.token), bearer(SECRET)):
            await refusal_of(job(metadata))
        cancelled = job(sample_count=48_000 * 60)
        await cancelled.read()
        cancelled.cancel()


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
async def test_the_whole_log_holds_neither_a_prompt_nor_a_token(tmp_path, capfd, log_format):
    config = server_config(tmp_path, log_format=log_format, metrics="127.0.0.1:0")
    engine = logged(partial(FakeEngine, on_job=repeat_the_prompt), log_format)
    async with running(config, engine, server_log(log_format)) as server:
        old = server.token
        await everything_that_can_go_wrong(server)
        assert run_command(["token", "rotate", "--token-file", str(config.token_file)]) == 0
        page = await asyncio.to_thread(metrics_text, server.metrics_address)
    new = config.token_file.read_text().strip()
    out, err = capfd.readouterr()
    for told in (out, err, page):
        for secret in (SECRET[:12], UNWANTED, old, new):
            assert secret not in told
    assert "[prompt]" in err, "the failure itself is there, without what was asked for"
    for event in ("job queued", "job done", "calls refused", "BAD_TOKEN", "UNKNOWN_MODEL", "engine failed"):
        assert event in err
    if log_format == "json":
        assert {"timestamp", "level", "event"} <= set.intersection(*(set(json.loads(line)) for line in lines_of(err)))


def lines_of(text):
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("log_prompts", [True, False])
async def test_prompts_are_logged_only_where_that_was_asked_for(tmp_path, capfd, log_prompts):
    config = server_config(tmp_path, log_prompts=log_prompts)
    async with (
        running(config, partial(FakeEngine), server_log()) as server,
        grpc.aio.insecure_channel(server.state.address) as channel,
    ):
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        request = header(prompt=SECRET, negative_prompt=UNWANTED)
        assert [answer async for answer in stub.Generate(iter([request]), metadata=bearer(server.token))]
    told = capfd.readouterr().err
    assert ((SECRET in told), (UNWANTED in told)) == (log_prompts, log_prompts)


def metrics_text(address, path="/metrics"):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


async def test_metrics_and_healthz_follow_the_server(tmp_path):
    async with running_server(tmp_path, metrics="127.0.0.1:0") as calls:
        address = calls.server.metrics_address
        assert await asyncio.to_thread(metrics_text, address, "/healthz") == "SERVING\n"
        await refusal_of(calls.stub.GetServerInfo(pb.GetServerInfoRequest()))
        assert [answer async for answer in calls.open(header())][-1].WhichOneof("event") == "done"
        text = await asyncio.to_thread(metrics_text, address)
        calls.server.health.engine_changed(is_up=False)
        assert await asyncio.to_thread(metrics_text, address, "/healthz") == "NOT_SERVING\n"
        assert "diffava_serving 0.0" in await asyncio.to_thread(metrics_text, address)
    assert "diffava_serving 1.0" in text
    assert 'diffava_calls_refused_total{reason="BAD_TOKEN"} 1.0' in text
    assert 'diffava_jobs_total{code="OK",model="fake",reason=""} 1.0' in text
    assert 'diffava_sound_seconds_total{model="fake"} 1.0' in text
    for stage in ("latent", "waveform"):
        assert f'diffava_stage_seconds_count{{model="fake",stage="{stage}"}} 1.0' in text
    assert "diffava_engine_starts_total 1.0" in text
    if sys.platform == "linux":
        assert "diffava_engine_process_resident_memory_bytes" in text


async def test_an_engine_that_dies_again_and_again_is_told_of_and_comes_back(tmp_path, capsys):
    async with running_server(tmp_path, metrics="127.0.0.1:0") as calls:
        engine, health, address = calls.server.engine, calls.server.health, calls.server.state.address
        deaths = 0
        while health.is_serving:
            pid = engine.pid
            os.kill(pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
            deaths += 1
            await until(lambda pid=pid: not health.is_serving or (engine.is_usable and engine.pid != pid))
        assert deaths == 3
        await health.told()
        assert await asyncio.to_thread(run_command, ["health", address]) == 1
        assert (await calls.refusal_of(header())).reason == "ENGINE_DOWN"
        await until(lambda: health.is_serving)
        await health.told()
        assert await asyncio.to_thread(run_command, ["health", address]) == 0
        assert [answer async for answer in calls.open(header())][-1].WhichOneof("event") == "done"
        text = await asyncio.to_thread(metrics_text, calls.server.metrics_address)
    assert 'diffava_engine_losses_total{reason="died"} 3.0' in text
    assert capsys.readouterr().out.splitlines() == ["NOT_SERVING", "SERVING"]


def wait_for_the_file(path, engine):
    """Builds the engine once the file is there."""
    while not path.exists():
        time.sleep(0.01)
    return engine()


async def test_a_server_that_loads_its_models_answers_probes_and_asks_jobs_to_come_again(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    factory = partial(wait_for_the_file, tmp_path / "loaded", FakeEngine)
    starting = running_server(tmp_path, factory, listen=address)
    server = asyncio.create_task(starting.__aenter__())
    async with grpc.aio.insecure_channel(address) as channel:
        service = health_pb2.HealthCheckRequest(service="diffava.v1.FoleyService")
        answer = await health_pb2_grpc.HealthStub(channel).Check(service, wait_for_ready=True, timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        token = (tmp_path / "token").read_text().strip()
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        for call in (
            stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=bearer(token)),
            stub.Generate(iter([header()]), metadata=bearer(token)),
        ):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason, refusal.is_retryable) == ("UNAVAILABLE", "ENGINE_DOWN", True)
            assert "loading its models" in refusal.sentence
        (tmp_path / "loaded").touch()
        calls = await server
        assert [answer async for answer in calls.open(header())][-1].WhichOneof("event") == "done"
    await starting.__aexit__(None, None, None)


async def test_a_running_server_takes_over_a_rotated_token(tmp_path):
    async with running_server(tmp_path) as calls:
        info = pb.GetServerInfoRequest()
        token_file = tmp_path / "token"
        assert run_command(["token", "rotate", "--token-file", str(token_file)]) == 0
        fresh = bearer(token_file.read_text().strip())
        assert fresh != list(calls.metadata)
        for metadata in (fresh, calls.metadata):
            assert (await calls.stub.GetServerInfo(info, metadata=metadata)).models
        assert run_command(["token", "rotate", "--token-file", str(token_file), "--grace-s", "0"]) == 0
        for metadata in (fresh, calls.metadata):
            assert (await refusal_of(calls.stub.GetServerInfo(info, metadata=metadata))).reason == "BAD_TOKEN"


async def test_health_is_a_command_with_an_exit_code(tmp_path, capsys):
    async with running_server(tmp_path) as calls:
        address = calls.server.state.address
        assert await asyncio.to_thread(run_command, ["health", address]) == 0
        calls.server.health.engine_changed(is_up=False)
        await calls.server.health.told()
        assert await asyncio.to_thread(run_command, ["health", address, "--json"]) == 1
        calls.server.health.engine_changed(is_up=True)
    assert await asyncio.to_thread(run_command, ["health", address]) == 1
    serving, down, gone = capsys.readouterr().out.splitlines()
    assert serving == "SERVING"
    assert json.loads(down) == {"address": address, "health": "NOT_SERVING", "is_serving": False}
    assert gone.startswith("UNREACHABLE: UNAVAILABLE")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not used on Windows")
def test_sigterm_lets_a_job_end_and_a_second_one_does_not_wait(tmp_path):
    with started_process(FAKE, tmp_path, drain_s="600", log_format="json") as process:
        address = json.loads(process.stdout.readline())["address"]
        with grpc.insecure_channel(address) as channel:
            stub = foley_pb2_grpc.FoleyServiceStub(channel)
            token = (tmp_path / "token").read_text().strip()
            # Its frames never come: it stays in the house until it is told to leave.
            call = stub.Generate(unfinished(header(frame_count=8)), metadata=bearer(token))
            assert next(call).WhichOneof("event") == "started"
            process.send_signal(signal.SIGTERM)
            line = next(line for line in process.stderr if "server stops" in line)
            assert json.loads(line)["drain_s"] == 600
            process.send_signal(signal.SIGTERM)
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "send it again" in caught.value.details()
        process.communicate(timeout=60)
    assert process.returncode == 0


def unfinished(first):
    """A client's messages that begin and do not end."""
    yield first
    threading.Event().wait(60)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be another user for a moment")
async def test_another_user_of_the_machine_does_not_reach_the_socket():
    folder = Path(tempfile.mkdtemp(prefix="dv", dir="/tmp"))
    try:
        folder.chmod(0o755)  # so that it is the socket's own mode that counts
        async with running_server(folder / "state", listen=f"unix:{folder / 's'}") as calls:
            assert (await calls.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=calls.metadata)).models
            with socket.socket(socket.AF_UNIX) as stranger:
                os.seteuid(65_534)
                try:
                    with pytest.raises(PermissionError):
                        stranger.connect(str(folder / "s"))
                    with pytest.raises(PermissionError):
                        (folder / "state" / "token").read_text()
                finally:
                    os.seteuid(0)
    finally:
        shutil.rmtree(folder)
