"""The model library behind the `Engine` protocol: plain values in, plain values out. The only importer of `diffava`.

Knows no network. torch is loaded when an engine is built, which happens in the worker process alone.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffava_server.config import Precision
from diffava_server.engine.protocol import Audio, EngineModel, FrameBlock, Job, Note, Progress, Seat
from diffava_server.errors import (
    EngineFailedError,
    InvalidRequestError,
    JobCancelledError,
    OutOfMemoryError,
    ServerError,
    UnknownModelError,
)

if TYPE_CHECKING:
    import torch

    from diffava.pipeline import FoleyPipeline
    from diffava.spec import FoleyRequest, Frames


class LocalEngine:
    """Runs `FoleyPipeline`s in this process.

    Args:
        names: Presets of the library, or folders that it saved; the first is the default.
        device: As torch calls it, or "auto": the first CUDA GPU, or else the CPU.
        precision: "auto" is what each model wants of a machine that is fast at it, float32 elsewhere.
        is_compiled: Whether the denoisers' steps become CUDA graphs.

    Raises:
        UnknownModelError: A name is neither, its folder is damaged, another model has the same name, or a model
            cannot compute as it is told to.
        EngineFailedError: This machine, or this build of torch, has no such device.
    """

    def __init__(
        self, names: tuple[str, ...], device: str = "auto", precision: Precision = "auto", is_compiled: bool = False
    ) -> None:
        for name in names:
            _check_known(name)  # before torch is loaded, which takes seconds: a typing mistake is answered at once
        _let_threads_sleep()
        found = _device(device)
        self._pipelines: dict[str, FoleyPipeline] = {}
        for name in dict.fromkeys(names):
            pipeline = _open(name, found, precision, is_compiled)
            if pipeline.name in self._pipelines:
                raise UnknownModelError(
                    f"Two of the models are called '{pipeline.name}', the second from '{name}', and clients ask for a "
                    "model by its name; serve one of them."
                )
            self._pipelines[pipeline.name] = pipeline

    def models(self) -> tuple[EngineModel, ...]:
        """As `Engine.models`."""
        return tuple(_describe(pipeline) for pipeline in self._pipelines.values())

    def remembered(self) -> frozenset[str]:
        """As `Engine.remembered`: nothing yet."""
        return frozenset()

    def run(self, seats: Sequence[Seat]) -> None:
        """As `Engine.run`, one seat after another."""
        for seat in seats:
            try:
                self._run(seat)
            except ServerError as error:
                seat.end(error)
            else:
                seat.end()

    def _run(self, seat: Seat) -> None:
        import torch

        from diffava import errors

        job, emit = seat.job, seat.emit
        pipeline = self._pipelines.get(job.model)
        if pipeline is None:
            raise UnknownModelError(f"This engine has no model '{job.model}', only {', '.join(self._pipelines)}.")
        size = pipeline.spec.frame_size_pixels
        try:
            request = _request(job)
            for note in pipeline.notes(request):
                emit(Note(note))
            blocks = pipeline.generate(
                request,
                (_tensor(block, size) for block in seat.frames()),
                on_progress=lambda p: emit(Progress(p.stage, p.completed, p.total)),
                is_cancelled=seat.is_cancelled,
            )
            for block in blocks:
                pcm_f32le = block.samples.detach().cpu().numpy().astype("<f4", copy=False).tobytes()
                emit(Audio(block.take, block.first_sample, pcm_f32le))
        except errors.CancelledError as error:
            raise JobCancelledError("The job was cancelled.") from error
        except errors.RequestError as error:
            raise InvalidRequestError(str(error)) from error
        except errors.DiffavaError as error:
            raise EngineFailedError(str(error)) from error
        except RuntimeError as error:
            # On the CPU torch raises no class of its own for it.
            if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(error):
                raise
            raise OutOfMemoryError(
                "The memory did not suffice for this job; ask for a shorter range, fewer takes or a smaller model."
            ) from error


def _check_known(name: str) -> None:
    from diffava.config import preset_names

    if name not in preset_names() and not Path(name).is_dir():
        raise UnknownModelError(
            f"There is no model '{name}': it is neither a preset ({', '.join(preset_names())}) nor a model's folder."
        )


def _let_threads_sleep() -> None:
    """Make torch's CPU threads sleep while they wait for each other; read once, when torch is first loaded.

    By default they spin, each holding a core. Beside a busy editor every one of thousands of short steps then waits
    for a thread that has no core: measured ten times slower and more (`tests/benchmarks/README.md`).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _device(asked: str) -> "torch.device":
    """Metal is used only when asked for: no model of ours has been seen running on it."""
    import torch

    kind = asked.partition(":")[0]
    if kind == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}[kind]
    device = torch.device(asked)
    if (device.index or 0) >= found:
        raise EngineFailedError(
            f"The device {asked} was asked for, and torch {torch.__version__} finds {found} of kind {kind} on this "
            "machine; start the server with --device auto, or run `diffava doctor`."
        )
    return device


def _open(name: str, device: "torch.device", precision: Precision, is_compiled: bool) -> "FoleyPipeline":
    from diffava.builders import open_model
    from diffava.compute import Compute
    from diffava.errors import DiffavaError

    try:
        return open_model(name, device, Compute(precision, may_rest=True, is_compiled=is_compiled))
    except DiffavaError as error:
        raise UnknownModelError(f"The model '{name}' cannot be loaded: {error}") from error


def _describe(pipeline: "FoleyPipeline") -> EngineModel:
    config, spec = pipeline.config, pipeline.spec
    return EngineModel(
        name=pipeline.name,
        weights_sha256=pipeline.weights_sha256,
        licence=config.licence,
        commercial_use_allowed=config.commercial_use_allowed,
        frame_rate=spec.frame_rate,
        frame_width_pixels=spec.frame_size_pixels,
        frame_height_pixels=spec.frame_size_pixels,
        sample_rate_hz=spec.output_rate_hz,
        default_step_count=config.defaults.step_count,
        default_guidance_scale=config.defaults.guidance_scale,
        default_sampler=config.defaults.sampler,
        warning=config.warning,
        has_timing_guide=config.has_timing_guide,
    )


def _request(job: Job) -> "FoleyRequest":
    from diffava.spec import FoleyRequest, KeptPart

    kept = None
    if job.kept is not None:
        waveform = _waveform(job.kept.pcm_f32le)
        kept = KeptPart(waveform, job.kept.regenerate_start_sample, job.kept.regenerate_stop_sample)
    performance_f32le = job.guide.performance_f32le
    return FoleyRequest(
        prompt=job.prompt,
        sample_count=job.sample_count,
        seeds=job.seeds,
        negative_prompt=job.negative_prompt,
        cut_samples=job.cut_samples,
        frame_count=job.frame_count,
        step_count=job.step_count,
        guidance_scale=job.guidance_scale,
        sampler=job.sampler,
        kept=kept,
        guide=job.guide.source,
        guide_strength=job.guide.strength,
        hit_samples=job.guide.hit_samples,
        performance=None if performance_f32le is None else _waveform(performance_f32le),
    )


def _waveform(pcm_f32le: bytes) -> "torch.Tensor":
    import torch

    return torch.from_numpy(np.frombuffer(pcm_f32le, "<f4").astype(np.float32))


def _tensor(block: FrameBlock, size_pixels: int) -> "Frames":
    import torch

    from diffava.spec import Frames

    rgb = np.frombuffer(block.rgb24, np.uint8).reshape(block.frame_count, size_pixels, size_pixels, 3)
    return Frames(block.first_frame, torch.from_numpy(rgb.copy()))
