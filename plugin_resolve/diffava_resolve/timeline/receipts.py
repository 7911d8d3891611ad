"""The receipt of a take: everything that made it, so that it can be made again and its origin shown.

Receipts are kept in the clip's metadata as plain values (text, whole numbers, floats, lists, dictionaries) that every
editor's JSON carries. Knows neither files nor the timeline's structure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from diffava_resolve.errors import TimelineError
from diffava_resolve.spec import Finish, Finished, FoleyJob, FrameFormat, JobResult, Region
from diffava_resolve.timeline.finish_metadata import finish_from_metadata, finish_to_metadata
from diffava_resolve.timeline.guide_metadata import guide_from_metadata, guide_to_metadata

SCHEMA_VERSION = 1
_INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True)
class PictureSource:
    """The pictures that were sent: enough to see whether a new reading of the timeline gives the same ones.

    `frames_sha256` is of the raw RGB bytes `[frame_count, height, width, 3]`, in order.
    """

    frame_format: FrameFormat
    frame_count: int
    frames_sha256: str


@dataclass(frozen=True)
class RegeneratedPart:
    """What was made anew of an older take: samples `[start_sample, stop_sample)`, its crossfades inside."""

    start_sample: int
    stop_sample: int
    fade_in_samples: int
    fade_out_samples: int
    parent_sha256: str


@dataclass(frozen=True)
class Receipt:
    """How one take came to be: take `take_index` of a batch with `job.seeds`, for `region`.

    `job` has the model and the defaults filled in, so that it can be asked again as it is.
    `wav_sha256` is of the file, `samples_sha256` of the float32 samples as the server sent them. `loudness_lufs` is
    None for silence; `sync` is what was measured against the hits that were given or those of the picture, or None.
    `finish` was then done to it, and `finished` measured where that set its level. `loudness_lufs` and `true_peak_dbtp`
    are of the file. `leaks` is what was measured of speech and music in it, or None. `picture` is None for sound from
    the prompt alone. `notes` are what a person was told of the take.
    """

    region: Region
    job: FoleyJob
    take_index: int
    weights_sha256: str
    model_licence: str
    commercial_use_allowed: bool
    software_version: str
    samples_sha256: str
    wav_sha256: str
    picture: PictureSource | None = None
    part: RegeneratedPart | None = None
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None
    sync: dict[str, Any] | None = None
    finish: Finish = Finish()  # noqa: RUF009  frozen
    finished: Finished | None = None
    leaks: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        """This take's own seed."""
        return self.job.seeds[self.take_index]

    @classmethod
    def of_result(cls, region: Region, job: FoleyJob, result: JobResult, take_index: int, **measured: Any) -> "Receipt":
        """The receipt of take `take_index` of a finished job; `measured` are the fields from `wav_sha256` on."""
        return cls(
            region=region,
            job=replace(
                job,
                model=result.model.name,
                step_count=result.step_count,
                guidance_scale=result.guidance_scale,
                sampler=result.sampler,
            ),
            take_index=take_index,
            weights_sha256=result.model.weights_sha256,
            model_licence=result.model.licence,
            commercial_use_allowed=result.model.commercial_use_allowed,
            software_version=result.software_version,
            samples_sha256=result.take_sha256[take_index],
            **measured,
        )

    def to_metadata(self) -> dict[str, Any]:
        """As plain values. Whole numbers beyond 64 bits (seeds) become text, rates `"24000/1001"`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "request": _request_to_metadata(self),
            "region": {
                "rate": str(self.region.rate),
                "label_frame": self.region.label_frame,
                "start_frame": self.region.start_frame,
                "stop_frame": self.region.stop_frame,
                "drop_frame": self.region.drop_frame,
            },
            "model": {
                "name": self.job.model,
                "weights_sha256": self.weights_sha256,
                "licence": self.model_licence,
                "commercial_use_allowed": self.commercial_use_allowed,
            },
            "software_version": self.software_version,
            "samples_sha256": self.samples_sha256,
            "wav_sha256": self.wav_sha256,
            "picture": _picture_to_metadata(self.picture),
            "part": dict(vars(self.part)) if self.part else None,
            "loudness_lufs": self.loudness_lufs,
            "true_peak_dbtp": self.true_peak_dbtp,
            "finish": finish_to_metadata(self.finish, self.finished),
            "sync": self.sync,
            "leaks": self.leaks,
            "notes": list(self.notes),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "Receipt":
        """The receipt that `to_metadata` wrote, also after it went through an editor.

        Raises:
            TimelineError: It was written by a newer version, or something is missing from it.
        """
        version = metadata.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise TimelineError(
                f"A take's receipt has schema version {version}, this program reads up to {SCHEMA_VERSION}; "
                "update diffava-foley to work on this clip."
            )
        try:
            return _receipt_from(metadata)
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
            raise TimelineError(
                f"A take's receipt is damaged ({type(error).__name__}: {error}); generate the clip anew."
            ) from error


def _request_to_metadata(receipt: Receipt) -> dict[str, Any]:
    job = receipt.job
    return {
        "prompt": job.prompt,
        "negative_prompt": job.negative_prompt,
        "seed": _plain(receipt.seed),
        "seeds": [_plain(seed) for seed in job.seeds],
        "take_index": receipt.take_index,
        "sample_count": job.sample_count,
        "cut_samples": list(job.cut_samples),
        "step_count": job.step_count,
        "guidance_scale": job.guidance_scale,
        "sampler": job.sampler,
        "regenerate_samples": list(job.regenerate_samples) if job.regenerate_samples else None,
        "guide": guide_to_metadata(job.guide),
    }


def _picture_to_metadata(picture: PictureSource | None) -> dict[str, Any] | None:
    if picture is None:
        return None
    return {
        "frame_rate": str(picture.frame_format.rate),
        "width_pixels": picture.frame_format.width_pixels,
        "height_pixels": picture.frame_format.height_pixels,
        "frame_count": picture.frame_count,
        "frames_sha256": picture.frames_sha256,
    }


def _receipt_from(metadata: Mapping[str, Any]) -> Receipt:
    request, region, model = metadata["request"], metadata["region"], metadata["model"]
    part, picture, sync, leaks = (metadata.get(name) for name in ("part", "picture", "sync", "leaks"))
    loudness, true_peak = metadata.get("loudness_lufs"), metadata.get("true_peak_dbtp")
    finish, finished = finish_from_metadata(metadata.get("finish"))
    regenerate = request["regenerate_samples"]
    job = FoleyJob(
        prompt=str(request["prompt"]),
        sample_count=int(request["sample_count"]),
        seeds=tuple(int(seed) for seed in request["seeds"]),
        negative_prompt=str(request["negative_prompt"]),
        model=str(model["name"]),
        cut_samples=tuple(int(cut) for cut in request["cut_samples"]),
        step_count=int(request["step_count"]),
        guidance_scale=float(request["guidance_scale"]),
        sampler=str(request["sampler"]),
        regenerate_samples=(int(regenerate[0]), int(regenerate[1])) if regenerate else None,
        guide=guide_from_metadata(request.get("guide")),
    )
    if not 0 <= int(request["take_index"]) < len(job.seeds):
        raise ValueError(f"take {request['take_index']} of {len(job.seeds)} seeds")
    return Receipt(
        region=Region(
            rate=Fraction(region["rate"]),
            label_frame=int(region["label_frame"]),
            start_frame=int(region["start_frame"]),
            stop_frame=int(region["stop_frame"]),
            drop_frame=bool(region["drop_frame"]),
        ),
        job=job,
        take_index=int(request["take_index"]),
        weights_sha256=str(model["weights_sha256"]),
        model_licence=str(model["licence"]),
        commercial_use_allowed=bool(model["commercial_use_allowed"]),
        software_version=str(metadata["software_version"]),
        samples_sha256=str(metadata["samples_sha256"]),
        wav_sha256=str(metadata["wav_sha256"]),
        picture=_picture_from(picture) if picture else None,
        part=RegeneratedPart(**dict(part)) if part else None,
        loudness_lufs=None if loudness is None else float(loudness),
        true_peak_dbtp=None if true_peak is None else float(true_peak),
        finish=finish,
        finished=finished,
        sync=dict(sync) if sync is not None else None,
        leaks=dict(leaks) if leaks is not None else None,
        notes=tuple(str(note) for note in metadata.get("notes") or ()),
    )


def _picture_from(metadata: Mapping[str, Any]) -> PictureSource:
    return PictureSource(
        FrameFormat(Fraction(metadata["frame_rate"]), int(metadata["width_pixels"]), int(metadata["height_pixels"])),
        int(metadata["frame_count"]),
        str(metadata["frames_sha256"]),
    )


def _plain(number: int) -> int | str:
    """OTIO's JSON holds whole numbers of 64 bits with a sign; a seed may need all 64 without one."""
    return number if number <= _INT64_MAX else str(number)
