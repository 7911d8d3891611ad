"""What the server refuses or fails at, and the one table that maps it to the wire.

Each class carries the name of its gRPC status, a machine-readable reason and whether the same request may succeed
later. Nothing is imported here, so that the engine's process raises the same classes without loading gRPC.
"""


class ServerError(Exception):
    """Root of what a client is told. The message is a sentence for the editor; details stay in the log.

    Args of note: `retry_delay_s` is after how long it makes sense to ask again, where it does at all.
    """

    code = "INTERNAL"
    reason = "INTERNAL"
    retryable = False
    may_quote = False  # whether the sentence may repeat what was asked for, so that it does not belong into a log
    retry_delay_s = 1.0

    def __init__(self, message: str, *, retry_delay_s: float | None = None) -> None:
        super().__init__(message)
        if retry_delay_s is not None:
            self.retry_delay_s = retry_delay_s


class InvalidRequestError(ServerError):
    """The request cannot be served as it is."""

    code = "INVALID_ARGUMENT"
    reason = "INVALID_REQUEST"
    may_quote = True


class UnknownModelError(ServerError):
    """No model of that name is loaded here."""

    code = "NOT_FOUND"
    reason = "UNKNOWN_MODEL"


class LimitError(ServerError):
    """A message, a range or a number is beyond what this server takes."""

    code = "RESOURCE_EXHAUSTED"
    reason = "LIMIT_EXCEEDED"


class QueueFullError(ServerError):
    """Too many jobs wait already."""

    code = "RESOURCE_EXHAUSTED"
    reason = "QUEUE_FULL"
    retryable = True


class RateLimitError(ServerError):
    """The client asks more often than this server answers."""

    code = "RESOURCE_EXHAUSTED"
    reason = "RATE_LIMITED"
    retryable = True


class DrainingError(ServerError):
    """The server is about to stop and takes no new job."""

    code = "UNAVAILABLE"
    reason = "DRAINING"
    retryable = True


class PictureForgottenError(ServerError):
    """The client was told that its pictures are known, and meanwhile they are not: send the job again with frames."""

    code = "ABORTED"
    reason = "PICTURE_FORGOTTEN"
    retryable = True
    retry_delay_s = 0.0


class UploadTimeoutError(ServerError):
    """The client stopped sending in the middle of its upload."""

    code = "DEADLINE_EXCEEDED"
    reason = "UPLOAD_IDLE"
    retryable = True


class DownloadTimeoutError(ServerError):
    """The client stopped taking its audio, with the engine waiting behind it."""

    code = "DEADLINE_EXCEEDED"
    reason = "DOWNLOAD_IDLE"
    retryable = True


class DeadlineError(ServerError):
    """The client's own deadline passed before the job was done."""

    code = "DEADLINE_EXCEEDED"
    reason = "DEADLINE"
    retryable = True


class EngineLostError(ServerError):
    """The engine process died or was lost during the job."""

    code = "UNAVAILABLE"
    reason = "ENGINE_LOST"
    retryable = True


class EngineHungError(ServerError):
    """The engine said nothing for longer than a step may take, and was replaced."""

    code = "DEADLINE_EXCEEDED"
    reason = "ENGINE_HUNG"
    retryable = True


class EngineDownError(ServerError):
    """The engine has died again and again and is given time before it is started anew."""

    code = "UNAVAILABLE"
    reason = "ENGINE_DOWN"
    retryable = True


class ReplicaLostError(ServerError):
    """Of several replicas, the one that did the job was lost."""

    code = "UNAVAILABLE"
    reason = "REPLICA_LOST"
    retryable = True


class NotEncryptedError(ServerError):
    """The call came from another machine and is not encrypted."""

    code = "PERMISSION_DENIED"
    reason = "NOT_ENCRYPTED"


class EngineFailedError(ServerError):
    """The engine met a defect of its own; the same request would meet it again."""

    reason = "ENGINE_FAILED"


class OutOfMemoryError(ServerError):
    """The job did not fit into the machine's or the GPU's memory."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OUT_OF_MEMORY"


class JobCancelledError(ServerError):
    """The client went away or asked to stop."""

    code = "CANCELLED"
    reason = "CANCELLED"


class UnauthenticatedError(ServerError):
    """The token is missing or wrong."""

    code = "UNAUTHENTICATED"
    reason = "BAD_TOKEN"


def wire_names(error: BaseException) -> tuple[str, str]:
    """The gRPC status and the reason that whatever ends a call is counted under; a cancelled task's client is gone."""
    if isinstance(error, ServerError):
        return error.code, error.reason
    if isinstance(error, Exception):
        return ServerError.code, ServerError.reason
    return JobCancelledError.code, JobCancelledError.reason


class StartError(Exception):
    """The server cannot start. The message is for the person at the terminal; never sent to a client.

    `exit_code` is 2 where the settings ask for what cannot be, 1 where something outside is in the way.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
