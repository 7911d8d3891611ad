"""A shot list of 20 markers, its command killed and its server killed: it goes on, nothing twice and nothing lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile

from diffava_resolve.timeline.place import foley_clips, media_folder
from diffava_resolve.timeline.read import read_timeline
from support import killed_shots
from support.recorded_jobs import kept_jobs
from support.server import started_process
from support.tiny_cut import write_tiny_cut

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL and Unix sockets")

SHOTS = 20
MARKERS = tuple((6 * number, 4, f"shot {number:02}") for number in range(SHOTS))
DIFFAVA = [sys.executable, "-c", "from diffava.cli import main; main()"]


@contextlib.contextmanager
def server(directory: Path):
    """A server that is at the same address with the same token whenever it is started; its jobs stay on disk."""
    arguments = ["-m", "support.server_main", "8", "32", "18", str(directory / "jobs")]
    with started_process(arguments, directory, stderr=subprocess.DEVNULL, listen=f"unix:{directory / 's'}") as process:
        assert json.loads(process.stdout.readline())["address"] == f"unix:{directory / 's'}"
        yield process


def command(cut: Path, directory: Path) -> subprocess.Popen:
    arguments = ["foley", cut, "--markers", "--takes", "2", "-o", directory / "out.otio", "--json"]
    place = ["--server", f"unix:{directory / 's'}", "--token-file", directory / "token"]
    return subprocess.Popen(
        [*DIFFAVA, *map(str, (*arguments, *place))], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def order_kill(directory: Path, job_number: int, pid: int) -> None:
    """Have the engine kill a process when it gets its nth job: in the midst of a shot, whatever the machine's speed."""
    (directory / "jobs.kill").write_text(f"{job_number} {pid}")


def test_twenty_markers_survive_a_killed_command_and_a_killed_server(tmp_path):
    cut = write_tiny_cut(tmp_path, rate=Fraction(24), clip_frames=60, markers=MARKERS).path
    out = tmp_path / "out.otio"
    with server(tmp_path):
        killed = command(cut, tmp_path)
        order_kill(tmp_path, 7, killed.pid)
        assert killed.communicate(timeout=120) == ("", "")
        assert killed.returncode == -signal.SIGKILL
        assert not out.exists()
    with server(tmp_path) as dying:
        order_kill(tmp_path, 7 + 8, 0)  # six are done; it goes on with the seventh and dies in its eighth
        failed = command(cut, tmp_path)
        said, complaint = failed.communicate(timeout=120)
        assert (failed.returncode, said) == (1, "")
        assert "13 of 20 shots are kept: the same command goes on from there." in complaint
        assert dying.wait(timeout=60) == -signal.SIGKILL
        assert not out.exists()
    with server(tmp_path):
        finished = command(cut, tmp_path)
        said, complaint = finished.communicate(timeout=120)
        assert finished.returncode == 0, complaint
    assert len(json.loads(said)["clips"]) == SHOTS
    clips = foley_clips(read_timeline(out))
    assert [(clip.clip_id, clip.name) for clip in clips] == [
        (f"foley-{number + 1}", f"shot {number:02}") for number in range(SHOTS)
    ]
    assert [(clip.region.start_frame, clip.region.stop_frame) for clip in clips] == [
        (start, start + count) for start, count, _ in MARKERS
    ]
    files = [clip.take_path(take, tmp_path) for clip in clips for take in clip.takes]
    assert len(files) == 2 * SHOTS
    assert all(soundfile.info(path).frames == 4 * 2000 for path in files)
    assert set(media_folder(out).iterdir()) == set(files), "nothing else is left, no journal and no remains"
    jobs = kept_jobs(tmp_path / "jobs")
    asked = [job.prompt for job in jobs]
    assert asked == sorted(asked), "in order, and no shot that was done is asked for again"
    assert {prompt for prompt in asked if asked.count(prompt) > 1} == {"shot 06", "shot 13"}, "the two that were killed"
    assert len({job.seeds for job in jobs}) == SHOTS, "also the killed ones have the seeds of their first attempt"


def test_killed_at_any_write_it_goes_on_and_ends_the_same(tmp_path):
    """Killed before and after each file gets its name: takes, journal and timeline."""
    outcomes = killed_shots.outcomes(tmp_path)
    assert len(outcomes) >= 12
    assert all(outcome.is_like_undisturbed for outcome in outcomes), outcomes
    assert all(outcome.jobs_in_all <= killed_shots.SHOTS + 1 for outcome in outcomes), outcomes
