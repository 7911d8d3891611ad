"""What can go wrong in the model library, in the caller's words.

Every message says what was wrong, what was found and what to do. The server maps these to the wire once, by class.
"""


class DiffavaError(Exception):
    """Root of everything this library raises on purpose."""


class RequestError(DiffavaError):
    """The request cannot be served as it is: the caller must change it."""


class ConfigError(DiffavaError):
    """A preset or a configuration file is not usable."""


class CheckpointError(DiffavaError):
    """A saved model is missing, damaged or of another shape than its configuration says."""


class DataError(DiffavaError):
    """Recordings or what was made of them are missing or not as their manifest says."""


class CancelledError(DiffavaError):
    """The caller asked to stop; raised between two steps, with nothing left behind."""


class MemoryRanOutError(DiffavaError):
    """The device's memory did not suffice; what the attempt held has been let go."""
