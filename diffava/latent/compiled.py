"""Steps of a U-Net as CUDA graphs: the same kernels without Python's and the driver's share between them.

A small U-Net on a large GPU waits for its launches most of the time. A graph is made for one shape alone and takes
seconds, so windows are as long as multiples of `BUCKET_FRAMES` where steps are compiled: few shapes for all lengths.
Knows no U-Net.
"""

from collections.abc import Callable
from typing import Any

import torch

BUCKET_FRAMES = 64  # latent frames: four lengths up to AudioLDM's window of 10.24 s; our choice
SHAPES = 64  # lengths, and how many windows a forward holds, with and without control; torch gives up after 8


def cuda_graphs(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled for each shape that it is called with; its result is overwritten by the next call."""
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
    graphed: Callable[..., Any] = torch.compile(function, mode="reduce-overhead", fullgraph=True, dynamic=False)

    def run(*arguments: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return graphed(*arguments)

    return run
