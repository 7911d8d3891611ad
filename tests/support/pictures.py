"""Random pictures in the form that the model library takes them."""

from collections.abc import Iterator

import torch

from diffava.spec import FoleyRequest, Frames, Spec


def random_pictures(spec: Spec, count: int, seed: int = 0) -> torch.Tensor:
    size = spec.frame_size_pixels
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, size, size, 3), generator=generator, dtype=torch.uint8)


def in_chunks(pictures: torch.Tensor, chunk_frames: int = 5) -> Iterator[Frames]:
    for first in range(0, len(pictures), chunk_frames):
        yield Frames(first, pictures[first : first + chunk_frames])


def request_of_seconds(spec: Spec, seconds: float, *, cuts_s: tuple[float, ...] = (), **fields: object) -> FoleyRequest:
    sample_count = round(seconds * spec.output_rate_hz)
    values: dict[str, object] = {"prompt": "footsteps on gravel", "frame_count": spec.video_frames(sample_count)}
    cut_samples = tuple(round(cut * spec.output_rate_hz) for cut in cuts_s)
    return FoleyRequest(sample_count=sample_count, cut_samples=cut_samples, **(values | fields))  # type: ignore[arg-type]
