"""The whole job from Resolve's menu: the launcher in a Python without our packages, the companion in its own."""

import json
import os
import select
import shutil
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from diffava_installer.resolve.launcher import install
from diffava_installer.resolve.places import Surroundings
from diffava_installer.resolve.rendering import PYTHON_SCRIPT, LauncherSettings
from diffava_resolve.cli.resolve_job import FORM
from support.checkout import ROOT
from support.clips import numbered_picture
from support.fake_resolve import PROFILES
from support.movies import write_movie
from support.server import server_process

HOST = ROOT / "tests" / "support" / "resolve_host.py"
COMPANION = ROOT / "tests" / "support" / "companion_main.py"
SCRIPTS = ROOT / "plugin_resolve" / "scripts"
START = 86_400
ANSWERS = {field.name: field.value for field in FORM.fields} | {"prompt": "footsteps", "takes": 2}
OLDER = ("python3.6", "python3.7", "python3.8", "python3.9", "python3.10", "pypy3")


def starts(python):
    """Whether this is a Python: what stands on the search path may be a switch to versions that are not chosen."""
    return subprocess.run([python, "-I", "-S", "-c", ""], capture_output=True, check=False).returncode == 0


@cache
def oldest_python():
    """The oldest Python that can be had here: on the search path, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in OLDER:
        found = [shutil.which(name), *map(str, pyenv.glob(f"*/bin/{name}"))]
        for python in found:
            if python and starts(python):
                return python
    return None


@pytest.fixture(params=["this Python", "an older Python"])
def python(request):
    if request.param == "this Python":
        return sys.executable
    return oldest_python() or pytest.skip(f"none of {', '.join(OLDER)} can be had here")


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    path = tmp_path_factory.mktemp("media") / "shot.mkv"
    return write_movie(path, (numbered_picture(n) for n in range(48)), Fraction(24), None)


class Menu:
    """A home with DiffAVA in Resolve's menu, and a timeline of one shot at 24 frames a second."""

    def __init__(self, folder, shot):
        self.folder, self.shot = folder, shot
        self.media = folder / "Documents" / "DiffAVA Foley"
        self.where = Surroundings("linux", folder / "home", {})

    def start(self, python, version, how=(), answers=ANSWERS, command=None, **setup):
        self.media.parent.mkdir(exist_ok=True)
        command = command or (sys.executable, str(COMPANION), str(self.media), json.dumps(answers), *how)
        settings = LauncherSettings(command, SCRIPTS, self.where.own_folder, "0.1.0")
        install(self.where, settings, SCRIPTS)
        given = {
            "version": version,
            "rate": "24",
            "clips": [["video", str(self.shot), 0, 48]],
            "markers": [],
            "marks": [12, 35],
            "playhead": None if "free" not in version else "01:00:00:20",
            "script": str(self.where.script_folder / PYTHON_SCRIPT),
            "answers": answers,
            "seen": str(self.folder / "seen.json"),
            **setup,
        }
        (self.folder / "setup.json").write_text(json.dumps(given))
        command = [python, "-I", "-S", str(HOST), str(self.folder / "setup.json")]
        own = {
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
            "PYTHONHOME": "",
            "PYTHONPATH": "/nowhere",
        }
        environment = {**os.environ, **own}  # and what Resolve sets for its own Python
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def press(self, *arguments, **named):
        """Choose DiffAVA in the menu; what was on the timeline before and after, and what the console said."""
        with self.start(*arguments, **named) as process:
            said, _ = process.communicate(timeout=200)
        log = self.where.own_folder / "companion.log"
        assert (self.folder / "seen.json").exists(), said
        seen = json.loads((self.folder / "seen.json").read_text())
        return seen["before"], seen["after"], said + (log.read_text() if log.exists() else "")


@pytest.fixture
def menu(tmp_path, shot):
    return Menu(tmp_path, shot)


@pytest.mark.parametrize("version", PROFILES)
def test_the_whole_job_runs_from_the_menu_of_each_version(menu, python, version):
    before, after, said = menu.press(python, version)
    named = [track for track in after["tracks"]["audio"] if track[0] == "Foley"]
    assert named, said
    [[_, sub_type, _, _, [clip]]] = named
    [_, _, start, duration, first, enabled, _, _, _, path] = clip
    has_marks = version not in ("18.6", "19.0 free")  # those tell scripts none: it is the clip under the playhead
    expected = (START + 12, 24) if has_marks else (START, 48)
    assert (start, duration, first, enabled, sub_type) == (*expected, 0, True, "mono")
    samples, rate = soundfile.read(path)
    assert (rate, len(samples)) == (48_000, expected[1] * 2_000)
    assert np.abs(samples).max() > 0.05
    assert len(list(menu.media.rglob("*.wav"))) == 2, "two takes were asked for"
    assert "foley-1" in said
    for same in ("page", "marks", "playhead", "bin", "timeline", "render", "jobs", "presets"):
        assert after[same] == before[same]
    assert after["tracks"]["video"] == before["tracks"]["video"]


def test_the_installed_command_and_a_server_do_the_job(menu):
    """Nothing of the way is scripted but the person and the engine."""
    with server_process(menu.folder / "server") as server:
        program = str(Path(sys.executable).with_name("diffava"))
        options = ("--server", server.address, "--token-file", str(server.token_file))
        _, after, said = menu.press(sys.executable, "21.1 Studio", command=(program, "resolve", "companion", *options))
    [[_, _, _, _, [clip]]] = [track for track in after["tracks"]["audio"] if track[0] == "Foley"]
    assert clip[2:4] == [START + 12, 24], said
    assert Path(clip[9]).is_relative_to(menu.media)


def test_a_person_who_closes_the_form_changes_nothing(menu):
    before, after, said = menu.press(sys.executable, "19.1 free", answers=None)
    assert after == before
    assert "Nothing was done" in said


def test_a_refusal_is_one_sentence_in_resolves_console_and_changes_nothing(menu):
    before, after, said = menu.press(sys.executable, "19.1 free", answers={**ANSWERS, "prompt": " "})
    assert after == before
    assert "DiffAVA Foley: The prompt is empty" in said
    assert not list(menu.media.rglob("*.wav"))


@pytest.mark.parametrize("version", ["19.1 free", "21.1 Studio"])
def test_a_companion_that_is_killed_while_it_places_leaves_the_timeline_as_it_was(menu, version):
    before, after, said = menu.press(sys.executable, version, how=["killed placing"])
    assert after == before
    assert "the companion ended early; what it had begun was undone" in said


def test_a_resolve_that_is_killed_stops_the_companion_which_leaves_no_takes(menu):
    fifo = menu.folder / "at work"
    os.mkfifo(fifo)
    with menu.start(sys.executable, "19.1 free", how=["waiting", str(fifo)]) as host:
        companion = int(fifo.read_text())  # returns once the server works
        ended = os.pidfd_open(companion)
        host.kill()
    readable, _, _ = select.select([ended], [], [], 60)
    os.close(ended)
    assert readable, "the companion outlives Resolve"
    assert not list(menu.media.rglob("*.wav"))


def test_without_its_companion_the_console_says_what_to_run(menu):
    install(menu.where, LauncherSettings(("/nowhere/diffava",), SCRIPTS, menu.where.own_folder, "0.1.0"), SCRIPTS)
    script = (menu.where.script_folder / PYTHON_SCRIPT).read_bytes()
    process = menu.start(sys.executable, "19.1 free")
    process.communicate(timeout=200)
    broken = menu.where.script_folder / "broken.py"
    broken.write_bytes(script)
    setup = json.loads((menu.folder / "setup.json").read_text())
    (menu.folder / "setup.json").write_text(json.dumps({**setup, "script": str(broken)}))
    command = [sys.executable, "-I", "-S", str(HOST), str(menu.folder / "setup.json")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "resolve repair" in answer.stdout


def test_what_runs_in_resolve_needs_no_newer_python_than_3_6():
    files = [str(SCRIPTS / "DiffAVA.py"), *map(str, sorted((SCRIPTS / "diffava_launcher").glob("*.py"))), str(HOST)]
    files += map(str, sorted(Path(HOST).parent.glob("fake_resolve/*.py")))
    command = [str(Path(sys.executable).with_name("vermin")), "--target=3.6-", "--violations", "--no-tips", *files]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
