"""What the server refuses or fails at, and the one table that maps it to the wire.

Each class carries its gRPC status, a machine-readable reason and whether the same request may succeed later.
"""

import grpc


class ServerError(Exception):
    """Root of what a client is told. The message is a sentence for the editor; details stay in the log."""

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason = "INTERNAL"
    retryable = False


class InvalidRequestError(ServerError):
    """The request cannot be served as it is."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"


class UnknownModelError(ServerError):
    """No model of that name is loaded here."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "UNKNOWN_MODEL"


class LimitError(ServerError):
    """A message, a range or a number is beyond what this server takes."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "LIMIT_EXCEEDED"


class QueueFullError(ServerError):
    """Too many jobs wait already."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"
    retryable = True


class UploadTimeoutError(ServerError):
    """The client stopped sending in the middle of its upload."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "UPLOAD_IDLE"
    retryable = True


class EngineLostError(ServerError):
    """The engine process died or was lost during the job."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "ENGINE_LOST"
    retryable = True


class OutOfMemoryError(ServerError):
    """The job did not fit into the machine's or the GPU's memory."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "OUT_OF_MEMORY"


class JobCancelledError(ServerError):
    """The client went away or asked to stop."""

    code = grpc.StatusCode.CANCELLED
    reason = "CANCELLED"


class UnauthenticatedError(ServerError):
    """The token is missing or wrong."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "BAD_TOKEN"
