"""Requests that are almost right: mutated in their bytes, their fields and their order. All follows from a seed.

`answer` is what the server's validators say to one, without a network: the reason of their refusal, or that it is well.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.config import ServerConfig
from diffava_server.engine.fake import FakeEngine
from diffava_server.errors import ServerError
from diffava_server.rpc.translate import done_message
from diffava_server.rpc.upload import Upload
from diffava_server.rpc.validate import job_from_header, model_of

ENGINE = FakeEngine(step_count=1)
MODELS = ENGINE.models()
LIMITS: dict[str, Any] = {"max_sample_count": 48_000, "max_take_count": 3, "max_step_count": 4, "max_cut_count": 50}
"""So small that whatever is well takes no time."""

WELL = "WELL"
UNDECODABLE = "UNDECODABLE"

_NUMBERS = (0, 1, 2, 7, 47_999, 48_000, 48_001, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, -1, -(2**31))
_FLOATS = (0.0, -0.0, 0.5, 1.0, 2.0, -1.0, 1e308, -1e308, 1e-320, float("inf"), float("-inf"), float("nan"))
_TEXTS = ("", " ", "fake", "\0", "x" * 201, "é" * 2_001, "\u202e", "../../etc/passwd", "file:///etc/passwd", "fake\n")


def request(chance: random.Random) -> list[pb.GenerateRequest]:
    """One request as a good client sends it."""
    (model,) = MODELS
    sample_count = chance.choice((1, 999, 12_000, 24_001))
    has_frames, has_kept, has_performance = (chance.random() < share for share in (0.6, 0.3, 0.3))
    cuts = sorted(chance.sample(range(1, sample_count), min(sample_count - 1, chance.randrange(4))))
    header = pb.GenerateHeader(
        client_id=f"editor-{chance.randrange(9)}",
        model=chance.choice(("", model.name)),
        prompt="a door",
        negative_prompt=chance.choice(("", "voices")),
        seeds=[chance.getrandbits(64) for _ in range(chance.randint(1, 2))],
        sample_count=sample_count,
        sample_rate_hz=model.sample_rate_hz,
        cut_samples=cuts,
        frame_count=model.frame_count(sample_count) if has_frames else 0,
        step_count=chance.randrange(3),
        guidance_scale=chance.choice((0.0, 1.0, 3.5)),
        sampler=chance.randrange(4),
        guide=pb.TimingGuide(strength=1.0, hit_samples=cuts, has_performance=has_performance),
        frames_sha256=chance.choice((b"", b"", chance.randbytes(32))) if has_frames else b"",
    )
    if has_kept:
        header.kept.regenerate_stop_sample = sample_count
    sound = np.linspace(-1, 1, sample_count, dtype="<f4").tobytes()
    messages = [pb.GenerateRequest(header=header)]
    if has_kept:
        messages += [pb.GenerateRequest(kept_audio=chunk) for chunk in _chunks(sound)]
    if has_performance:
        messages += [pb.GenerateRequest(performance=chunk) for chunk in _chunks(sound)]
    for first in range(0, header.frame_count, 2):
        count = min(2, header.frame_count - first)
        rgb24 = bytes(count * model.frame_bytes)
        messages.append(pb.GenerateRequest(frames=pb.FrameChunk(first_frame=first, frame_count=count, rgb24=rgb24)))
    return messages


def _chunks(sound: bytes) -> Iterator[pb.AudioChunk]:
    for start in range(0, len(sound), 40_000):
        yield pb.AudioChunk(first_sample=start // 4, pcm_f32le=sound[start : start + 40_000])


def mutated(chance: random.Random) -> list[bytes]:
    """A good request, spoilt in one to three ways, as it goes over the wire."""
    messages = request(chance)
    raw: list[bytes] | None = None
    for _ in range(chance.randint(1, 3)):
        way = chance.choice(("field", "field", "order", "bytes"))
        if way == "field" and raw is None:
            _spoil_a_field(chance.choice((messages[0], chance.choice(messages))), chance)
        elif way == "order":
            raw = raw or [message.SerializeToString() for message in messages]
            _spoil_order(raw, chance)
        else:
            raw = raw or [message.SerializeToString() for message in messages]
            place = chance.randrange(len(raw))
            raw[place] = _spoilt_bytes(raw[place], chance)
    return raw if raw is not None else [message.SerializeToString() for message in messages]


def _spoil_a_field(message: Any, chance: random.Random) -> None:
    """Set one field, somewhere in the message, to something that its type allows and its meaning may not."""
    fields = list(message.DESCRIPTOR.fields)
    if isinstance(message, pb.GenerateRequest):
        fields = [message.DESCRIPTOR.fields_by_name[message.WhichOneof("part") or "header"]]
    field = chance.choice(fields)
    if field.message_type is not None:
        _spoil_a_field(getattr(message, field.name), chance)
        return
    try:
        if field.is_repeated:
            values = getattr(message, field.name)
            values.extend(_value(field, chance) for _ in range(chance.choice((1, 2, 60))))
        else:
            setattr(message, field.name, _value(field, chance))
    except ValueError:
        return  # outside its type: protobuf itself does not let it out


def _value(field: Any, chance: random.Random) -> Any:
    match field.cpp_type:
        case field.CPPTYPE_STRING:
            return (
                chance.randbytes(chance.choice((0, 31, 32, 33)))
                if field.type == field.TYPE_BYTES
                else chance.choice(_TEXTS)
            )
        case field.CPPTYPE_DOUBLE | field.CPPTYPE_FLOAT:
            return chance.choice(_FLOATS)
        case field.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case _:
            return chance.choice(_NUMBERS)


def _spoil_order(raw: list[bytes], chance: random.Random) -> None:
    way = chance.randrange(5)
    place = chance.randrange(len(raw))
    if way == 0 and len(raw) > 1:
        del raw[place]
    elif way == 1:
        raw.insert(place, raw[chance.randrange(len(raw))])
    elif way == 2:
        chance.shuffle(raw)
    elif way == 3:
        raw.insert(place, b"")
    else:
        raw.insert(place, chance.choice(request(chance)).SerializeToString())


def _spoilt_bytes(data: bytes, chance: random.Random) -> bytes:
    spoilt = bytearray(data or b"\x0a\x00")
    # Near the front stand tags and lengths; far back there are mostly samples and pictures.
    place = chance.randrange(min(len(spoilt), chance.choice((8, 64, len(spoilt)))))
    match chance.randrange(5):
        case 0:
            spoilt[place] ^= 1 << chance.randrange(8)
        case 1:
            spoilt[place] = chance.choice((0x00, 0x7F, 0x80, 0xFF))
        case 2:
            del spoilt[place:]
        case 3:
            spoilt[place:place] = chance.randbytes(chance.randint(1, 8))
        case _:
            spoilt[place:place] = b"\xff" * 9 + b"\x01"  # the largest number there is
    return bytes(spoilt)


def answer(raw: Sequence[bytes], config: ServerConfig) -> str:
    """What the validators say: a refusal's reason, `WELL`, or `UNDECODABLE` where gRPC would not even ask them.

    Anything but a `ServerError` that they raise is a defect, and comes through.
    """
    try:
        messages = [pb.GenerateRequest.FromString(each) for each in raw]
    except DecodeError:
        return UNDECODABLE
    try:
        asyncio.run(_taken(messages, config))
    except ServerError as error:
        return error.reason if str(error) else "WITHOUT_A_SENTENCE"
    return WELL


async def _taken(messages: list[pb.GenerateRequest], config: ServerConfig) -> None:
    coming = iter(messages)

    async def read() -> object:
        return next(coming, None)

    upload = Upload(read, idle_s=10)
    header = await upload.header()
    job = job_from_header(header, MODELS, config)
    model = model_of(job.model, MODELS)
    job = await upload.with_audio(job)
    async for block in upload.frames(job, model):
        assert len(block.rgb24) == block.frame_count * model.frame_bytes
    done_message(job, model, "1", (), [])
