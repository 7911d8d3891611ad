"""What all windows predict together under guidance, for any number of requests at once. Knows no solver, no schedule.

The bits of a window hang on the shape of the forward that it is in, and on nothing else that is in it: the same rows
in a forward of another size are added up in another order. So no forward's shape hangs on what else is asked for.
`Forwards` has the two ways to see to that; README.md of this folder has what was measured.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.cores import Cores
from diffava.errors import CancelledError
from diffava.latent.denoiser import Denoiser
from diffava.latent.windows import Window
from diffava.spec import Condition

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Forwards:
    """How windows are put into forwards, `windows` of one length at most in each.

    By default windows of all takes and requests share forwards of exactly that many, the last one filled up with
    copies. With `cores`, a forward holds windows of one take alone, as many as it has, and one side of guidance, and
    forwards run side by side, each on a core of its own.
    """

    windows: int
    cores: Cores | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """Latents at one noise level whose prediction one request wants."""

    latent: Float[Tensor, "B C L M"]
    timestep: int | float
    windows: Sequence[Window]
    condition: Condition
    guidance_scale: float
    is_cancelled: Callable[[], bool]


@dataclass(frozen=True, eq=False)
class _Row:
    """One window of one take."""

    number: int  # of what is asked
    asked: Asked
    take: int
    window: Window

    @property
    def kind(self) -> tuple[Any, ...]:
        """What all windows of one forward have in common."""
        condition, length = self.asked.condition, self.window.stop - self.window.start
        control = None if condition.control is None else condition.control_strength
        return length, self.asked.timestep, self.asked.guidance_scale, control is None, control or 0.0


class GuidedDenoiser:
    """Any denoiser with classifier-free guidance (Ho & Salimans 2022), over any number of windows."""

    def __init__(self, denoiser: Denoiser, forwards: Forwards) -> None:
        self._denoiser, self._forwards = denoiser, forwards
        self._rows_that_fit: int | None = None  # in the memory; known once it did not suffice

    def predict(self, asked: Sequence[Asked]) -> list[Float[Tensor, "B C L M"] | CancelledError]:
        """The weighted mean of what all windows predict, one entry for each that asked; 0 where no window has a vote.

        Whoever is cancelled, asked before each forward, gets the error and leaves the others' bits as they are.
        """
        predictions: list[Tensor | CancelledError] = [torch.zeros_like(one.latent) for one in asked]
        under_way: deque[tuple[list[_Row], float]] = deque()

        def calls() -> Iterator[Callable[[], Tensor]]:
            for rows in self._shared(asked, predictions):
                sides = self._sides(rows)
                under_way.append((rows, rows[0].asked.guidance_scale))
                yield from sides

        results = self._run(calls())
        for first in results:
            rows, scale = under_way.popleft()
            for row, part in zip(rows, self._guided(first, results, rows, scale), strict=False):
                prediction, window = predictions[row.number], row.window
                if isinstance(prediction, Tensor):
                    weights = window.weights.to(part)[None, :, None]
                    prediction[row.take, :, window.start : window.stop] += weights * part
        return predictions

    def _shared(self, asked: Sequence[Asked], predictions: list[Tensor | CancelledError]) -> Iterator[list[_Row]]:
        """The windows of each forward, made up when its turn comes."""
        rows = [
            _Row(number, one, take, window)
            for number, one in enumerate(asked)
            for window in one.windows
            for take in range(len(one.latent))
        ]

        def kind(row: _Row) -> tuple[Any, ...]:
            return row.kind if self._forwards.cores is None else (*row.kind, row.number, row.take)

        for _, group in groupby(sorted(rows, key=kind), key=kind):
            waiting = list(group)
            while waiting:
                for number in {row.number for row in waiting}:
                    if isinstance(predictions[number], Tensor) and asked[number].is_cancelled():
                        predictions[number] = CancelledError(
                            "The job was cancelled while the sound was being generated; nothing was kept."
                        )
                waiting = [row for row in waiting if isinstance(predictions[row.number], Tensor)]
                if waiting:
                    yield waiting[: self._forwards.windows]
                waiting = waiting[self._forwards.windows :]

    def _sides(self, rows: list[_Row]) -> list[Callable[[], Tensor]]:
        """The forwards of some windows: guidance's two sides, in one where nothing controls and none could be idle."""
        if self._forwards.cores is None:
            rows = rows + rows[-1:] * (self._forwards.windows - len(rows))
        views = torch.stack([row.asked.latent[row.take, :, row.window.start : row.window.stop] for row in rows])
        films = torch.stack([row.asked.condition.shots[row.window.shot] for row in rows])
        others = torch.stack([row.asked.condition.unconditional for row in rows])
        control = None
        if rows[0].asked.condition.control is not None:
            control = torch.stack([row.asked.condition.control_of(row.window.start, row.window.stop) for row in rows])
        timestep, strength = rows[0].asked.timestep, rows[0].asked.condition.control_strength
        if rows[0].asked.guidance_scale == 1:
            return [lambda: self._forward(views, timestep, films, control, strength)]
        if control is None and self._forwards.cores is None:
            both = torch.cat([views, views]), torch.cat([others, films])
            return [lambda: self._forward(both[0], timestep, both[1], None, strength)]
        return [
            lambda: self._forward(views, timestep, others, None, strength),
            lambda: self._forward(views, timestep, films, control, strength),
        ]

    def _guided(self, first: Tensor, results: Iterator[Tensor], rows: list[_Row], scale: float) -> Tensor:
        """Away from the other side, which knows no control either."""
        if scale == 1:
            return first
        is_both = rows[0].asked.condition.control is None and self._forwards.cores is None
        without, with_condition = first.chunk(2) if is_both else (first, next(results))
        return without + scale * (with_condition - without)

    def _run(self, calls: Iterable[Callable[[], Tensor]]) -> Iterator[Tensor]:
        cores = self._forwards.cores
        return (call() for call in calls) if cores is None else cores.in_order(calls)

    def _forward(
        self, views: Tensor, timestep: int | float, films: Tensor, control: Tensor | None, strength: float
    ) -> Tensor:
        """One forward, or where a GPU's memory does not suffice several smaller ones, from then on.

        Raises:
            torch.OutOfMemoryError: Not even one window fits.
        """
        while True:
            size = min(len(views), self._rows_that_fit or len(views))
            parts = [
                (views[k : k + size], films[k : k + size], None if control is None else control[k : k + size])
                for k in range(0, len(views), size)
            ]
            try:
                return torch.cat([self._denoiser(view, timestep, film, rows, strength) for view, film, rows in parts])
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
            # Out of the clause, since the exception's frames hold the tensors of the forward (pytorch#27600).
            self._rows_that_fit = size // 2
            log.warning("the GPU's memory did not suffice for %d windows at once; from now on %d", size, size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
