"""The small picture encoder on shots of any length, a few seconds at a time. Knows no text and no sound.

A frame's result hangs on `CONTEXT_FRAMES` around it. So a long shot is read in pieces with that many frames of their
neighbours on either side, and says what it would say in one pass; nothing is ever read across a cut.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import UInt8
from torch import Tensor

from diffava.features.motion import CONTEXT_FRAMES, MotionEncoder, Seen
from diffava.features.video import SeenGroup, on_device
from diffava.spec import PictureGuide

PIECE_GROUPS = 2  # read at once: no slower than 4, and the last are sooner done when pictures come one by one


class MotionVideoEncoder:
    """The frozen `MotionEncoder` as a `VideoEncoder`: a token for each second, a guide for each frame."""

    def __init__(self, model: MotionEncoder, group_frames: int) -> None:
        self.model = model.eval().requires_grad_(False)
        self.group_frames = group_frames
        self.token_dim: int = model.token.out_features

    def encode_shot(self, groups: Iterable[UInt8[Tensor, "_ height width 3"]]) -> Iterator[SeenGroup]:
        """Say what is seen in each group of one shot; groups are pulled until a piece and its context are there."""
        coming = iter(groups)
        waiting: deque[UInt8[Tensor, "_ height width 3"]] = deque()
        before: UInt8[Tensor, "_ height width 3"] | None = None
        while True:
            _fill(waiting, coming)
            if not waiting:
                return
            piece = [waiting.popleft() for _ in range(min(PIECE_GROUPS, len(waiting)))]
            behind = torch.cat(list(waiting))[:CONTEXT_FRAMES] if waiting else piece[0][:0]
            yield from self._piece(before, piece, behind)
            kept = torch.cat(piece if before is None else [before, *piece])
            before = kept[-CONTEXT_FRAMES:]

    @torch.no_grad()
    def _piece(
        self,
        before: UInt8[Tensor, "B height width 3"] | None,
        piece: list[UInt8[Tensor, "_ height width 3"]],
        behind: UInt8[Tensor, "A height width 3"],
    ) -> list[SeenGroup]:
        first = 0 if before is None else len(before)
        pictures = torch.cat([*([] if before is None else [before]), *piece, behind])
        device = next(self.model.parameters()).device
        seen: Seen = self.model(on_device(pictures[None], device))
        found = []
        for rgb in piece:
            span = slice(first, first + len(rgb))
            guide = PictureGuide(
                torch.sigmoid(seen.onset_logits[0, span]).cpu(), seen.energy[0, span].clamp(0, 1).cpu()
            )
            found.append(SeenGroup(self.model.tokens(seen.features[:, span])[0].cpu(), guide))
            first += len(rgb)
        return found


def _fill(
    waiting: deque[UInt8[Tensor, "_ height width 3"]], coming: Iterator[UInt8[Tensor, "_ height width 3"]]
) -> None:
    """Pull until there is a piece and, behind it, its context or the end of the shot."""
    while sum(len(rgb) for rgb in list(waiting)[PIECE_GROUPS:]) < CONTEXT_FRAMES:
        rgb = next(coming, None)
        if rgb is None:
            return
        waiting.append(rgb)
