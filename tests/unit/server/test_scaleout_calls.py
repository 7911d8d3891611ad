"""A call through Ray, and what stands before Ray's proxy, without starting Ray."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.errors import NotEncryptedError, QueueFullError, RateLimitError
from diffava_server.rpc.call_limits import CallLimits
from diffava_server.rpc.status import abort_with, status_of
from diffava_server.scaleout.call import RayCall
from diffava_server.scaleout.proxy import (
    DETAILS_KEY,
    Gate,
    _cancelled_on_leaving,
    _said_in_our_words,
    is_of_this_machine,
)


class Context:
    """Of a call: Ray's in a replica, gRPC's in the proxy."""

    def __init__(self, code=None, details="", peer="ipv4:10.0.0.7:50000", security=b"insecure"):
        self._code, self._details, self._peer, self._security = code, details, peer, security
        self._trailing = ()

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._trailing

    def peer(self):
        return self._peer

    def peer_identities(self):
        return None

    def auth_context(self):
        return {"transport_security_type": [self._security]}

    def set_code(self, code):
        self._code = code

    def set_details(self, details):
        self._details = details

    def set_trailing_metadata(self, trailing):
        self._trailing = tuple(trailing)

    def reason(self):
        info = error_details_pb2.ErrorInfo()
        status = status_of(QueueFullError("")).FromString(dict(self._trailing)[DETAILS_KEY])
        assert any(detail.Unpack(info) for detail in status.details)
        return info.reason


def answer(number):
    return pb.GenerateResponse(queued=pb.Queued(position=number))


class Messages:
    """What Ray gives of a client that sends two headers and, perhaps, goes away."""

    def __init__(self, *, is_gone):
        self._left, self._is_gone = 2, is_gone

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return pb.GenerateRequest(header=pb.GenerateHeader())

    def is_cancelled(self):
        return self._is_gone


async def test_the_end_of_an_upload_is_told_from_a_client_that_is_gone():
    call = RayCall(Context(), Messages(is_gone=False))
    assert [(await call.read()).HasField("header") for _ in range(2)] == [True, True]
    assert await call.read() is grpc.aio.EOF
    call = RayCall(Context(), Messages(is_gone=True))
    await call.read()
    await call.read()
    with pytest.raises(asyncio.CancelledError):
        await call.read()


async def test_an_answer_waits_until_the_one_before_was_taken():
    written = []

    async def handle(call):
        for number in range(3):
            await call.write(answer(number))
            written.append(number)

    answers = RayCall(Context()).answers(handle)
    assert (await anext(answers)).queued.position == 0
    await asyncio.sleep(0)
    assert written == [0]
    assert [each.queued.position async for each in answers] == [1, 2]


async def test_a_refusal_ends_with_an_empty_answer_beside_which_its_details_travel():
    context = Context()

    async def handle(call):
        await call.write(answer(1))
        await abort_with(call, QueueFullError("Full."))

    answers = [each async for each in RayCall(context).answers(handle)]
    assert [each.WhichOneof("event") for each in answers] == ["queued", None]
    assert (context.code(), context.details(), context.reason()) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Full.",
        "QUEUE_FULL",
    )


async def test_a_call_that_is_left_ends_even_where_the_handler_swallows_its_cancellation():
    ended = asyncio.Event()

    async def handle(call):
        try:
            await call.write(answer(0))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await call.write(answer(1))
        finally:
            ended.set()

    answers = RayCall(Context()).answers(handle)
    await anext(answers)
    await asyncio.wait_for(answers.aclose(), 10)
    assert ended.is_set()


@pytest.mark.parametrize(
    ("peer", "is_near"),
    [
        ("unix:", True),
        ("unix:/run/foley.sock", True),
        ("ipv4:127.0.0.1:50000", True),
        ("ipv6:%5B::1%5D:50000", True),
        ("ipv6:[::1]:50000", True),
        ("ipv6:%5B::ffff:127.0.0.1%5D:50000", True),
        ("ipv6:%5B::ffff:10.0.0.7%5D:50000", False),
        ("ipv4:10.0.0.7:50000", False),
        ("ipv6:%5Bfe80::1%25eth0%5D:50000", False),
        ("", False),
    ],
)
def test_a_peer_is_of_this_machine_by_its_address_alone(peer, is_near):
    assert is_of_this_machine(peer) is is_near


def test_calls_of_other_machines_come_in_over_tls_or_where_the_network_is_private():
    near, far, far_encrypted = Context(peer="unix:"), Context(), Context(security=b"ssl")
    strict, trusting = (Gate(trusts_network=trusts, limits=CallLimits(100, 100)) for trusts in (False, True))
    for gate, context in ((strict, near), (strict, far_encrypted), (trusting, far)):
        with gate.entered(context, "calls"):
            pass
    with pytest.raises(NotEncryptedError, match="TLS"), strict.entered(far, "calls"):
        pass


def test_a_client_that_calls_without_end_is_told_to_wait_and_probes_are_not():
    gate = Gate(trusts_network=True, limits=CallLimits(2, 100))
    for _ in range(2):
        with gate.entered(Context(), "calls"):
            pass
    with pytest.raises(RateLimitError), gate.entered(Context(), "calls"):
        pass
    for other, kind in ((Context(), "health"), (Context(peer="ipv4:10.0.0.8:50000"), "calls")):
        with gate.entered(other, kind):
            pass


@pytest.mark.parametrize(
    ("code", "details", "reason"),
    [
        (grpc.StatusCode.INTERNAL, "The actor died unexpectedly before finishing this task.", "REPLICA_LOST"),
        (grpc.StatusCode.UNAVAILABLE, "Deployment is unavailable", "REPLICA_LOST"),
        (grpc.StatusCode.NOT_FOUND, "Application 'foley' not found.", "REPLICA_LOST"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Request dropped due to backpressure", "QUEUE_FULL"),
    ],
)
def test_what_ray_says_gets_a_reason_that_clients_know(code, details, reason):
    context = Context(code, details)
    _said_in_our_words(context)
    assert context.reason() == reason
    assert context.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert "Ray" not in context.details()
    assert "actor" not in context.details()


def test_what_a_replica_says_and_what_went_well_stay_as_they_are():
    refused = Context(grpc.StatusCode.INTERNAL, "The engine failed.")
    refused.set_trailing_metadata(rpc_status.to_status(status_of(QueueFullError("Full."))).trailing_metadata)
    well, cancelled = Context(0), Context(grpc.StatusCode.CANCELLED, "gone")
    for context in (refused, well, cancelled):
        before = (context.code(), context.details(), context.trailing_metadata())
        _said_in_our_words(context)
        assert (context.code(), context.details(), context.trailing_metadata()) == before


async def test_a_cancellation_while_an_answer_is_sent_still_reaches_rays_waiting():
    cancelled = asyncio.Event()

    async def rays_answers():
        yield b"one"
        yield b"two"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()  # here Ray cancels the replica's work, and ends
            return
        yield b"never"

    async def call():
        async with _cancelled_on_leaving(rays_answers()) as answers:
            async for _ in answers:
                await asyncio.Event().wait()  # as long as the client takes nothing

    sending = asyncio.create_task(call())
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert cancelled.is_set()
