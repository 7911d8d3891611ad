"""librosa is imported, with all that numba keeps of it, by one process at a time."""

import json
import subprocess
import sys

CODE = """
import json, sys
import filelock

watched, seen = {"librosa.util.utils", "librosa.core.audio"}, []

class Watched(filelock.FileLock):
    def __enter__(self):
        entered = super().__enter__()
        seen.append(sorted(watched & sys.modules.keys()))
        return entered

    def __exit__(self, *error):
        seen.append(sorted(watched & sys.modules.keys()))
        super().__exit__(*error)

filelock.FileLock = Watched
import diffava.metrics.condfoleygen, diffava.metrics.motion_onsets
print(json.dumps(seen))
"""


def test_what_numba_keeps_is_imported_behind_a_lock():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], ["librosa.core.audio", "librosa.util.utils"]]
