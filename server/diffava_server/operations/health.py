"""Whether jobs are taken: one answer for gRPC's standard health check, the page of metrics and the log.

`""`, the server as a whole, is SERVING as long as the process answers: restarting it helps nothing while the engine is
being restarted anyway. `diffava.v1.FoleyService` is SERVING while a job that comes now would be taken.
"""

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """The state, and gRPC's servicer that tells it to whoever asks or watches. Used from one event loop."""

    def __init__(self, service_name: str) -> None:
        self.servicer: Any = health.HealthServicer()
        self._service_name = service_name
        self._is_engine_up = False
        self._is_draining = False
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def is_serving(self) -> bool:
        """Whether a job that comes now would be taken."""
        return self._is_engine_up and not self._is_draining

    def engine_changed(self, is_up: bool) -> None:
        """The engine can be given jobs, or no longer."""
        self._is_engine_up = is_up
        self._tell()

    def draining(self) -> None:
        """No new job is taken; for good."""
        self._is_draining = True
        self._tell()

    async def told(self) -> None:
        """Return once those who watch have been told of every change."""
        while self._telling:
            await asyncio.wait(set(self._telling))

    def _tell(self) -> None:
        status = SERVING if self.is_serving else NOT_SERVING
        task = asyncio.create_task(self.servicer.set(self._service_name, status))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
