"""What is bounded before it is read: messages, metadata, connections, calls, and how long anybody may say nothing."""

import asyncio
import contextlib
import socket
import threading
import time
from functools import partial

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server import listening
from diffava_server.engine.fake import FakeEngine
from support.server import Gate, header, refusal_of, running_server, server_process

METADATA = "authorization"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server")) as process:
        yield process


def call(server, method, message, **options):
    """A call's status code, and how long it took."""
    metadata = [(METADATA, f"Bearer {server.token}"), *options.pop("metadata", ())]
    with grpc.insecure_channel(server.address, options.pop("options", None)) as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
        ended = threading.Event()
        start_s = time.monotonic()
        # Not by iterating over the answers: that looks up only every fifth of a second.
        running = channel.stream_stream(method)(iter([message]), metadata=metadata, timeout=20, **options)
        running.add_done_callback(lambda _: ended.set())
        assert ended.wait(30)
        return running.code().name, time.monotonic() - start_s


def one_more(server):
    with grpc.insecure_channel(server.address) as channel:
        stub = foley_pb2_grpc.FoleyServiceStub(channel)
        return stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=[(METADATA, f"Bearer {server.token}")])


GENERATE = "/diffava.v1.FoleyService/Generate"
INFO = "/diffava.v1.FoleyService/GetServerInfo"
# A client compresses what gRPC was told to; a repetition shrinks a thousandfold.
GZIP = {"compression": grpc.Compression.Gzip}
MANY_NUMBERS = header(seeds=[1] * 2_000_000).SerializeToString()


@pytest.mark.parametrize("method", [GENERATE, INFO])
@pytest.mark.parametrize(
    ("message", "options"),
    [
        (bytes(64 << 20), {}),
        (bytes(100 << 20), GZIP),
        (b"", {"metadata": [("x", "y" * 40_000)]}),
        (b"", {"metadata": [(f"x{number}", "y" * 1_000) for number in range(40)]}),
    ],
    ids=["64 MiB", "100 MiB as gzip", "one great header", "forty headers"],
)
def test_too_much_at_once_is_refused_and_takes_no_memory(server, method, message, options):
    options = {"options": [("grpc.max_send_message_length", -1)], **options}
    one_more(server)
    process = psutil.Process(server.pid)
    before_bytes = process.memory_info().rss
    code, _ = call(server, method, message, **options)
    assert code == "RESOURCE_EXHAUSTED"
    assert process.memory_info().rss - before_bytes < 32 << 20
    assert one_more(server).models, "the server lives"


def test_a_small_message_that_is_far_too_large_unpacked_is_refused_within_a_tenth_of_a_second(server):
    message = bytes(5 << 20)  # packing it, a few hundredths of a second, is part of what is measured
    # The best of five, since others compute here too.
    took_s = [call(server, GENERATE, message, **GZIP) for _ in range(5)]
    assert {code for code, _ in took_s} == {"RESOURCE_EXHAUSTED"}
    assert min(duration_s for _, duration_s in took_s) < 0.1


def test_a_message_of_many_small_parts_grows_no_further_than_a_few_times_its_size(server):
    one_more(server)
    process = psutil.Process(server.pid)
    before_bytes = process.memory_info().rss
    code, _ = call(server, GENERATE, MANY_NUMBERS)
    assert code == "RESOURCE_EXHAUSTED", "more takes than this server does"
    assert process.memory_info().rss - before_bytes < 64 << 20
    assert one_more(server).models


def closed_after_s(connection):
    start_s = time.monotonic()
    connection.settimeout(20)
    with contextlib.suppress(ConnectionError):
        while connection.recv(4096):
            pass
    return time.monotonic() - start_s


@pytest.mark.parametrize("first_bytes", [b"", b"PRI * HT", b"\x16\x03\x01"], ids=["silent", "half a greeting", "TLS"])
async def test_a_connection_that_does_not_begin_to_speak_is_closed(tmp_path, monkeypatch, first_bytes):
    assert ("grpc.server_handshake_timeout_ms", 5_000) in listening.CHANNEL_OPTIONS
    shorter = dict(listening.CHANNEL_OPTIONS) | {"grpc.server_handshake_timeout_ms": 300}
    monkeypatch.setattr(listening, "CHANNEL_OPTIONS", tuple(shorter.items()))
    async with running_server(tmp_path) as calls:
        host, _, port = calls.server.state.address.rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(first_bytes)
            assert await asyncio.to_thread(closed_after_s, connection) < 5
        assert (await calls.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=calls.metadata)).models


async def test_a_call_that_is_opened_and_says_nothing_is_let_go(tmp_path):
    async with running_server(tmp_path, upload_idle_s=0.05) as calls:
        for name in ("GetServerInfo", "Generate"):
            silent = calls.channel.stream_unary(f"/diffava.v1.FoleyService/{name}")(metadata=calls.metadata)
            refusal = await refusal_of(silent)
            assert (refusal.code, refusal.reason) == ("DEADLINE_EXCEEDED", "UPLOAD_IDLE")


async def test_connections_beyond_the_limit_are_closed_and_those_within_it_live(tmp_path):
    async with running_server(tmp_path, max_connections=3) as calls:
        info = pb.GetServerInfoRequest()
        assert (await calls.stub.GetServerInfo(info, metadata=calls.metadata)).models
        host, _, port = calls.server.state.address.rpartition(":")
        with contextlib.ExitStack() as stack:
            more = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(6)]
            closed = asyncio.gather(*(asyncio.to_thread(is_closed, connection) for connection in more))
            assert sum(await closed) == 4
            assert (await calls.stub.GetServerInfo(info, metadata=calls.metadata)).models


def is_closed(connection):
    """Whether the server hung up without a word; it greets those whom it takes."""
    connection.settimeout(20)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


async def test_a_client_that_calls_without_a_pause_is_told_when_to_ask_again_and_health_is_still_answered(tmp_path):
    async with running_server(tmp_path, max_calls_per_minute=3) as calls:
        info = pb.GetServerInfoRequest()
        for _ in range(3):
            await calls.stub.GetServerInfo(info, metadata=calls.metadata)
        for refused in (
            calls.stub.GetServerInfo(info, metadata=calls.metadata),
            calls.stub.Generate(metadata=calls.metadata),  # refused before it says anything
        ):
            refusal = await refusal_of(refused)
            assert (refusal.code, refusal.reason, refusal.is_retryable) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED", True)
            assert "more than 3 times in a minute" in refusal.sentence
        assert (await health_pb2_grpc.HealthStub(calls.channel).Check(health_pb2.HealthCheckRequest())).status


async def test_a_client_with_too_many_open_calls_is_refused(tmp_path):
    gate = Gate()
    engine = partial(FakeEngine, before_step=gate, step_count=1)
    async with running_server(tmp_path, engine, max_open_calls=1) as calls:
        running = calls.open(header())
        await gate.reached()
        # On a connection of its own: on the first one it would wait until gRPC lets it open another stream.
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(calls.server.state.address, options) as channel:
            stub = foley_pb2_grpc.FoleyServiceStub(channel)
            refusal = await refusal_of(stub.Generate(iter([header()]), metadata=calls.metadata))
        assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED")
        gate.let_on()
        assert [answer async for answer in running][-1].WhichOneof("event") == "done"


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: null\r\n\r\n",
        b"GET /diffava.v1.FoleyService/GetServerInfo HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /diffava.v1.FoleyService/GetServerInfo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc\r\n"
        b"Authorization: Bearer %s\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=["foreign", "get", "post with the token", "web socket"],
)
def test_what_a_browser_can_send_runs_nothing_on_the_grpc_port(server, request_head):
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request_head.replace(b"%s", server.token.encode()))
        answer = b""
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(4096):
                answer += more
    # Frames of HTTP/2 (its settings, and that it hangs up): nothing that a browser could read as an answer.
    assert not answer.startswith(b"HTTP/1")
    assert b"fake" not in answer
    assert one_more(server).models


def test_no_field_of_a_request_names_a_file_or_an_address():
    """Strings that a client sends are a name to compare, two texts, and who it is. A new one must be thought about."""
    found, todo = set(), [pb.GenerateRequest.DESCRIPTOR, pb.GetServerInfoRequest.DESCRIPTOR]
    while todo:
        for field in todo.pop().fields:
            if field.type == field.TYPE_STRING:
                found.add(field.full_name.removeprefix("diffava.v1.GenerateHeader."))
            elif field.type == field.TYPE_MESSAGE:
                todo.append(field.message_type)
    assert found == {"client_id", "model", "prompt", "negative_prompt"}


NAMES = [
    "../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:1/x",
    r"\\host\share",
    "fake\0x",
    "~",
]


async def test_a_models_name_is_compared_and_never_opened(tmp_path, monkeypatch):
    async with running_server(tmp_path) as calls:
        for module, function in (("builtins", "open"), ("os", "open"), ("os", "stat"), ("socket", "getaddrinfo")):
            watched = getattr(__import__(module), function)
            monkeypatch.setattr(f"{module}.{function}", partial(_refuse_names, watched))
        refusals = [await calls.refusal_of(header(model=name)) for name in NAMES]
        monkeypatch.undo()
    assert {(refusal.code, refusal.reason) for refusal in refusals} == {("NOT_FOUND", "UNKNOWN_MODEL")}


def _refuse_names(watched, *arguments, **options):
    assert not set(NAMES) & set(map(str, arguments)), f"{watched} was asked for what the client said"
    return watched(*arguments, **options)
