"""What a job's header must say, before anything is queued for it: every refusal with its sentence. Knows no network.

protobuf itself lets through NaN, unknown enum numbers and absent fields, so each is looked at here.
"""

import itertools

from diffava_proto.v1 import foley_pb2 as pb
from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import EngineModel, Job, KeptAudio, TimingGuide
from diffava_server.errors import InvalidRequestError, LimitError, UnknownModelError
from diffava_server.rpc.translate import GUIDE_SOURCES, SAMPLERS

MAX_GUIDE_STRENGTH = 2.0  # as the model library has it
SHA256_BYTES = 32
MAX_NAME_CHARACTERS = 200  # a refusal repeats the model's name, and a status has room for 8 KiB


def job_from_header(header: pb.GenerateHeader, models: tuple[EngineModel, ...], config: ServerConfig) -> Job:
    """Check a header and fill in the model's defaults.

    Raises:
        UnknownModelError: No such model is loaded.
        LimitError: A number is beyond what this server takes.
        InvalidRequestError: Anything else is not as the contract says.
    """
    _check_words(header, config)
    model = model_of(header.model, models)
    _check_range(header, model, config)
    if not header.seeds:
        raise InvalidRequestError("The request has no seeds; give one for each take.")
    _check_at_most("takes", len(header.seeds), config.max_take_count)
    _check_at_most("steps", header.step_count, config.max_step_count)
    _check_guidance(header.guidance_scale, config.max_guidance_scale)
    if header.sampler != pb.SAMPLER_UNSPECIFIED and header.sampler not in SAMPLERS:
        raise InvalidRequestError(f"This server has no sampler number {header.sampler}; it knows {_sampler_names()}.")
    return Job(
        model=model.name,
        prompt=header.prompt,
        sample_count=header.sample_count,
        seeds=tuple(header.seeds),
        negative_prompt=header.negative_prompt,
        cut_samples=tuple(header.cut_samples),
        frame_count=header.frame_count,
        step_count=header.step_count or model.default_step_count,
        guidance_scale=header.guidance_scale or model.default_guidance_scale,
        sampler=SAMPLERS.get(header.sampler, model.default_sampler),
        kept=_kept(header),
        guide=_guide(header, model, config),
        frames_sha256=header.frames_sha256,
    )


def model_of(name: str, models: tuple[EngineModel, ...]) -> EngineModel:
    """The model of that name; the first for an empty name.

    Raises:
        UnknownModelError: No such model is loaded.
    """
    for model in models:
        if name in ("", model.name):
            return model
    known = ", ".join(model.name for model in models)
    raise UnknownModelError(f"This server has no model '{name}'; it has {known}.")


def _check_words(header: pb.GenerateHeader, config: ServerConfig) -> None:
    if not header.prompt.strip():
        raise InvalidRequestError("The prompt is empty; say in a few words what should be heard.")
    for name, text in (("prompt", header.prompt), ("negative prompt", header.negative_prompt)):
        if len(text) > config.max_prompt_characters:
            raise LimitError(
                f"The {name} has {len(text)} characters and this server takes {config.max_prompt_characters}; cut it."
            )
    for name, text in (("client id", header.client_id), ("model's name", header.model)):
        if len(text) > MAX_NAME_CHARACTERS:
            raise LimitError(f"The {name} has {len(text)} characters; give at most {MAX_NAME_CHARACTERS}.")


def _check_range(header: pb.GenerateHeader, model: EngineModel, config: ServerConfig) -> None:
    if header.sample_rate_hz != model.sample_rate_hz:
        raise InvalidRequestError(
            f"The range is counted at {header.sample_rate_hz} Hz and the model '{model.name}' makes "
            f"{model.sample_rate_hz} Hz; count it at the model's rate."
        )
    if header.sample_count == 0:
        raise InvalidRequestError("The range has 0 samples; choose a range with at least one frame.")
    if header.sample_count > config.max_sample_count:
        raise LimitError(
            f"The range has {header.sample_count / model.sample_rate_hz:.1f} s and this server takes "
            f"{config.max_sample_count / model.sample_rate_hz:.1f} s; choose a shorter one."
        )
    if header.frames_sha256 and (len(header.frames_sha256) != SHA256_BYTES or not header.frame_count):
        raise InvalidRequestError(
            f"The header names {header.frame_count} frames by a hash of {len(header.frames_sha256)} bytes; give the "
            f"{SHA256_BYTES} bytes of their sha256, or none."
        )
    _check_at_most("cuts", len(header.cut_samples), config.max_cut_count)
    edges = (0, *header.cut_samples, header.sample_count)
    for before, after in itertools.pairwise(edges):
        if before >= after:
            raise InvalidRequestError(
                f"The cuts do not rise strictly inside the range: {after} comes after {before} "
                f"in a range of {header.sample_count} samples."
            )
    wanted = model.frame_count(header.sample_count)
    if header.frame_count not in (0, wanted):
        raise InvalidRequestError(
            f"The header announces {header.frame_count} frames; a range of {header.sample_count} samples at "
            f"{model.frame_rate} frames a second has {wanted} (or 0 for sound from the prompt alone)."
        )


def _check_at_most(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LimitError(f"The request wants {count} {what} and this server does at most {limit}; ask for fewer.")


def _check_guidance(scale: float, limit: float) -> None:
    if scale != 0 and not 1 <= scale <= limit:  # NaN is neither
        raise InvalidRequestError(
            f"The guidance scale is {scale:g}; give a number from 1 (off) to {limit:g}, or 0 for the model's default."
        )


def _kept(header: pb.GenerateHeader) -> KeptAudio | None:
    if not header.HasField("kept"):
        return None
    start, stop = header.kept.regenerate_start_sample, header.kept.regenerate_stop_sample
    if not start < stop <= header.sample_count:
        raise InvalidRequestError(
            f"The part to make anew, {start}..{stop}, is not inside the take's 0..{header.sample_count}."
        )
    return KeptAudio(start, stop)


def _guide(header: pb.GenerateHeader, model: EngineModel, config: ServerConfig) -> TimingGuide:
    guide = header.guide
    if guide.source not in GUIDE_SOURCES:
        raise InvalidRequestError(
            f"This server has no timing guide's source number {guide.source}; it knows {pb.GUIDE_SOURCE_PICTURE} "
            f"(picture) and {pb.GUIDE_SOURCE_NONE} (none)."
        )
    strength = guide.strength if guide.HasField("strength") else 1.0
    if not 0 <= strength <= MAX_GUIDE_STRENGTH:  # NaN is neither
        raise InvalidRequestError(
            f"The guide's strength is {strength:g}; give a number from 0 (off) to {MAX_GUIDE_STRENGTH:g}."
        )
    if (guide.hit_samples or guide.has_performance) and not model.has_timing_guide:
        raise InvalidRequestError(
            f"The model '{model.name}' has no timing guide; choose another model, or give neither hits nor a "
            "performance."
        )
    _check_at_most("hits", len(guide.hit_samples), config.max_hit_count)
    for before, after in itertools.pairwise((-1, *guide.hit_samples, header.sample_count)):
        if before >= after:
            raise InvalidRequestError(
                f"The hits do not rise strictly inside the range: {after} comes after {before} "
                f"in a range of {header.sample_count} samples."
            )
    return TimingGuide(
        source=GUIDE_SOURCES[guide.source],
        strength=strength,
        hit_samples=tuple(guide.hit_samples),
        performance_f32le=b"" if guide.has_performance else None,
    )


def _sampler_names() -> str:
    return ", ".join(f"{number} ({name})" for number, name in SAMPLERS.items())
