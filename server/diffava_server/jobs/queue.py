"""Who may use the one engine, and when: a bounded queue with fair turns between clients. Knows nothing of the jobs.

Start-time fair queuing: a job joins the round that is being served, or the one after its client's latest job, so that
a client with forty jobs and one with a single job take turns. A ticket lives no longer than the call that took it.
"""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType

from diffava_server.errors import QueueFullError


class JobQueue:
    """One engine slot and the tickets that wait for it. Used from one event loop.

    Args:
        max_waiting: How many jobs may wait beside the one that runs.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: list[Ticket] = []  # in the order of their turns
        self._running: Ticket | None = None
        self._round = 0
        self._next_round: dict[str, int] = {}  # of clients that have had, or wait for, a turn in this round or later

    @property
    def waiting_count(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether a job has the engine."""
        return self._running is not None

    def enter(self, client_id: str) -> "Ticket":
        """Take a ticket; use it as a context manager, so that it is always given back.

        Raises:
            QueueFullError: Too many jobs wait already.
        """
        if self._running is not None and len(self._waiting) >= self._max_waiting:
            raise QueueFullError(
                f"{len(self._waiting)} jobs wait already and this server queues {self._max_waiting}; "
                "please try again in a moment."
            )
        ticket = Ticket(self, client_id, max(self._round, self._next_round.get(client_id, 0)))
        self._next_round[client_id] = ticket.round + 1
        self._waiting.append(ticket)
        self._advance()
        return ticket

    def leave(self, ticket: "Ticket") -> None:
        """Give a ticket back, from the queue or from the engine; twice does no harm."""
        if ticket is self._running:
            self._running = None
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
            # A job that was given up does not count against its client's others.
            for other in self._waiting:
                if other.client_id == ticket.client_id and other.round > ticket.round:
                    other.round -= 1
            self._next_round[ticket.client_id] -= 1
        self._advance()

    def position(self, ticket: "Ticket") -> int:
        """How many jobs are ahead of this waiting one, the running one included."""
        return self._waiting.index(ticket) + (self._running is not None)

    def is_running(self, ticket: "Ticket") -> bool:
        """Whether this ticket has the engine."""
        return ticket is self._running

    def _advance(self) -> None:
        self._waiting.sort(key=lambda ticket: ticket.round)  # stable: by arrival within a round
        if self._running is None and self._waiting:
            self._running = self._waiting.pop(0)
            self._running.changed.set()
            self._round = self._running.round
            self._next_round = {client: turn for client, turn in self._next_round.items() if turn > self._round}
        if self._running is None:
            self._next_round.clear()  # nobody is left to take turns with
        for ticket in self._waiting:
            ticket.changed.set()


class Ticket:
    """One job's place in the queue."""

    def __init__(self, queue: JobQueue, client_id: str, turn: int) -> None:
        self.client_id = client_id
        self.round = turn
        self.changed = asyncio.Event()
        self._queue = queue

    async def positions(self) -> AsyncGenerator[int, None]:
        """How many jobs are ahead: now, and whenever that changes; ends when the job's turn has come."""
        told = None
        while not self._queue.is_running(self):
            self.changed.clear()
            position = self._queue.position(self)
            if position == told:
                await self.changed.wait()
            else:
                told = position
                yield position

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.leave(self)
