"""Who and what is refused: every method without the token, and every header and upload that is not as it must be."""

import asyncio
from functools import partial

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from diffava_proto.v1 import foley_pb2 as pb
from diffava_proto.v1 import foley_pb2_grpc
from diffava_server.engine.fake import FakeEngine
from diffava_server.errors import InvalidRequestError
from support.server import RATE_HZ, frame_messages, header, refusal_at, refusal_of, running_server

METHODS = {
    "Generate": lambda channel, metadata: foley_pb2_grpc.FoleyServiceStub(channel).Generate(
        iter([header()]), metadata=metadata
    ),
    "GetServerInfo": lambda channel, metadata: foley_pb2_grpc.FoleyServiceStub(channel).GetServerInfo(
        pb.GetServerInfoRequest(), metadata=metadata
    ),
    "reflection": lambda channel, metadata: reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")]), metadata=metadata
    ),
    "unknown": lambda channel, metadata: channel.unary_unary("/diffava.v1.FoleyService/Nothing")(
        b"", metadata=metadata
    ),
}
TOKENS = {
    "none": (),
    "wrong": (("authorization", "Bearer not-the-token-of-this-server"),),
    "empty": (("authorization", ""),),
    "bare": None,  # the right token without `Bearer`
    "twice": None,  # the right one beside a wrong one
}


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("method", METHODS)
async def test_no_method_answers_without_the_token(tmp_path, method, token):
    async with running_server(tmp_path) as calls:
        metadata = TOKENS[token]
        if token == "bare":
            metadata = (("authorization", calls.server.token),)
        if token == "twice":
            metadata = (("authorization", "Bearer other"), *calls.metadata)
        refusal = await refusal_at(calls.server, lambda channel: METHODS[method](channel, metadata))
    assert (refusal.code, refusal.reason, refusal.is_retryable) == ("UNAUTHENTICATED", "BAD_TOKEN", False)
    assert "token file" in refusal.sentence
    assert calls.server.token not in refusal.sentence


async def test_a_call_without_a_token_is_refused_before_it_sends_anything(tmp_path):
    async with running_server(tmp_path) as calls:
        call = calls.stub.Generate()  # opens, and writes nothing
        assert await call.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_health_is_answered_without_a_token(tmp_path):
    async with running_server(tmp_path) as calls:
        stub = health_pb2_grpc.HealthStub(calls.channel)
        for service in ("", "diffava.v1.FoleyService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_service(tmp_path):
    async with running_server(tmp_path) as calls:
        stub = reflection_pb2_grpc.ServerReflectionStub(calls.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = [a async for a in stub.ServerReflectionInfo(iter([request]), metadata=calls.metadata)]
    assert "diffava.v1.FoleyService" in {service.name for service in answer.list_services_response.service}


async def test_a_message_beyond_the_limit_is_refused_and_the_server_lives(tmp_path):
    async with running_server(tmp_path) as calls:
        huge = pb.GenerateRequest(frames=pb.FrameChunk(rgb24=bytes(5 << 20)))
        refusal = await calls.refusal_of(huge)
        assert refusal.code == "RESOURCE_EXHAUSTED"
        assert [r async for r in calls.open(header())][-1].WhichOneof("event") == "done"


def guide(**fields):
    return {"guide": pb.TimingGuide(**fields)}


BAD_HEADERS = {
    "empty prompt": ({"prompt": "  "}, "INVALID_REQUEST", "prompt is empty; say in a few words"),
    "long prompt": (
        {"prompt": "x" * 10_000},
        "LIMIT_EXCEEDED",
        "prompt has 10000 characters .* takes 2000",
    ),
    "long negative": ({"negative_prompt": "x" * 2_001}, "LIMIT_EXCEEDED", "negative prompt has 2001 characters"),
    "long client id": ({"client_id": "x" * 201}, "LIMIT_EXCEEDED", "client id has 201 characters"),
    "no seeds": ({"seeds": []}, "INVALID_REQUEST", "no seeds; give one for each take"),
    "many takes": ({"seeds": range(9)}, "LIMIT_EXCEEDED", "wants 9 takes and this server does at most 8"),
    "many steps": ({"step_count": 201}, "LIMIT_EXCEEDED", "wants 201 steps and this server does at most 200"),
    "long model name": ({"model": "x" * 100_000}, "LIMIT_EXCEEDED", "model's name has 100000 characters; give at most"),
    "many cuts": (
        {"cut_samples": range(1, 10_002)},
        "LIMIT_EXCEEDED",
        "wants 10001 cuts and this server does at most 10000",
    ),
    "unknown model": ({"model": "maxi"}, "UNKNOWN_MODEL", "no model 'maxi'; it has fake"),
    "wrong rate": (
        {"sample_rate_hz": 44_100},
        "INVALID_REQUEST",
        "44100 Hz and the model 'fake' makes 48000",
    ),
    "no samples": ({"sample_count": 0}, "INVALID_REQUEST", "has 0 samples; choose a range"),
    "too long": ({"sample_count": 2**40}, "LIMIT_EXCEEDED", "this server takes 3600.0 s; choose a shorter one"),
    "frames short": ({"frame_count": 7}, "INVALID_REQUEST", "announces 7 frames; .* has 8"),
    "frames over": ({"sample_count": RATE_HZ + 1, "frame_count": 8}, "INVALID_REQUEST", "announces 8 frames; .* has 9"),
    "cut at zero": (
        {"cut_samples": [0]},
        "INVALID_REQUEST",
        "do not rise strictly .*: 0 comes after 0",
    ),
    "cut falls": ({"cut_samples": [9, 8]}, "INVALID_REQUEST", "8 comes after 9"),
    "cut outside": ({"cut_samples": [RATE_HZ]}, "INVALID_REQUEST", "48000 comes after 48000"),
    "guidance NaN": ({"guidance_scale": float("nan")}, "INVALID_REQUEST", "guidance scale is nan; give a number"),
    "guidance inf": ({"guidance_scale": float("inf")}, "INVALID_REQUEST", "guidance scale is inf"),
    "guidance huge": ({"guidance_scale": 1e30}, "INVALID_REQUEST", r"guidance scale is 1e\+30; .* to 100"),
    "guidance low": ({"guidance_scale": 0.5}, "INVALID_REQUEST", "guidance scale is 0.5"),
    "guidance negative": ({"guidance_scale": -1.0}, "INVALID_REQUEST", "guidance scale is -1;"),
    "sampler": ({"sampler": 99}, "INVALID_REQUEST", "no sampler number 99; it knows 1 .dpmpp_2m., 2 .ddim., 3 .euler."),
    "part empty": (
        {"kept": pb.KeptPart(regenerate_start_sample=5, regenerate_stop_sample=5)},
        "INVALID_REQUEST",
        "part to make anew, 5..5, is not inside the take's 0..48000",
    ),
    "part outside": (
        {"kept": pb.KeptPart(regenerate_start_sample=5, regenerate_stop_sample=48_001)},
        "INVALID_REQUEST",
        "part to make anew, 5..48001",
    ),
    "guide source": (guide(source=7), "INVALID_REQUEST", "source number 7; it knows 1 .picture. and 2 .none."),
    "guide NaN": (guide(strength=float("nan")), "INVALID_REQUEST", "guide's strength is nan; give a number from 0"),
    "guide strong": (guide(strength=2.5), "INVALID_REQUEST", "guide's strength is 2.5; .* to 2"),
    "guide negative": (guide(strength=-0.1), "INVALID_REQUEST", "guide's strength is -0.1"),
    "hit falls": (guide(hit_samples=[9, 8]), "INVALID_REQUEST", "hits do not rise strictly .*: 8 comes after 9"),
    "hit twice": (guide(hit_samples=[9, 9]), "INVALID_REQUEST", "9 comes after 9"),
    "hit outside": (guide(hit_samples=[RATE_HZ]), "INVALID_REQUEST", "48000 comes after 48000"),
    "many hits": (
        guide(hit_samples=range(10_001)),
        "LIMIT_EXCEEDED",
        "wants 10001 hits and this server does at most 10000",
    ),
}


@pytest.fixture
async def calls(tmp_path):
    async with running_server(tmp_path) as calls:
        yield calls


@pytest.mark.parametrize("case", BAD_HEADERS)
async def test_a_header_that_cannot_be_served_is_refused_with_its_sentence(calls, case):
    fields, reason, sentence = BAD_HEADERS[case]
    refusal = await calls.refusal_of(header(**{"sample_count": RATE_HZ, **fields}))
    assert refusal.reason == reason
    assert not refusal.is_retryable
    with pytest.raises(InvalidRequestError, match=sentence):
        raise InvalidRequestError(refusal.sentence)
    assert not calls.server.jobs.is_busy


def chunk(first=0, count=1, size=32 * 18 * 3):
    return pb.GenerateRequest(frames=pb.FrameChunk(first_frame=first, frame_count=count, rgb24=bytes(count * size)))


def kept(samples, first=0, take=0):
    pcm = np.asarray(samples, "<f4").tobytes()
    return pb.GenerateRequest(kept_audio=pb.AudioChunk(take=take, first_sample=first, pcm_f32le=pcm))


def performance(samples, first=0):
    pcm = np.asarray(samples, "<f4").tobytes()
    return pb.GenerateRequest(performance=pb.AudioChunk(first_sample=first, pcm_f32le=pcm))


PART = {"kept": pb.KeptPart(regenerate_start_sample=5, regenerate_stop_sample=9)}
FRAMES = header(frame_count=8)
KEPT = header(**PART)
PERFORMED = header(**guide(has_performance=True))
BAD_UPLOADS = {
    "nothing": ([], "first message must be the job's header, and it was the end of the upload"),
    "frames first": ([chunk()], "first message must be the job's header, and it was frames"),
    "empty first": ([pb.GenerateRequest()], "and it was an empty message"),
    "ends early": ([FRAMES, *frame_messages(6)], "6 of 8 frames arrived, followed by the end of the upload"),
    "second header": ([FRAMES, FRAMES], "0 of 8 frames arrived, followed by a header"),
    "gap": ([FRAMES, chunk(0), chunk(2)], "continue at frame 1, and the chunk says 2; send them in order"),
    "no frames in it": ([FRAMES, chunk(0, 0)], "chunk has 0 frames at frame 0 of 8"),
    "too many": ([FRAMES, chunk(0, 9)], "chunk has 9 frames at frame 0 of 8; send at least one and no more"),
    "wrong size": ([FRAMES, chunk(0, 2, 10)], "2 frames has 20 bytes; at 32x18 rgb24 it must have 3456"),
    "unannounced audio": ([FRAMES, kept([0.0])], "0 of 8 frames arrived, followed by kept audio"),
    "audio ends early": ([KEPT, kept([0.0] * 9)], "has 9 of 48000 samples and was followed by the end of the upload"),
    "audio gap": (
        [KEPT, kept([0.0], first=3)],
        "at sample 0 of take 0, and the chunk says sample 3 of take 0",
    ),
    "audio take": ([KEPT, kept([0.0], take=1)], "chunk says sample 0 of take 1"),
    "audio empty": ([KEPT, kept([])], "0 bytes; send whole samples"),
    "audio too long": ([KEPT, kept([0.0] * 48_001)], "more than the range's 48000 samples"),
    "audio NaN": ([KEPT, kept([0.0, float("nan")])], "a sample that is not within -1 and 1, near sample 0"),
    "audio too loud": ([KEPT, kept([0.0, 3e38])], "a sample that is not within -1 and 1, near sample 0"),
    "performance ends early": ([PERFORMED, performance([0.0] * 9)], "The performance has 9 of 48000 samples and was"),
    "performance gap": ([PERFORMED, performance([0.0], first=3)], "The performance continues at sample 0 of take 0"),
    "performance too long": ([PERFORMED, performance([0.0] * 48_001)], "performance has more than the range's 48000"),
    "performance NaN": ([PERFORMED, performance([float("nan")])], "The performance has a sample that is not within"),
    "performance not sent": ([PERFORMED, kept([0.0])], "0 of 48000 samples and was followed by kept audio"),
    "performance unannounced": ([FRAMES, performance([0.0])], "0 of 8 frames arrived, followed by a performance"),
    "performance before the audio to keep": (
        [header(**PART, **guide(has_performance=True)), performance([0.0])],
        "The audio to keep has 0 of 48000 samples and was followed by a performance",
    ),
    "frames before the audio": (
        [header(frame_count=8, **PART), chunk()],
        "0 of 48000 samples and was followed by frames",
    ),
}


@pytest.mark.parametrize("case", BAD_UPLOADS)
async def test_an_upload_that_is_not_as_announced_is_refused_with_its_sentence(calls, case):
    messages, sentence = BAD_UPLOADS[case]
    refusal = await calls.refusal_of(*messages)
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert sentence in refusal.sentence
    responses = [r async for r in calls.open(header(frame_count=8), *frame_messages(8))]
    assert responses[-1].WhichOneof("event") == "done", "the server still serves"


async def test_a_model_without_a_timing_guide_refuses_hits_and_performances_and_ignores_the_rest(tmp_path):
    async with running_server(tmp_path, partial(FakeEngine, has_timing_guide=False)) as calls:
        for fields in (guide(hit_samples=[5]), guide(has_performance=True)):
            refusal = await calls.refusal_of(header(**fields))
            assert refusal.reason == "INVALID_REQUEST"
            assert "The model 'fake' has no timing guide; choose another model" in refusal.sentence
        unheard = guide(source=pb.GUIDE_SOURCE_PICTURE, strength=0.5)
        assert [r async for r in calls.open(header(**unheard))][-1].WhichOneof("event") == "done"


async def test_a_client_that_stops_sending_is_let_go_and_may_come_again(tmp_path):
    async with running_server(tmp_path, upload_idle_s=0.05) as calls:
        call = calls.open_unfinished()
        await call.write(header(frame_count=8))
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason, refusal.is_retryable) == ("DEADLINE_EXCEEDED", "UPLOAD_IDLE", True)
        assert "0.05 s" in refusal.sentence


def raise_out_of_memory(step):
    raise MemoryError


def raise_defect(step):
    raise ValueError("a secret detail")


@pytest.mark.parametrize(
    ("before_step", "code", "reason"),
    [(raise_out_of_memory, "RESOURCE_EXHAUSTED", "OUT_OF_MEMORY"), (raise_defect, "INTERNAL", "ENGINE_FAILED")],
)
async def test_an_engines_failure_is_typed_and_keeps_its_details_to_the_log(tmp_path, before_step, code, reason):
    async with running_server(tmp_path, partial(FakeEngine, before_step=before_step)) as calls:
        refusal = await calls.refusal_of(header())
    assert (refusal.code, refusal.reason) == (code, reason)
    assert "secret" not in refusal.sentence


async def test_many_calls_at_once_are_all_answered(tmp_path):
    async with running_server(tmp_path, max_queued_jobs=64) as calls:

        async def last_event(number):
            responses = [r async for r in calls.open(header(4800, client_id=f"client {number % 5}"))]
            return responses[-1].WhichOneof("event")

        assert set(await asyncio.gather(*map(last_event, range(40)))) == {"done"}
