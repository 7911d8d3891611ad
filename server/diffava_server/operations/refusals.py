"""Calls that were turned away: all are counted, few are logged, so that nobody can fill the disk with them."""

import time
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from diffava_server.errors import ServerError
from diffava_server.operations.metrics import Metrics

LOGGED_EVERY_S = 60.0


class Refusals:
    """Told of each refused call; logs at most one of each reason in a minute, with how many it stands for."""

    def __init__(
        self, metrics: Metrics, log: FilteringBoundLogger, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._clock_s = clock_s
        self._since_logged: dict[str, int] = {}
        self._next_s: dict[str, float] = {}

    def __call__(self, error: ServerError, client: str) -> None:
        """A call of this client was refused."""
        reason = error.reason
        self._metrics.call_refused(reason)
        self._since_logged[reason] = self._since_logged.get(reason, 0) + 1
        now_s = self._clock_s()
        if now_s >= self._next_s.get(reason, now_s):
            self._log.warning("calls refused", reason=reason, count=self._since_logged.pop(reason), last_client=client)
            self._next_s[reason] = now_s + LOGGED_EVERY_S
