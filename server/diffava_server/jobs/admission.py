"""Who is let in: a bounded queue, so much for each client, and no job that cannot fit. Knows no order of turns."""

from diffava_server.config import ServerConfig
from diffava_server.engine.protocol import EngineModel, Job
from diffava_server.engine.worker import MAX_SEATS
from diffava_server.errors import LimitError, QueueFullError


def memory_budget_bytes(model: EngineModel, config: ServerConfig) -> int | None:
    """What one batch may take of the device; None where neither the settings nor the engine say it."""
    return config.max_job_memory_bytes or model.device_bytes or None


def check_memory(job: Job, model: EngineModel, config: ServerConfig) -> None:
    """See that the device could do this job at all.

    Raises:
        LimitError: It could not, with what it would take.
    """
    budget_bytes = memory_budget_bytes(model, config)
    need_bytes = model.memory_bytes(job)
    if budget_bytes is not None and need_bytes > budget_bytes:
        raise LimitError(
            f"The job would need {need_bytes / 2**30:.1f} GiB of memory and this server gives "
            f"{budget_bytes / 2**30:.1f} GiB to one; ask for a shorter range, fewer takes or a smaller model."
        )


def check_room(
    *, waiting_count: int, present_count: int, own_count: int, is_busy: bool, retry_delay_s: float, config: ServerConfig
) -> None:
    """See that there is room for one more job.

    Args:
        waiting_count: Jobs whose turn has not come.
        present_count: Jobs of which a call is open, also those that are done but not sent.
        own_count: Those among them of this client.
        is_busy: Whether a job has the engine.
        retry_delay_s: When there may be room.
        config: The bounds.

    Raises:
        QueueFullError: There is none now.
    """
    if waiting_count >= config.max_queued_jobs + (not is_busy) or present_count >= config.max_queued_jobs + MAX_SEATS:
        raise QueueFullError(
            f"{waiting_count} jobs wait already and this server queues {config.max_queued_jobs}; please try again in "
            f"{retry_delay_s:.0f} s.",
            retry_delay_s=retry_delay_s,
        )
    if own_count >= config.max_jobs_per_client:
        raise QueueFullError(
            f"{own_count} jobs of this client are here already and this server takes {config.max_jobs_per_client} of "
            f"one; please try again in {retry_delay_s:.0f} s.",
            retry_delay_s=retry_delay_s,
        )
