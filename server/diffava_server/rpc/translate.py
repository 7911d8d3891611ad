"""Protobuf messages to the engine's plain values and back. Knows no network; `validate.py` says what is acceptable."""

from collections.abc import Iterator

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import Audio, EngineModel, GuideSource, Job, Progress, SamplerName, Stage
from diffava_server.jobs.channel import Started, Waiting

AUDIO_CHUNK_BYTES = 256 << 10
MAX_UINT32 = (1 << 32) - 1

SAMPLERS: dict[pb.Sampler, SamplerName] = {
    pb.SAMPLER_DPMPP_2M: "dpmpp_2m",
    pb.SAMPLER_DDIM: "ddim",
    pb.SAMPLER_EULER: "euler",
}
SAMPLER_NUMBERS = {name: number for number, name in SAMPLERS.items()}
GUIDE_SOURCES: dict[pb.GuideSource, GuideSource] = {
    pb.GUIDE_SOURCE_UNSPECIFIED: "picture",
    pb.GUIDE_SOURCE_PICTURE: "picture",
    pb.GUIDE_SOURCE_NONE: "none",
}
STAGES: dict[Stage, pb.Stage] = {
    "features": pb.STAGE_FEATURES,
    "latent": pb.STAGE_LATENT,
    "waveform": pb.STAGE_WAVEFORM,
}


def model_message(model: EngineModel) -> pb.ModelInfo:
    """One model, for the client and for the receipt."""
    return pb.ModelInfo(
        name=model.name,
        weights_sha256=model.weights_sha256,
        licence=model.licence,
        commercial_use_allowed=model.commercial_use_allowed,
        frame_rate=pb.Rational(numerator=model.frame_rate.numerator, denominator=model.frame_rate.denominator),
        frame_width_pixels=model.frame_width_pixels,
        frame_height_pixels=model.frame_height_pixels,
        sample_rate_hz=model.sample_rate_hz,
        default_step_count=model.default_step_count,
        default_guidance_scale=model.default_guidance_scale,
        warning=model.warning,
        has_timing_guide=model.has_timing_guide,
        is_loaded=model.is_loaded,
    )


def info_message(
    models: tuple[EngineModel, ...], config: ServerConfig, software_version: str
) -> pb.GetServerInfoResponse:
    """What this server can do."""
    return pb.GetServerInfoResponse(
        software_version=software_version,
        models=[model_message(model) for model in models],
        limits=pb.Limits(
            max_message_bytes=config.max_message_bytes,
            max_prompt_characters=config.max_prompt_characters,
            max_take_count=config.max_take_count,
            max_sample_count=config.max_sample_count,
            max_step_count=config.max_step_count,
            max_queued_jobs=config.max_queued_jobs,
        ),
    )


def queued_message(waiting: Waiting) -> pb.GenerateResponse:
    """How many jobs are ahead, and how long they are going to take."""
    wait_ms = round((waiting.estimated_wait_s or 0.0) * 1000)
    return pb.GenerateResponse(queued=pb.Queued(position=waiting.position, estimated_wait_ms=min(wait_ms, MAX_UINT32)))


def started_message(started: Started) -> pb.GenerateResponse:
    """The job's turn has come."""
    return pb.GenerateResponse(started=pb.Started(has_frames=started.has_frames))


def progress_message(progress: Progress) -> pb.GenerateResponse:
    """How far a stage is."""
    return pb.GenerateResponse(
        progress=pb.Progress(stage=STAGES[progress.stage], completed=progress.completed, total=progress.total)
    )


def audio_messages(audio: Audio) -> Iterator[pb.GenerateResponse]:
    """An engine's block of any length as chunks of at most `AUDIO_CHUNK_BYTES`."""
    for start in range(0, len(audio.pcm_f32le), AUDIO_CHUNK_BYTES):
        yield pb.GenerateResponse(
            audio=pb.AudioChunk(
                take=audio.take,
                first_sample=audio.first_sample + start // 4,
                pcm_f32le=audio.pcm_f32le[start : start + AUDIO_CHUNK_BYTES],
            )
        )


def done_message(
    job: Job, model: EngineModel, software_version: str, take_sha256: tuple[str, ...], notes: list[str]
) -> pb.GenerateResponse:
    """What made the takes, with the defaults filled in."""
    return pb.GenerateResponse(
        done=pb.Done(
            model=model_message(model),
            software_version=software_version,
            step_count=job.step_count,
            guidance_scale=job.guidance_scale,
            sampler=SAMPLER_NUMBERS[job.sampler],
            take_sha256=take_sha256,
            notes=notes,
        )
    )
