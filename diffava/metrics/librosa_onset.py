"""librosa's onset detector, imported by one process at a time.

While it is imported, numba compiles functions and keeps them beside it. Two processes that do so at once can leave
files that do not belong together, and from then on every process that calls those functions crashes, until somebody
deletes them (numba/numba#10128). So each process waits for the one before, and finds what that has kept.
"""

from filelock import FileLock
from platformdirs import user_cache_path

_folder = user_cache_path("diffava", appauthor=False)
_folder.mkdir(parents=True, exist_ok=True)
with FileLock(_folder / "librosa.lock"):
    # The modules with functions that are kept, by name: librosa's own imports of them wait for the first call.
    import librosa.core.audio
    import librosa.util.utils  # noqa: F401
    from librosa import frames_to_time
    from librosa.onset import onset_detect, onset_strength

__all__ = ["frames_to_time", "onset_detect", "onset_strength"]
