"""Long sequences through a model a chunk at a time, without a seam. Knows no model."""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def overlapping_chunks(length: int, longest: int, overlap: int) -> list[tuple[int, int]]:
    """Cover `[0, length)` with chunks of nearly equal length, neighbours sharing `overlap`; one chunk if it fits."""
    if length <= longest:
        return [(0, length)]
    count = math.ceil((length - overlap) / (longest - overlap))
    size = math.ceil((length + (count - 1) * overlap) / count)
    starts = [k * (size - overlap) for k in range(count)]
    return [(start, min(start + size, length)) for start in starts]


def crossfaded(chunks: Iterable[Tensor], overlap: int) -> Iterator[Tensor]:
    """Join consecutive chunks `[T, ...]` that share `overlap` steps, by a raised cosine; yields what is final."""
    phase = (torch.arange(overlap) + 0.5) / max(overlap, 1)
    rise = torch.sin(phase * math.pi / 2).square()
    held: Tensor | None = None  # the end of the chunk before, which the next one still changes
    waiting: Tensor | None = None
    for chunk in chunks:
        if waiting is not None:
            yield waiting[: waiting.shape[0] - overlap]
            held = waiting[waiting.shape[0] - overlap :]
            fade = rise.to(chunk).reshape(-1, *[1] * (chunk.dim() - 1))
            chunk = torch.cat([held * (1 - fade) + chunk[:overlap] * fade, chunk[overlap:]])
        waiting = chunk
    if waiting is not None:
        yield waiting
