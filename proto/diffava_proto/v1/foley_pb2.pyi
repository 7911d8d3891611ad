from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sampler(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLER_UNSPECIFIED: _ClassVar[Sampler]
    SAMPLER_DPMPP_2M: _ClassVar[Sampler]
    SAMPLER_DDIM: _ClassVar[Sampler]
    SAMPLER_EULER: _ClassVar[Sampler]

class GuideSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUIDE_SOURCE_UNSPECIFIED: _ClassVar[GuideSource]
    GUIDE_SOURCE_PICTURE: _ClassVar[GuideSource]
    GUIDE_SOURCE_NONE: _ClassVar[GuideSource]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_FEATURES: _ClassVar[Stage]
    STAGE_LATENT: _ClassVar[Stage]
    STAGE_WAVEFORM: _ClassVar[Stage]
SAMPLER_UNSPECIFIED: Sampler
SAMPLER_DPMPP_2M: Sampler
SAMPLER_DDIM: Sampler
SAMPLER_EULER: Sampler
GUIDE_SOURCE_UNSPECIFIED: GuideSource
GUIDE_SOURCE_PICTURE: GuideSource
GUIDE_SOURCE_NONE: GuideSource
STAGE_UNSPECIFIED: Stage
STAGE_FEATURES: Stage
STAGE_LATENT: Stage
STAGE_WAVEFORM: Stage

class GenerateRequest(_message.Message):
    __slots__ = ("header", "frames", "kept_audio", "performance")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    KEPT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    header: GenerateHeader
    frames: FrameChunk
    kept_audio: AudioChunk
    performance: AudioChunk
    def __init__(self, header: _Optional[_Union[GenerateHeader, _Mapping]] = ..., frames: _Optional[_Union[FrameChunk, _Mapping]] = ..., kept_audio: _Optional[_Union[AudioChunk, _Mapping]] = ..., performance: _Optional[_Union[AudioChunk, _Mapping]] = ...) -> None: ...

class Rational(_message.Message):
    __slots__ = ("numerator", "denominator")
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    numerator: int
    denominator: int
    def __init__(self, numerator: _Optional[int] = ..., denominator: _Optional[int] = ...) -> None: ...

class GenerateHeader(_message.Message):
    __slots__ = ("client_id", "model", "prompt", "negative_prompt", "seeds", "sample_count", "sample_rate_hz", "cut_samples", "frame_count", "step_count", "guidance_scale", "sampler", "kept", "guide", "frames_sha256")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CUT_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    GUIDE_FIELD_NUMBER: _ClassVar[int]
    FRAMES_SHA256_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    model: str
    prompt: str
    negative_prompt: str
    seeds: _containers.RepeatedScalarFieldContainer[int]
    sample_count: int
    sample_rate_hz: int
    cut_samples: _containers.RepeatedScalarFieldContainer[int]
    frame_count: int
    step_count: int
    guidance_scale: float
    sampler: Sampler
    kept: KeptPart
    guide: TimingGuide
    frames_sha256: bytes
    def __init__(self, client_id: _Optional[str] = ..., model: _Optional[str] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., seeds: _Optional[_Iterable[int]] = ..., sample_count: _Optional[int] = ..., sample_rate_hz: _Optional[int] = ..., cut_samples: _Optional[_Iterable[int]] = ..., frame_count: _Optional[int] = ..., step_count: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., sampler: _Optional[_Union[Sampler, str]] = ..., kept: _Optional[_Union[KeptPart, _Mapping]] = ..., guide: _Optional[_Union[TimingGuide, _Mapping]] = ..., frames_sha256: _Optional[bytes] = ...) -> None: ...

class TimingGuide(_message.Message):
    __slots__ = ("source", "strength", "hit_samples", "has_performance")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    HIT_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    HAS_PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    source: GuideSource
    strength: float
    hit_samples: _containers.RepeatedScalarFieldContainer[int]
    has_performance: bool
    def __init__(self, source: _Optional[_Union[GuideSource, str]] = ..., strength: _Optional[float] = ..., hit_samples: _Optional[_Iterable[int]] = ..., has_performance: _Optional[bool] = ...) -> None: ...

class KeptPart(_message.Message):
    __slots__ = ("regenerate_start_sample", "regenerate_stop_sample")
    REGENERATE_START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    REGENERATE_STOP_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    regenerate_start_sample: int
    regenerate_stop_sample: int
    def __init__(self, regenerate_start_sample: _Optional[int] = ..., regenerate_stop_sample: _Optional[int] = ...) -> None: ...

class FrameChunk(_message.Message):
    __slots__ = ("first_frame", "frame_count", "rgb24")
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    RGB24_FIELD_NUMBER: _ClassVar[int]
    first_frame: int
    frame_count: int
    rgb24: bytes
    def __init__(self, first_frame: _Optional[int] = ..., frame_count: _Optional[int] = ..., rgb24: _Optional[bytes] = ...) -> None: ...

class AudioChunk(_message.Message):
    __slots__ = ("take", "first_sample", "pcm_f32le")
    TAKE_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    PCM_F32LE_FIELD_NUMBER: _ClassVar[int]
    take: int
    first_sample: int
    pcm_f32le: bytes
    def __init__(self, take: _Optional[int] = ..., first_sample: _Optional[int] = ..., pcm_f32le: _Optional[bytes] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("queued", "started", "progress", "audio", "done")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    queued: Queued
    started: Started
    progress: Progress
    audio: AudioChunk
    done: Done
    def __init__(self, queued: _Optional[_Union[Queued, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., audio: _Optional[_Union[AudioChunk, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("position", "estimated_wait_ms")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    position: int
    estimated_wait_ms: int
    def __init__(self, position: _Optional[int] = ..., estimated_wait_ms: _Optional[int] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("has_frames",)
    HAS_FRAMES_FIELD_NUMBER: _ClassVar[int]
    has_frames: bool
    def __init__(self, has_frames: _Optional[bool] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("stage", "completed", "total")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    completed: int
    total: int
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., completed: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("model", "software_version", "step_count", "guidance_scale", "sampler", "take_sha256", "notes")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_FIELD_NUMBER: _ClassVar[int]
    TAKE_SHA256_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    model: ModelInfo
    software_version: str
    step_count: int
    guidance_scale: float
    sampler: Sampler
    take_sha256: _containers.RepeatedScalarFieldContainer[str]
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[_Union[ModelInfo, _Mapping]] = ..., software_version: _Optional[str] = ..., step_count: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., sampler: _Optional[_Union[Sampler, str]] = ..., take_sha256: _Optional[_Iterable[str]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("software_version", "models", "limits")
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    software_version: str
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    limits: Limits
    def __init__(self, software_version: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "weights_sha256", "licence", "commercial_use_allowed", "frame_rate", "frame_width_pixels", "frame_height_pixels", "sample_rate_hz", "default_step_count", "default_guidance_scale", "warning", "has_timing_guide", "is_loaded")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    COMMERCIAL_USE_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    FRAME_WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    FRAME_HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    HAS_TIMING_GUIDE_FIELD_NUMBER: _ClassVar[int]
    IS_LOADED_FIELD_NUMBER: _ClassVar[int]
    name: str
    weights_sha256: str
    licence: str
    commercial_use_allowed: bool
    frame_rate: Rational
    frame_width_pixels: int
    frame_height_pixels: int
    sample_rate_hz: int
    default_step_count: int
    default_guidance_scale: float
    warning: str
    has_timing_guide: bool
    is_loaded: bool
    def __init__(self, name: _Optional[str] = ..., weights_sha256: _Optional[str] = ..., licence: _Optional[str] = ..., commercial_use_allowed: _Optional[bool] = ..., frame_rate: _Optional[_Union[Rational, _Mapping]] = ..., frame_width_pixels: _Optional[int] = ..., frame_height_pixels: _Optional[int] = ..., sample_rate_hz: _Optional[int] = ..., default_step_count: _Optional[int] = ..., default_guidance_scale: _Optional[float] = ..., warning: _Optional[str] = ..., has_timing_guide: _Optional[bool] = ..., is_loaded: _Optional[bool] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_message_bytes", "max_prompt_characters", "max_take_count", "max_sample_count", "max_step_count", "max_queued_jobs")
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PROMPT_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MAX_TAKE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_JOBS_FIELD_NUMBER: _ClassVar[int]
    max_message_bytes: int
    max_prompt_characters: int
    max_take_count: int
    max_sample_count: int
    max_step_count: int
    max_queued_jobs: int
    def __init__(self, max_message_bytes: _Optional[int] = ..., max_prompt_characters: _Optional[int] = ..., max_take_count: _Optional[int] = ..., max_sample_count: _Optional[int] = ..., max_step_count: _Optional[int] = ..., max_queued_jobs: _Optional[int] = ...) -> None: ...
