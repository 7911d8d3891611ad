"""Case 8 as an editor sees it: the engine is killed in the middle of a command's job, and the sound is as ever."""

import json
import subprocess
import sys
import time

import pytest

from support.serving.loaded_server import loaded_server
from support.tiny_cut import write_tiny_cut

DIFFAVA = [sys.executable, "-c", "from diffava.cli import main; main()"]
WAIT_S = 60.0


def until_a_job_began(log, process):
    deadline_s = time.monotonic() + WAIT_S
    while "job started" not in log.read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="kills without a word")
def test_case_08_a_command_whose_engine_is_killed_ends_well_with_the_same_samples(tmp_path):
    cut = write_tiny_cut(tmp_path, flash_frames=[10]).path
    sounds = []
    for name, is_disturbed in (("calm", False), ("killed", True)):
        folder = tmp_path / name
        with loaded_server(folder, {"step_s": 0.4}) as server:
            place = ["--server", server.target.address, "--token-file", folder / "token", "-o", folder / "out.otio"]
            asked = ["--prompt", "a door", "--range", "f0", "f30", "--seed", "7", "--json"]
            command = [*DIFFAVA, "foley", *map(str, [cut, *asked, *place])]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as editor:
                if is_disturbed:
                    until_a_job_began(folder / "log", editor)
                    assert server.kill_engine()
                stdout, stderr = editor.communicate(timeout=120)
            assert editor.returncode == 0, stderr
            assert json.loads(stdout.splitlines()[-1])
        log = (folder / "log").read_text()
        assert ("engine lost" in log) == is_disturbed
        sounds.append([path.read_bytes() for path in sorted(folder.glob("out.foley/*.wav"))])
    assert len(sounds[0]) == 1
    assert sounds[0] == sounds[1]
