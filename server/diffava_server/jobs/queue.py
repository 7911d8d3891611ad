"""Who may use the one engine, and when: a bounded queue with fair turns between clients. Knows nothing of the jobs.

A client with forty jobs and one with a single job take turns: each client's own jobs stay in order, and whoever was
served last goes behind the others. A ticket lives no longer than the call that took it.
"""

import asyncio
from collections import deque
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
        # Clients in the order of their turns, each with its waiting tickets in the order of arrival.
        self._waiting: dict[str, deque[Ticket]] = {}
        self._running: Ticket | None = None
        self._served_last = ""

    @property
    def waiting_count(self) -> int:
        """Jobs that wait."""
        return sum(len(tickets) for tickets in self._waiting.values())

    @property
    def is_busy(self) -> bool:
        """Whether a job has the engine."""
        return self._running is not None

    def enter(self, client_id: str) -> "Ticket":
        """Take a ticket; use it as a context manager, so that it is always given back.

        Raises:
            QueueFullError: Too many jobs wait already.
        """
        if self._running is not None and self.waiting_count >= self._max_waiting:
            raise QueueFullError(
                f"{self.waiting_count} jobs wait already and this server queues {self._max_waiting}; "
                "please try again in a moment."
            )
        ticket = Ticket(self, client_id)
        self._waiting.setdefault(client_id, deque()).append(ticket)
        self._advance()
        return ticket

    def leave(self, ticket: "Ticket") -> None:
        """Give a ticket back, from the queue or from the engine; twice does no harm."""
        if ticket is self._running:
            self._running = None
        elif ticket in self._waiting.get(ticket.client_id, ()):
            self._remove(ticket)
        self._advance()

    def position(self, ticket: "Ticket") -> int:
        """How many jobs are ahead of this waiting one, the running one included."""
        return self._order().index(ticket) + (self._running is not None)

    def is_running(self, ticket: "Ticket") -> bool:
        """Whether this ticket has the engine."""
        return ticket is self._running

    def _order(self) -> list["Ticket"]:
        turns = [
            # The client that was served last has had its turn of this round.
            (rank + (client_id == self._served_last), place, ticket)
            for place, (client_id, tickets) in enumerate(self._waiting.items())
            for rank, ticket in enumerate(tickets)
        ]
        return [ticket for _, _, ticket in sorted(turns, key=lambda turn: turn[:2])]

    def _advance(self) -> None:
        if self._running is None and self._waiting:
            ticket = self._order()[0]
            self._remove(ticket)
            if (rest := self._waiting.pop(ticket.client_id, None)) is not None:
                self._waiting[ticket.client_id] = rest  # to the end of the round
            self._running, self._served_last = ticket, ticket.client_id
            ticket.changed.set()
        for tickets in self._waiting.values():
            for ticket in tickets:
                ticket.changed.set()

    def _remove(self, ticket: "Ticket") -> None:
        tickets = self._waiting[ticket.client_id]
        tickets.remove(ticket)
        if not tickets:
            del self._waiting[ticket.client_id]


class Ticket:
    """One job's place in the queue."""

    def __init__(self, queue: JobQueue, client_id: str) -> None:
        self.client_id = client_id
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
