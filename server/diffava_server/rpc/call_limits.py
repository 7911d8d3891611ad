"""How often, and how much at once, one client may call. Knows no calls and no network; the clock is given.

A token bucket for each client: it holds a minute's calls and fills evenly, so that a burst passes and a loop that asks
without a pause does not. That bounds what a runaway program costs the others; it is no defence against many machines.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from diffava_server.errors import RateLimitError

MAX_REMEMBERED_CLIENTS = 4_096


@dataclass
class _Client:
    calls_left: float
    seen_s: float
    open_calls: int = 0


class CallLimits:
    """The buckets of all clients that are remembered; one that has long been away starts full again.

    Args:
        max_calls_per_minute: Of one client, and the most in one go.
        max_open_calls: Of one client at once.
        clock_s: Monotonic.
    """

    def __init__(
        self, max_calls_per_minute: int, max_open_calls: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_calls_per_minute = max_calls_per_minute
        self._max_open_calls = max_open_calls
        self._clock_s = clock_s
        self._clients: OrderedDict[Hashable, _Client] = OrderedDict()  # the longest unseen first

    @contextmanager
    def entered(self, identity: Hashable) -> Iterator[None]:
        """Count one call of this client, for as long as it lasts.

        Raises:
            RateLimitError: It has called too often, or has too many calls open; with the time until the next may pass.
        """
        client = self._client(identity)
        if client.open_calls >= self._max_open_calls:
            raise RateLimitError(
                f"{client.open_calls} calls of this client are open and this server takes {self._max_open_calls} of "
                "one; end some, then try again."
            )
        if client.calls_left < 1:
            wait_s = (1 - client.calls_left) * 60 / self._max_calls_per_minute
            raise RateLimitError(
                f"This client has called more than {self._max_calls_per_minute} times in a minute, which is all that "
                "this server takes of one; please wait before trying again.",
                retry_delay_s=max(1.0, wait_s),
            )
        client.calls_left -= 1
        client.open_calls += 1
        try:
            yield
        finally:
            client.open_calls -= 1

    def _client(self, identity: Hashable) -> _Client:
        now_s = self._clock_s()
        client = self._clients.get(identity)
        if client is None:
            client = self._clients[identity] = _Client(self._max_calls_per_minute, now_s)
            self._forget_some()
        filled = client.calls_left + (now_s - client.seen_s) * self._max_calls_per_minute / 60
        client.calls_left, client.seen_s = min(filled, self._max_calls_per_minute), now_s
        self._clients.move_to_end(identity)
        return client

    def _forget_some(self) -> None:
        for identity, client in list(self._clients.items())[:-MAX_REMEMBERED_CLIENTS]:
            if client.open_calls == 0:  # one with open calls must be found again, or it would count from nought
                del self._clients[identity]
