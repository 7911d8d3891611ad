"""The model library behind the `Engine` protocol: seats in, samples out. Knows no network.

torch is loaded when an engine is built, which happens in the worker process alone.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diffava_server.config import Precision, ServerConfig
from diffava_server.engine.device import found_device, keep_freed_memory, let_threads_sleep
from diffava_server.engine.protocol import EngineFactory, EngineModel, Seat, key_of_pictures
from diffava_server.errors import EngineFailedError, UnknownModelError

if TYPE_CHECKING:
    from diffava.pipeline import FoleyPipeline

WARM_UP_S = 0.5


class LocalEngine:
    """Runs `FoleyPipeline`s in this process.

    Args:
        names: Presets of the library, or folders that it saved; the first is the default.
        device: As torch calls it, or "auto": the first CUDA GPU, or else the CPU.
        precision: "auto" is what each model wants of a machine that is fast at it, float32 elsewhere.
        is_compiled: Whether the denoisers' steps become CUDA graphs.
        memory_gb: What the weights of all models that are in memory may take, in GB; None: all are loaded at once.

    Raises:
        UnknownModelError: A name is neither, its folder is damaged, another model has the same name, or a model
            cannot compute as it is told to.
        EngineFailedError: This machine, or this build of torch, has no such device, a model is too large for the
            memory, or it cannot make a short sound.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        device: str = "auto",
        precision: Precision = "auto",
        is_compiled: bool = False,
        memory_gb: float | None = None,
    ) -> None:
        for name in names:
            _check_known(name)  # before torch is loaded, which takes seconds: a typing mistake is answered at once
        let_threads_sleep()
        keep_freed_memory()
        found = found_device(device)
        from diffava.compute import Compute
        from diffava_server.engine.shelf import ModelShelf, Opening

        compute = Compute(precision, may_rest=True, is_compiled=is_compiled)
        limit_bytes = None if memory_gb is None else round(memory_gb * 1e9)
        self._shelf = ModelShelf(names, Opening(found, compute, limit_bytes))
        for pipeline in self._shelf.loaded().values():
            _warm_up(pipeline)

    def models(self) -> tuple[EngineModel, ...]:
        """As `Engine.models`."""
        return self._shelf.models()

    def remembered(self) -> frozenset[str]:
        """As `Engine.remembered`."""
        return frozenset(
            key_of_pictures(name, key.frames_sha256, key.sample_count, key.frame_count, key.cut_samples)
            for name, pipeline in self._shelf.loaded().items()
            for key in pipeline.features.remembered()
        )

    def run(self, seats: Sequence[Seat]) -> None:
        """As `Engine.run`."""
        from diffava.errors import RequestError
        from diffava.spec import Waveform
        from diffava_server.engine.conversion import audio_of
        from diffava_server.engine.sitting import Sitting, told

        pipeline = self._shelf.pipeline(seats[0].job.model)
        sittings: list[Sitting] = []
        for seat in seats:
            try:
                sittings.append(Sitting(seat, pipeline))
            except RequestError as error:
                seat.end(told(error))
        for number, made in pipeline.generate_together([sitting.cue for sitting in sittings]):
            if isinstance(made, Waveform):
                sittings[number].seat.emit(audio_of(made))
            else:
                sittings[number].end(made.error)


def _check_known(name: str) -> None:
    from diffava.config import preset_names

    if name not in preset_names() and not Path(name).is_dir():
        raise UnknownModelError(
            f"There is no model '{name}': it is neither a preset ({', '.join(preset_names())}) nor a model's folder."
        )


def _warm_up(pipeline: "FoleyPipeline") -> None:
    """Make a short sound with pictures, so that the first editor does not wait for what is done once alone.

    Not where weights leave the memory between uses: they would be read for it, and read again for the first job.
    """
    import torch

    from diffava.errors import DiffavaError
    from diffava.spec import FoleyRequest, Frames

    if pipeline.rests:
        return
    spec = pipeline.spec
    sample_count = round(WARM_UP_S * spec.output_rate_hz)
    frame_count, size = spec.video_frames(sample_count), spec.frame_size_pixels
    request = FoleyRequest("a door", sample_count, frame_count=frame_count, step_count=1, guidance_scale=2.0)
    try:
        for _ in pipeline.generate(request, [Frames(0, torch.zeros(frame_count, size, size, 3, dtype=torch.uint8))]):
            pass
    except DiffavaError as error:
        raise EngineFailedError(f"The model '{pipeline.name}' was loaded and cannot make a sound: {error}") from error


def local_engine(config: ServerConfig) -> EngineFactory:
    """The engine that a server's settings ask for."""
    return functools.partial(
        LocalEngine, config.models, config.device, config.precision, config.compile, config.memory_gb
    )
