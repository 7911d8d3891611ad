"""The models of an engine: described all, in memory as many as the limit allows, the rest loaded when asked for.

Knows folders and weights, no job.
"""

import logging
from dataclasses import dataclass, replace

import torch

from diffava.builders import Description, describe, described_by, open_model, saved_folder
from diffava.compute import Compute
from diffava.errors import DiffavaError
from diffava.pipeline import FoleyPipeline
from diffava.spec import Spec
from diffava_server.engine.device import device_bytes, give_back
from diffava_server.engine.need import max_batch_rows, need_of
from diffava_server.engine.protocol import EngineModel
from diffava_server.errors import EngineFailedError, UnknownModelError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opening:
    """Where and how models compute; `limit_bytes` is for the weights of all that are in memory, None: no limit."""

    device: torch.device
    compute: Compute
    limit_bytes: int | None = None


@dataclass
class _Place:
    """One model, and its pipeline while it is in memory."""

    name_or_folder: str
    model: EngineModel
    weights_bytes: int
    pipeline: FoleyPipeline | None


class ModelShelf:
    """Models by their names; whichever was not used for longest is let go when another needs its room.

    Raises:
        UnknownModelError: A model's folder is damaged, another model has the same name, or it cannot compute as it is
            told to.
        EngineFailedError: One model alone is larger than the limit.
    """

    def __init__(self, names: tuple[str, ...], opening: Opening) -> None:
        """Verify and describe every model, and load as many as fit; the first one is loaded in any case."""
        self._opening = opening
        self._places: dict[str, _Place] = {}  # in the order of their last use, the latest at the end
        self._order: list[str] = []
        for name in dict.fromkeys(names):
            place = self._described(name)
            if place.model.name in self._places:
                raise UnknownModelError(
                    f"Two of the models are called '{place.model.name}', the second from '{name}', and clients ask for "
                    "a model by its name; serve one of them."
                )
            if opening.limit_bytes is not None and place.weights_bytes > opening.limit_bytes:
                raise EngineFailedError(
                    f"The weights of '{place.model.name}' take {place.weights_bytes / 1e9:.2f} GB, and all models "
                    f"together may take {opening.limit_bytes / 1e9:.2f}; allow more (--memory-gb), or leave it out."
                )
            self._places[place.model.name] = place
            self._order.append(place.model.name)
        for name in self._order:
            if self._excess_bytes(self._places[name]) <= 0:
                self._load(self._places[name])

    def models(self) -> tuple[EngineModel, ...]:
        """Every model as it stands, in the order given."""
        places = (self._places[name] for name in self._order)
        return tuple(replace(place.model, is_loaded=place.pipeline is not None) for place in places)

    def loaded(self) -> dict[str, FoleyPipeline]:
        """The models in memory, by their names."""
        return {name: place.pipeline for name, place in self._places.items() if place.pipeline is not None}

    def pipeline(self, name: str) -> FoleyPipeline:
        """The model, ready to run; if need be others are let go for it, and it is verified and loaded.

        Raises:
            UnknownModelError: There is none of that name, or its folder has been damaged meanwhile.
        """
        if name not in self._places:
            raise UnknownModelError(f"This engine has no model '{name}', only {', '.join(self._order)}.")
        place = self._places[name] = self._places.pop(name)  # used last
        if place.pipeline is not None:
            return place.pipeline
        for other in self._places.values():
            if self._excess_bytes(place) <= 0:
                break
            if other.pipeline is not None:
                log.info("model %s is let go to make room for %s", other.model.name, name)
                other.pipeline = None
        give_back(self._opening.device)
        try:
            return self._load(place)
        except UnknownModelError as error:
            log.error("%s", error)  # where it lies is for whoever runs the server, not for every editor
            raise UnknownModelError(
                f"The model '{name}' cannot be loaded any more: its files are not what they were when the server "
                "started. The server's log says which; choose another model until they are mended."
            ) from error

    def _excess_bytes(self, place: _Place) -> int:
        """By how much the limit would be exceeded with this model too."""
        if self._opening.limit_bytes is None:
            return 0
        held_bytes = sum(other.weights_bytes for other in self._places.values() if other.pipeline is not None)
        return held_bytes + place.weights_bytes - self._opening.limit_bytes

    def _load(self, place: _Place) -> FoleyPipeline:
        if place.pipeline is None:
            place.pipeline = self._opened(place.name_or_folder)
        return place.pipeline

    def _described(self, name: str) -> _Place:
        """What is known without loading it. Random weights have no file that tells, and are made at once."""
        device, compute = self._opening.device, self._opening.compute
        try:
            folder, pipeline = saved_folder(name), None
            if folder is None:
                pipeline = open_model(name, device, compute)
                described = described_by(pipeline)
            else:
                described = describe(folder)
                compute.check_compilable(described.config, device)
            weights_bytes = described.weights_bytes(device, compute)
        except DiffavaError as error:
            raise UnknownModelError(f"The model '{name}' cannot be loaded: {error}") from error
        return _Place(name, engine_model(described, device, weights_bytes), weights_bytes, pipeline)

    def _opened(self, name: str) -> FoleyPipeline:
        try:
            return open_model(name, self._opening.device, self._opening.compute)
        except DiffavaError as error:
            raise UnknownModelError(f"The model '{name}' cannot be loaded: {error}") from error


def engine_model(described: Description, device: torch.device, weights_bytes: int) -> EngineModel:
    """What the server tells of a model, and what it counts with."""
    config, spec = described.config, Spec.of(described.config)
    need = need_of(config, device, weights_bytes)
    return EngineModel(
        name=config.name,
        weights_sha256=described.weights_sha256,
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
        max_batch_rows=max_batch_rows(config, device),
        resting_bytes=need.resting_bytes,
        bytes_per_row=need.bytes_per_row,
        bytes_per_row_second=need.bytes_per_row_second,
        device_bytes=device_bytes(device),
    )
