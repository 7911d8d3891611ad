"""The order of turns: fair between clients by what their jobs cost. Knows nothing of the jobs.

Self-clocked fair queuing (Golestani, INFOCOM 1994): each job has a finish tag, at which a client that shares the engine
with all others would have it done, and the lowest tag is next. The clock is the tag of the job that was done last. So
a client with forty jobs and one with a single job take turns, a short preview goes before a long job, and the long
job's tag, which does not move, is reached once others have had as much of the engine. Ours: while a job is served the
clock stands at its begin, so that a newcomer goes before the next job of the client that is being served.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(eq=False)
class Turn:
    """One job's place. `entered_at` is on the clock of turns, `number` in the order of arrival."""

    client_id: str
    cost: float
    entered_at: float
    number: int

    @property
    def own_rank(self) -> tuple[float, int]:
        """Among the jobs of its own client, by the same rule: the short ones first, and none for ever last."""
        return self.entered_at + self.cost, self.number


class Turns:
    """The turns of those that wait."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._served_tag = 0.0  # of the job that is served
        self._used_until: dict[str, float] = {}  # finish tag of the client's latest served job
        self._waiting: list[Turn] = []
        self._numbers = itertools.count()

    def enter(self, client_id: str, cost: float) -> Turn:
        """Take a turn for a job of this cost, in any unit that is the same for all."""
        turn = Turn(client_id, cost, self._clock, next(self._numbers))
        self._waiting.append(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        """Give a turn up: it does not count against its client's others. Twice does no harm."""
        if turn in self._waiting:
            self._waiting.remove(turn)

    def take(self, turns: Sequence[Turn]) -> None:
        """The first of these is served now, and the others ride along, each at its own client's cost."""
        first = turns[0]
        self._served_tag = self._tags()[first]
        self._clock = max(self._clock, self._served_tag - first.cost)
        for turn in turns:
            self._waiting.remove(turn)
            self._used_until[turn.client_id] = self._begin(turn) + turn.cost
        waiting = {turn.client_id for turn in self._waiting}
        self._used_until = {
            client: tag for client, tag in self._used_until.items() if tag > self._clock or client in waiting
        }

    def done(self) -> None:
        """Nobody is served any more; if nobody waits either, whoever comes next begins afresh."""
        self._clock = max(self._clock, self._served_tag)
        if not self._waiting:
            self._clock, self._served_tag, self._used_until = 0.0, 0.0, {}

    def order(self) -> list[Turn]:
        """Those that wait, the next one first."""
        tags = self._tags()
        return sorted(tags, key=lambda turn: (tags[turn], turn.number))

    def _tags(self) -> dict[Turn, float]:
        tags: dict[Turn, float] = {}
        by_client = sorted(self._waiting, key=lambda turn: (turn.client_id, turn.own_rank))
        for _, turns in itertools.groupby(by_client, key=lambda turn: turn.client_id):
            tag = 0.0
            for turn in turns:
                tag = max(tag, self._begin(turn)) + turn.cost
                tags[turn] = tag
        return tags

    def _begin(self, turn: Turn) -> float:
        return max(turn.entered_at, self._used_until.get(turn.client_id, 0.0))
