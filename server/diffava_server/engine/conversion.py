"""Jobs and pictures in the server's plain values, as the model library's own. Knows no model."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from diffava.spec import FoleyRequest, Frames, KeptPart, Waveform
from diffava_server.engine.protocol import Audio, FrameBlock, Job


def request_of(job: Job) -> FoleyRequest:
    """The request that a job stands for.

    Raises:
        diffava.errors.RequestError: A field is out of its bounds.
    """
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
        frames_sha256=job.frames_sha256 if job.frame_count else b"",
    )


def frames_of(blocks: Iterable[FrameBlock], size_pixels: int) -> Iterator[Frames]:
    """Pictures as tensors; a block is fetched when it is asked for."""
    for block in blocks:
        rgb = np.frombuffer(block.rgb24, np.uint8).reshape(block.frame_count, size_pixels, size_pixels, 3)
        yield Frames(block.first_frame, torch.from_numpy(rgb.copy()))


def audio_of(piece: Waveform) -> Audio:
    """Samples as bytes."""
    pcm_f32le = piece.samples.detach().cpu().numpy().astype("<f4", copy=False).tobytes()
    return Audio(piece.take, piece.first_sample, pcm_f32le)


def _waveform(pcm_f32le: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(pcm_f32le, "<f4").astype(np.float32))
