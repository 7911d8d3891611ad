"""What `diffava.v1.FoleyService` promises, seen from outside; the same for the gRPC server and for Ray Serve.

Both run the fake engine, in a process of its own. An answer that says nothing is skipped, as every client does.
"""

import asyncio
import hashlib
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from diffava_proto.v1 import foley_pb2 as pb
from support.server import RATE_HZ, frame_messages, header, running_server
from support.service import Service, refusal
from support.steered import DIE, FAIL, NOTE, hold, steered_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"max_queued_jobs": 3, "upload_idle_s": 1.0, "max_take_count": 4, "max_message_bytes": 1 << 20}
SERVERS = ("grpc.aio", "ray serve")


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SERVERS)
async def service(request, directory):
    if request.param == "grpc.aio":
        async with running_server(directory, steered_engine(), **SETTINGS) as calls:
            yield Service(calls.server.state.address, calls.server.token)
        return
    pytest.importorskip("ray", reason="Ray Serve is the extra `ray`")
    from support.ray_cluster import ray_service

    with ray_service(directory, steered_engine(), **SETTINGS) as address_and_token:
        yield Service(*address_and_token)


@pytest_asyncio.fixture(loop_scope="module")
async def calls(service):
    async with service.connected() as calls:
        yield calls


def kinds_of(answers):
    """The events in order, repetitions of one kind as one."""
    kinds = [answer.WhichOneof("event") for answer in answers]
    return [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]


def takes_of(answers):
    """Each take's samples; fails unless they come take by take, in order, without gaps."""
    takes: list[bytes] = []
    for answer in answers:
        if answer.WhichOneof("event") == "audio":
            chunk = answer.audio
            if chunk.take == len(takes):
                takes.append(b"")
            assert (chunk.take, chunk.first_sample * 4) == (len(takes) - 1, len(takes[-1]))
            takes[-1] += chunk.pcm_f32le
    return takes


def clicks_of(take):
    return np.flatnonzero(np.frombuffer(take, "<f4")).tolist()


def audio_messages(part, samples, chunk_samples=20_000):
    for first in range(0, len(samples), chunk_samples):
        pcm = samples[first : first + chunk_samples].astype("<f4").tobytes()
        yield pb.GenerateRequest(**{part: pb.AudioChunk(first_sample=first, pcm_f32le=pcm)})


async def test_the_server_says_its_models_its_limits_and_its_version(calls):
    info = await calls.info()
    (model,) = info.models
    assert (model.name, model.sample_rate_hz, len(model.weights_sha256)) == ("fake", RATE_HZ, 64)
    assert (model.frame_rate.numerator, model.frame_rate.denominator) == (8, 1)
    assert (model.frame_width_pixels, model.frame_height_pixels) == (32, 18)
    assert (info.limits.max_take_count, info.limits.max_message_bytes) == (4, 1 << 20)
    assert info.software_version


async def test_a_prompt_alone_makes_exactly_the_samples_asked_for(calls):
    answers = await calls.answers(header(RATE_HZ + 17))
    assert [len(take) // 4 for take in takes_of(answers)] == [RATE_HZ + 17]


async def test_a_free_server_says_started_progress_audio_and_done_last(calls):
    answers = await calls.answers(header(frame_count=8), *frame_messages(8))
    kinds = kinds_of(answers)
    assert kinds[0] == "started"
    assert kinds[-1] == "done"
    assert set(kinds) == {"started", "progress", "audio", "done"}
    assert kinds.index("progress") < kinds.index("audio")
    told = [answer.progress for answer in answers if answer.WhichOneof("event") == "progress"]
    assert [progress.stage for progress in told] == sorted(progress.stage for progress in told)
    for stage in (pb.STAGE_FEATURES, pb.STAGE_LATENT, pb.STAGE_WAVEFORM):
        last = [progress for progress in told if progress.stage == stage][-1]
        assert last.completed == last.total > 0


async def test_the_end_tells_what_made_the_takes(calls):
    done = (await calls.answers(header(seeds=[1, 2])))[-1].done
    assert (done.model.name, done.step_count, done.guidance_scale, done.sampler) == ("fake", 4, 2.5, 1)
    assert NOTE in done.notes
    assert done.software_version == (await calls.info()).software_version


async def test_each_take_comes_whole_and_with_its_hash(calls):
    answers = await calls.answers(header(seeds=[5, 6, 7], frame_count=8), *frame_messages(8, frozenset({3})))
    takes = takes_of(answers)
    assert [clicks_of(take) for take in takes] == [[3 * RATE_HZ // 8]] * 3
    assert list(answers[-1].done.take_sha256) == [hashlib.sha256(take).hexdigest() for take in takes]


async def test_the_same_request_gives_the_same_samples(calls):
    request = [header(frame_count=8, seeds=[3, 4]), *frame_messages(8, frozenset({2}))]
    first, second = takes_of(await calls.answers(*request)), takes_of(await calls.answers(*request))
    assert first == second
    assert clicks_of(first[0]) == [2 * RATE_HZ // 8]


async def test_frames_in_any_chunks_are_the_same_frames(calls):
    wanted = [2 * RATE_HZ // 8, 7 * RATE_HZ // 8]
    for chunk_frames in (1, 3, 8):
        messages = frame_messages(8, frozenset({2, 7}), chunk_frames=chunk_frames)
        assert clicks_of(takes_of(await calls.answers(header(frame_count=8), *messages))[0]) == wanted


async def test_a_kept_part_and_a_performance_arrive_sample_by_sample_each_in_its_place(calls):
    old, performed = np.linspace(-1, 1, RATE_HZ, dtype="<f4"), np.linspace(0.5, -0.5, RATE_HZ, dtype="<f4")
    kept = pb.KeptPart(regenerate_start_sample=6000, regenerate_stop_sample=24_000)
    request = header(frame_count=8, kept=kept, guide=pb.TimingGuide(has_performance=True))
    audio = [*audio_messages("kept_audio", old), *audio_messages("performance", performed)]
    (take,) = takes_of(await calls.answers(request, *audio, *frame_messages(8, frozenset({1}))))
    new = np.frombuffer(take, "<f4")
    assert np.array_equal(new[6000:24_000], performed[6000:24_000])
    assert np.array_equal(new[:6000], old[:6000])
    assert np.array_equal(new[24_000:], old[24_000:])


async def test_hits_stand_in_for_those_of_the_picture(calls):
    request = header(frame_count=8, guide=pb.TimingGuide(hit_samples=[1, 17_017]))
    answers = await calls.answers(request, *frame_messages(8, frozenset({5})))
    assert clicks_of(takes_of(answers)[0]) == [1, 17_017]


async def test_pictures_that_the_server_knows_are_not_sent_again(calls):
    frames = list(frame_messages(8, frozenset({6})))
    named = header(frame_count=8, frames_sha256=hashlib.sha256(b"".join(m.frames.rgb24 for m in frames)).digest())
    first = await calls.answers(named, *frames)
    assert [answer.started.has_frames for answer in first if answer.WhichOneof("event") == "started"] == [False]
    again = await calls.answers(named)
    assert [answer.started.has_frames for answer in again if answer.WhichOneof("event") == "started"] == [True]
    assert takes_of(again) == takes_of(first)
    assert clicks_of(takes_of(again)[0]) == [6 * RATE_HZ // 8]


METHODS = {
    "Generate": lambda stub, **options: stub.Generate(iter([header()]), **options),
    "GetServerInfo": lambda stub, **options: stub.GetServerInfo(pb.GetServerInfoRequest(), **options),
}
TOKENS = {"none": (), "wrong": ("Bearer not-the-token-of-this-server",), "bare": None, "twice": None}


@pytest.mark.parametrize("given", TOKENS)
@pytest.mark.parametrize("method", METHODS)
async def test_no_method_answers_without_the_token(service, method, given):
    values = {"bare": (service.token,), "twice": ("Bearer other", f"Bearer {service.token}")}.get(given, TOKENS[given])
    metadata = tuple(("authorization", value) for value in values)
    refused = await refusal(service, lambda stub: METHODS[method](stub, metadata=metadata))
    assert (refused.code, refused.reason, refused.is_retryable) == ("UNAUTHENTICATED", "BAD_TOKEN", False)
    assert service.token not in refused.sentence


async def test_health_is_answered_without_a_token(service):
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "diffava.v1.FoleyService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.Check(health_pb2.HealthCheckRequest(service="diffava.v1.Other"))
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


FRAMES = header(frame_count=8)
KEPT = header(kept=pb.KeptPart(regenerate_start_sample=5, regenerate_stop_sample=9))
REFUSALS = {
    "prompt": ([header(prompt=" ")], "INVALID_ARGUMENT", "INVALID_REQUEST", "The prompt is empty"),
    "rate": ([header(sample_rate_hz=44_100)], "INVALID_ARGUMENT", "INVALID_REQUEST", "44100 Hz"),
    "NaN": ([header(guidance_scale=float("nan"))], "INVALID_ARGUMENT", "INVALID_REQUEST", "scale is nan"),
    "model": ([header(model="maxi")], "NOT_FOUND", "UNKNOWN_MODEL", "no model 'maxi'; it has fake"),
    "takes": ([header(seeds=range(5))], "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", "at most 4; ask for fewer"),
    "nothing": ([], "INVALID_ARGUMENT", "INVALID_REQUEST", "the end of the upload"),
    "no header": (list(frame_messages(4)), "INVALID_ARGUMENT", "INVALID_REQUEST", "and it was frames"),
    "short": ([FRAMES, *frame_messages(4)], "INVALID_ARGUMENT", "INVALID_REQUEST", "4 of 8 frames arrived"),
    "no audio": ([KEPT, *frame_messages(4)], "INVALID_ARGUMENT", "INVALID_REQUEST", "0 of 48000 samples"),
    "memory": ([header(prompt=f"{FAIL}memory")], "RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", "memory did not suffice"),
    "defect": ([header(prompt=f"{FAIL}a defect")], "INTERNAL", "ENGINE_FAILED", "ValueError, error id"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_what_cannot_be_served_is_refused_with_its_code_reason_and_sentence(service, calls, case):
    messages, code, reason, sentence = REFUSALS[case]
    refused = await refusal(service, calls.opened(*messages))
    assert (refused.code, refused.reason, refused.is_retryable) == (code, reason, False)
    assert sentence in refused.sentence
    assert kinds_of(await calls.answers(header()))[-1] == "done", "and the server still serves"


async def test_a_message_beyond_the_limit_is_refused(service, calls):
    huge = pb.GenerateRequest(frames=pb.FrameChunk(rgb24=bytes(5 << 20)))
    refused = await refusal(service, calls.opened(huge))
    assert refused.code == "RESOURCE_EXHAUSTED"


async def test_a_lost_engine_is_an_error_that_may_pass_and_the_next_job_is_done(service, calls):
    refused = await refusal(service, calls.opened(header(prompt=DIE)))
    assert (refused.code, refused.reason, refused.is_retryable) == ("UNAVAILABLE", "ENGINE_LOST", True)
    assert kinds_of(await calls.answers(header()))[-1] == "done"


async def test_a_client_that_stops_sending_is_let_go_and_may_come_again(calls):
    call = calls.open_unfinished()
    await call.write(FRAMES)
    refused = await calls.refusal_of(call)
    assert (refused.code, refused.reason, refused.is_retryable) == ("DEADLINE_EXCEEDED", "UPLOAD_IDLE", True)


async def test_a_full_queue_refuses_and_says_that_it_may_pass(service, calls):
    async with hold() as held:
        running = calls.open(header(prompt=held.prompt))
        await held.reached()
        waiting = [calls.open(header()) for _ in range(SETTINGS["max_queued_jobs"])]
        for call in waiting:
            assert (await call.read()).WhichOneof("event") == "queued"
        refused = await refusal(service, calls.opened(header()))
        assert (refused.code, refused.reason, refused.is_retryable) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL", True)
        assert (await calls.info()).models, "and what is no job is answered meanwhile"
        for call in (running, *waiting):
            call.cancel()


async def test_who_waits_is_told_how_many_are_ahead(calls):
    async with hold() as held:
        running = calls.open(header(prompt=held.prompt))
        await held.reached()
        waiting = aiter(calls.open(header()))
        assert (await anext(waiting)).queued.position == 1
        async with held.open():
            assert kinds_of([answer async for answer in waiting])[-1] == "done"
            assert kinds_of([answer async for answer in running])[-1] == "done"


async def test_clients_take_turns(calls):
    async with hold() as held:
        first = calls.open(header(prompt=held.prompt, client_id="many"))
        await held.reached()
        order = []

        async def run(name, client_id):
            async for answer in calls.open(header(client_id=client_id)):
                if answer.WhichOneof("event") == "queued":
                    entered.set()
                if answer.WhichOneof("event") == "started":
                    order.append(name)

        jobs = []
        for name, client_id in (("many 1", "many"), ("many 2", "many"), ("single", "single")):
            entered = asyncio.Event()
            jobs.append(asyncio.create_task(run(name, client_id)))
            await asyncio.wait_for(entered.wait(), 60)
        async with held.open():
            await asyncio.gather(*jobs)
            assert kinds_of([answer async for answer in first])[-1] == "done"
    assert sorted(order) == ["many 1", "many 2", "single"]
    assert order.index("single") < order.index("many 2"), "one client's jobs do not all go before another's"


async def _is_freed(calls, held, step_count):
    """Whether the engine does another job before the held one has done all its steps, one for each call of ours."""
    other = asyncio.create_task(calls.answers(header()))
    steps = 0
    held.let_on()
    while not other.done():
        reaching = asyncio.create_task(held.reached())
        await asyncio.wait({reaching, other}, return_when=asyncio.FIRST_COMPLETED)
        if not reaching.done():
            reaching.cancel()
            break
        steps = reaching.result()
        await calls.info()
        held.let_on()
    assert kinds_of(await other)[-1] == "done"
    return steps < step_count - 1


@pytest.mark.parametrize("attempt", range(6))  # a cancellation that meets an answer on its way is easily lost
async def test_a_cancelled_job_frees_the_engine_between_two_steps(calls, attempt):
    async with hold() as held:
        call = calls.open(header(prompt=held.prompt, step_count=200))
        await held.reached()
        call.cancel()
        assert await _is_freed(calls, held, 200)
    assert await call.code() == grpc.StatusCode.CANCELLED


async def test_a_job_past_its_deadline_frees_the_engine_between_two_steps(calls):
    async with hold() as held:
        call = calls.open(header(prompt=held.prompt, step_count=200), timeout=0.5)
        await held.reached()
        assert (await calls.refusal_of(call)).code == "DEADLINE_EXCEEDED"
        assert await _is_freed(calls, held, 200)
