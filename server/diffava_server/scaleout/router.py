"""Which replica a call goes to: the one with the fewest calls. Runs in Ray's proxy; knows no job.

Ray's own choice prefers replicas of the proxy's node until they are full, and draws two of the others. A job here takes
seconds to minutes, so that a second in line behind it costs more than any way through the network.
"""

from ray.serve.request_router import FIFOMixin, MultiplexMixin, PendingRequest, RequestRouter, RunningReplica


class ShortestQueueRouter(FIFOMixin, MultiplexMixin, RequestRouter):  # type: ignore[misc]  # Ray's classes are untyped
    """Of the replicas that have the named model loaded, or else of all, Ray takes the one with the shortest queue."""

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """As `RequestRouter.choose_replicas`: the first list of replicas is asked for their queues' lengths."""
        if pending_request is not None and pending_request.metadata.multiplexed_model_id:
            having = self.apply_multiplex_routing(pending_request=pending_request)
            return [[self._replicas[replica_id] for replica_id in having]]
        return [candidate_replicas]
