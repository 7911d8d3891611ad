"""Which jobs ride together. Knows no processes; decides from plain values."""

from collections.abc import Iterable

from diffava_server.engine.protocol import batch_key
from diffava_server.engine.worker import MAX_SEATS
from diffava_server.jobs.ticket import Ticket


def batch_of(first: Ticket, others: Iterable[Ticket], memory_bytes: int | None, max_unsent_bytes: int) -> list[Ticket]:
    """The first and every other that fits to it, in their order.

    A job whose sound may have to wait for its client in the engine (`max_unsent_bytes`), or whose pictures are read
    while the engine works, rides alone: no client holds up another one's job.

    Args:
        first: Whose turn it is.
        others: Who could ride as well, the next in turn first.
        memory_bytes: What a batch may take of the device; None: nobody knows.
        max_unsent_bytes: How much of a job's sound waits for its client outside of the engine.
    """
    batch = [first]
    if not _is_sociable(first, max_unsent_bytes):
        return batch
    key, model = batch_key(first.job), first.model
    row_count, used_bytes = len(first.job.seeds), model.memory_bytes(first.job)
    for other in others:
        if batch_key(other.job) != key or not _is_sociable(other, max_unsent_bytes):
            continue
        rows, more_bytes = len(other.job.seeds), model.row_bytes(other.job)
        has_memory = memory_bytes is None or used_bytes + more_bytes <= memory_bytes
        if row_count + rows <= model.max_batch_rows and has_memory and len(batch) < MAX_SEATS:
            batch.append(other)
            row_count, used_bytes = row_count + rows, used_bytes + more_bytes
    return batch


def _is_sociable(ticket: Ticket, max_unsent_bytes: int) -> bool:
    return ticket.audio_bytes <= max_unsent_bytes and not ticket.upload.is_streamed
