"""What can go wrong on the editor's side, in the editor's words.

The command line prints the message alone and exits with the class's `exit_code`: 2 for a request that cannot be
served as it is, 1 for a failure of something outside.
"""


class FoleyError(Exception):
    """Root of everything the plugin raises on purpose. The message: what was wrong, what was found, what to do."""

    exit_code = 1


class RequestError(FoleyError):
    """The user asked for something that cannot be: a range outside the timeline, an empty prompt."""

    exit_code = 2


class TimelineError(RequestError):
    """The timeline cannot be read, or says something that no editor would accept."""


class MediaError(FoleyError):
    """A source file is missing, offline, damaged or changed while it was read."""


class OutputError(FoleyError):
    """A result could not be written; nothing was left half-written."""


class ServerError(FoleyError):
    """The server refused, failed or could not be reached.

    Args of note: `retryable` says that the same request may succeed later, `retry_delay_s` after how long the server
    thinks so, and `reason` is its machine-readable name for what happened; empty where none of ours spoke.
    """

    def __init__(
        self, message: str, *, retryable: bool = False, reason: str = "", retry_delay_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.reason = reason
        self.retry_delay_s = retry_delay_s
