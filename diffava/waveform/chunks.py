"""Long sequences through a model a chunk at a time, without a seam. Knows no model."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor


def overlapping_chunks(length: int, longest: int, overlap: int) -> list[tuple[int, int]]:
    """Cover `[0, length)` with chunks of nearly equal length, neighbours sharing `overlap`; one chunk if it fits."""
    if length <= longest:
        return [(0, length)]
    count = math.ceil((length - overlap) / (longest - overlap))
    edges = [round(k * (length - overlap) / count) for k in range(count + 1)]
    return [(start, stop + overlap) for start, stop in pairwise(edges)]


def crossfaded(chunks: Iterable[Tensor], overlap: int) -> Iterator[Tensor]:
    """Join consecutive chunks `[T, ...]` that share `overlap` steps, by a raised cosine; yields what is final."""
    rise = torch.sin((torch.arange(overlap) + 0.5) / overlap * math.pi / 2).square()
    held: Tensor | None = None  # the last chunk; the next one still changes its end
    for chunk in chunks:
        if held is None:
            held = chunk
            continue
        final = held.shape[0] - overlap
        yield held[:final]
        fade = rise.to(chunk).reshape(-1, *[1] * (chunk.dim() - 1))
        held = torch.cat([held[final:] * (1 - fade) + chunk[:overlap] * fade, chunk[overlap:]])
    if held is not None:
        yield held
