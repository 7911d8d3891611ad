"""The plugin's values to protobuf messages and back; knows no network.

Large things travel in flat chunks of at most `CHUNK_BYTES`, since a message is held in memory whole on both sides.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from diffava_proto.v1 import foley_pb2 as pb
from diffava_resolve.client.protocol import AudioBlock, Limits, Progress, Rgb, Samples, ServerInfo, Stage
from diffava_resolve.errors import RequestError, ServerError
from diffava_resolve.spec import SAMPLE_RATE_HZ, FoleyJob, FrameFormat, JobResult, ModelInfo, TimingGuide

CHUNK_BYTES = 1 << 20

_SAMPLERS = {
    "": pb.SAMPLER_UNSPECIFIED,
    "dpmpp_2m": pb.SAMPLER_DPMPP_2M,
    "ddim": pb.SAMPLER_DDIM,
    "euler": pb.SAMPLER_EULER,
}
_SAMPLER_NAMES = {number: name for name, number in _SAMPLERS.items()}
_GUIDE_SOURCES = {"picture": pb.GUIDE_SOURCE_PICTURE, "none": pb.GUIDE_SOURCE_NONE}
_STAGES: dict[int, Stage] = {pb.STAGE_FEATURES: "features", pb.STAGE_LATENT: "latent", pb.STAGE_WAVEFORM: "waveform"}


def header_message(job: FoleyJob, frame_count: int, client_id: str, frames_sha256: str = "") -> pb.GenerateRequest:
    """The first message of a job; `frames_sha256` in hexadecimal digits, where it is known.

    Raises:
        RequestError: The sampler is unknown, or a number does not fit the wire.
    """
    if job.sampler not in _SAMPLERS:
        known = ", ".join(name for name in _SAMPLERS if name)
        raise RequestError(f"There is no sampler {job.sampler!r}; choose one of {known}.")
    kept = None
    if job.regenerate_samples is not None:
        start_sample, stop_sample = job.regenerate_samples
        kept = pb.KeptPart(regenerate_start_sample=start_sample, regenerate_stop_sample=stop_sample)
    try:
        header = pb.GenerateHeader(
            client_id=client_id,
            model=job.model,
            prompt=job.prompt,
            negative_prompt=job.negative_prompt,
            seeds=job.seeds,
            sample_count=job.sample_count,
            sample_rate_hz=SAMPLE_RATE_HZ,
            cut_samples=job.cut_samples,
            frame_count=frame_count,
            step_count=job.step_count,
            guidance_scale=job.guidance_scale,
            sampler=_SAMPLERS[job.sampler],
            kept=kept,
            guide=_guide_message(job.guide),
            frames_sha256=bytes.fromhex(frames_sha256),
        )
    except ValueError as error:
        raise RequestError(
            f"The request has a number out of range ({error}); seeds and counts are not negative."
        ) from error
    return pb.GenerateRequest(header=header)


def _guide_message(guide: TimingGuide) -> pb.TimingGuide:
    return pb.TimingGuide(
        source=_GUIDE_SOURCES[guide.source],
        strength=guide.strength,
        hit_samples=guide.hit_samples,
        has_performance=guide.performance is not None,
    )


def frame_messages(blocks: Iterator[Rgb], frame_format: FrameFormat, frame_count: int) -> Iterator[pb.GenerateRequest]:
    """Blocks of pictures as chunks, pulled one at a time.

    Raises:
        RequestError: The pictures are not in the model's format, or not exactly `frame_count`.
    """
    shape = (frame_format.height_pixels, frame_format.width_pixels, 3)
    frames_per_chunk = max(1, CHUNK_BYTES // (shape[0] * shape[1] * shape[2]))
    first_frame = 0
    for block in blocks:
        if block.shape[1:] != shape or block.dtype != np.uint8:
            raise RequestError(f"The pictures are {block.dtype} {block.shape[1:]}; the model wants uint8 {shape}.")
        for start in range(0, len(block), frames_per_chunk):
            part = np.ascontiguousarray(block[start : start + frames_per_chunk])
            chunk = pb.FrameChunk(first_frame=first_frame, frame_count=len(part), rgb24=part.tobytes())
            first_frame += len(part)
            yield pb.GenerateRequest(frames=chunk)
    if first_frame != frame_count:
        raise RequestError(f"The picture gave {first_frame} frames, the job needs {frame_count}.")


def kept_audio_messages(blocks: Iterator[Samples], sample_count: int) -> Iterator[pb.GenerateRequest]:
    """The audio to keep as chunks, pulled one at a time.

    Raises:
        RequestError: It does not have exactly `sample_count` samples.
    """
    for chunk in _audio_chunks(blocks, "The audio to keep", sample_count):
        yield pb.GenerateRequest(kept_audio=chunk)


def performance_messages(blocks: Iterator[Samples], sample_count: int) -> Iterator[pb.GenerateRequest]:
    """The performance as chunks, pulled one at a time.

    Raises:
        RequestError: It does not have exactly `sample_count` samples.
    """
    for chunk in _audio_chunks(blocks, "The performance", sample_count):
        yield pb.GenerateRequest(performance=chunk)


def _audio_chunks(blocks: Iterator[Samples], subject: str, sample_count: int) -> Iterator[pb.AudioChunk]:
    samples_per_chunk = CHUNK_BYTES // 4
    first_sample = 0
    for block in blocks:
        for start in range(0, len(block), samples_per_chunk):
            part = block[start : start + samples_per_chunk].astype("<f4", copy=False)
            yield pb.AudioChunk(take=0, first_sample=first_sample, pcm_f32le=part.tobytes())
            first_sample += len(part)
    if first_sample != sample_count:
        raise RequestError(f"{subject} has {first_sample} samples, the job {sample_count}.")


def audio_block(chunk: pb.AudioChunk) -> AudioBlock:
    """One chunk of a take."""
    samples = np.frombuffer(chunk.pcm_f32le, dtype="<f4").astype(np.float32, copy=False)
    return AudioBlock(chunk.take, chunk.first_sample, samples)


def progress_event(message: pb.Progress) -> Progress | None:
    """How far the job is, or None for a stage that this client does not know yet."""
    stage = _STAGES.get(message.stage)
    return None if stage is None else Progress(stage, message.completed, message.total)


def job_result(done: pb.Done) -> JobResult:
    """What the server says at the end."""
    return JobResult(
        model=model_info(done.model),
        software_version=done.software_version,
        step_count=done.step_count,
        guidance_scale=done.guidance_scale,
        sampler=_SAMPLER_NAMES.get(done.sampler, ""),
        take_sha256=tuple(done.take_sha256),
        notes=tuple(done.notes),
    )


def model_info(message: pb.ModelInfo) -> ModelInfo:
    """One model.

    Raises:
        ServerError: The server describes it in a way that nobody could follow.
    """
    if message.frame_rate.numerator <= 0 or message.frame_rate.denominator <= 0:
        raise ServerError(f"The server gives no usable frame rate for its model {message.name!r}; update the server.")
    return ModelInfo(
        name=message.name,
        weights_sha256=message.weights_sha256,
        licence=message.licence,
        commercial_use_allowed=message.commercial_use_allowed,
        frames=FrameFormat(
            rate=Fraction(message.frame_rate.numerator, message.frame_rate.denominator),
            width_pixels=message.frame_width_pixels,
            height_pixels=message.frame_height_pixels,
        ),
        sample_rate_hz=message.sample_rate_hz,
        default_step_count=message.default_step_count,
        default_guidance_scale=message.default_guidance_scale,
        warning=message.warning,
        has_timing_guide=message.has_timing_guide,
    )


def server_info(message: pb.GetServerInfoResponse) -> ServerInfo:
    """What the server can do."""
    limits = message.limits
    return ServerInfo(
        software_version=message.software_version,
        models=tuple(model_info(model) for model in message.models),
        limits=Limits(
            limits.max_prompt_characters, limits.max_take_count, limits.max_sample_count, limits.max_step_count
        ),
    )
