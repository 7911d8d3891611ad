"""What Ray Serve adds: several replicas, of which one is killed under load, and the ways to their proxy."""

import asyncio
import hashlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import numpy as np
import psutil
import pytest

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.client.patient_client import PatientClient
from diffava_resolve.client.protocol import Waiting
from diffava_resolve.spec import FoleyJob
from support.certificates import studio
from support.server import RATE_HZ, header, refusal_seen
from support.service import Service
from support.steered import SLEEP, steered_engine

pytest.importorskip("ray", reason="Ray Serve is the extra `ray`")

from diffava_server.scaleout.application import ROOM_BESIDE_JOBS
from support.ray_cluster import free_port, ray_service

REPLICAS, EDITORS, JOBS_EACH = 2, 6, 4
QUEUED_CALLS, QUEUED_JOBS = 8, 8


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return studio(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def ports():
    return {"ray": free_port(), "tls": free_port()}


@pytest.fixture(scope="module")
def service(tmp_path_factory, made, ports):
    """At Ray's own port, in the clear; the settings' address beside it speaks TLS."""
    spread = {"min_replicas": REPLICAS, "port": ports["ray"], "max_queued_calls": QUEUED_CALLS}
    limits = {"max_calls_per_minute": 100_000, "max_open_calls": 10_000, "max_queued_jobs": QUEUED_JOBS}
    settings = {"listen": f"127.0.0.1:{ports['tls']}", **limits, **made.tls()}
    with ray_service(tmp_path_factory.mktemp("service"), steered_engine(), spread, **settings) as (address, token):
        assert address == settings["listen"]
        yield Service(f"127.0.0.1:{ports['ray']}", token)


def replica_pids():
    """Of the replicas that Ray has on this machine for this test."""
    names = ((each.pid, each.cmdline()[:1]) for each in psutil.Process().children(recursive=True))
    return [pid for pid, name in names if name and name[0].startswith("ray::ServeReplica:")]


class Pictures:
    """Eight black pictures, of which one is white; may be sent as often as is asked."""

    def __init__(self, white):
        self.white = white

    def __iter__(self):
        for number in range(8):
            yield np.full((1, 18, 32, 3), 255 if number == self.white else 0, np.uint8)


@dataclass
class Load:
    """Editors who ask for one job after another, through the plugin's client."""

    service: Service
    has_begun: threading.Event = field(default_factory=threading.Event)
    waits: list[Waiting] = field(default_factory=list)
    ends_s: list[float] = field(default_factory=list)

    def run(self, editor):
        """One editor's jobs; what was wrong with them."""
        with PatientClient(GrpcClient(self.service.address, self.service.token)) as client:
            return [wrong for number in range(JOBS_EACH) if (wrong := self._job(client, editor, (editor + number) % 8))]

    def _job(self, client, editor, white):
        job = FoleyJob(f"{SLEEP}0.3", RATE_HZ, (editor,), "fake")
        running = client.generate(job, Pictures(white), on_event=self._told)
        samples = []
        while True:
            try:
                samples.append(next(running).samples)
            except StopIteration as end:
                result = end.value
                break
        self.has_begun.set()
        self.ends_s.append(time.monotonic())
        take = np.concatenate(samples)
        is_as_said = result.take_sha256 == (hashlib.sha256(take.tobytes()).hexdigest(),)
        heard = np.flatnonzero(take).tolist()
        return None if is_as_said and heard == [white * RATE_HZ // 8] else f"{editor}: {white} at {heard}, {is_as_said}"

    def _told(self, event):
        if isinstance(event, Waiting):
            self.waits.append(event)


def test_a_replica_killed_under_load_loses_no_job(service):
    before, load = replica_pids(), Load(service)
    assert len(before) == REPLICAS
    with ThreadPoolExecutor(EDITORS) as editors:
        running = [editors.submit(load.run, editor) for editor in range(EDITORS)]
        assert load.has_begun.wait(60)
        os.kill(before[0], signal.SIGKILL)
        killed_s = time.monotonic()
        assert [each.result() for each in running] == [[]] * EDITORS
    assert any("replica" in each.reason for each in load.waits), "nobody was on the replica that was killed"
    assert min(end_s for end_s in load.ends_s if end_s > killed_s) - killed_s < 5, "the others went on"


async def test_a_replica_that_was_killed_is_replaced(service):
    async with service.connected() as calls, asyncio.timeout(60):
        while len(replica_pids()) < REPLICAS:
            await calls.info()
        assert (await calls.info()).models


async def test_calls_that_no_replica_has_room_for_are_refused_in_our_words_and_the_room_comes_back(service):
    room = REPLICAS * (QUEUED_JOBS + ROOM_BESIDE_JOBS) + QUEUED_CALLS
    async with service.connected() as calls, asyncio.timeout(60):
        # A replica that is being replaced may still have room of its own.
        silent = [calls.open_unfinished() for _ in range(3 * room)]
        ends = [asyncio.create_task(calls.refusal_of(call)) for call in silent]
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        assert (refused.code, refused.reason, refused.is_retryable) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL", True)
        for call in silent:
            call.cancel()
        await asyncio.wait(ends)
        for end in ends:
            end.cancelled() or end.exception()  # looked at, or asyncio would complain
        while not await is_done(calls):
            pass  # Ray hears of each end in turn


async def is_done(calls):
    """Whether there was room for a job, which then came to its end."""
    try:
        return (await calls.answers(header()))[-1].WhichOneof("event") == "done"
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False


def test_calls_from_this_machine_come_in_at_rays_own_port_and_others_do_not(service, ports):
    elsewhere = own_address()
    if elsewhere is None:
        pytest.skip("this machine has no address but loopback")
    refused = refusal_seen(
        f"{elsewhere}:{ports['ray']}",
        lambda channel: foley_pb2_grpc.FoleyServiceStub(channel).Generate(iter([header()]), metadata=service.metadata),
    )
    assert (refused.code, refused.reason, refused.is_retryable) == ("PERMISSION_DENIED", "NOT_ENCRYPTED", False)
    assert "TLS" in refused.sentence


def own_address():
    """An address by which others would reach this machine; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = route.getsockname()[0]
    return None if address.startswith("127.") else address


async def test_the_settings_address_speaks_tls_through_rays_proxy(service, made, ports):
    credentials = grpc.ssl_channel_credentials(made.ca.read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{ports['tls']}", credentials) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        answers = [answer async for answer in stub.Generate(iter([header()]), metadata=service.metadata)]
    assert answers[-1].WhichOneof("event") == "done"


async def test_a_wrong_token_is_refused_at_every_replica(service):
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        for _ in range(3 * REPLICAS):
            call = stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=(("authorization", "Bearer other"),))
            assert await call.code() == grpc.StatusCode.UNAUTHENTICATED
