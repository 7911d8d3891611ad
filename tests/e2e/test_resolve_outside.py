"""Resolve Studio from outside: the launcher in a process of its own finds Resolve's module where it is said to be."""

import json
import sys
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import pytest

from diffava_resolve.bridge.failures import EditorGoneError
from diffava_resolve.bridge.launch import launcher_script, outside
from diffava_resolve.cli import resolve as commands
from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.client.scripted_client import ScriptedClient
from support.clips import numbered_picture
from support.movies import write_movie

SUPPORT = Path(__file__).resolve().parent.parent / "support"
MODULE = """
import atexit, json, pathlib, sys
sys.path.insert(0, {support!r})
from fake_resolve import FakeResolve, profile
fake = FakeResolve(profile("20.3 Studio"))
fake.add_clip("video", 1, {shot!r}, 0, 48)
fake.timeline.SetMarkInOut(12, 35)
atexit.register(lambda: pathlib.Path({seen!r}).write_text(json.dumps(fake.seen())))
def scriptapp(name):
    return {answer}
"""


@pytest.fixture
def module_that(tmp_path, monkeypatch):
    def write(answer):
        (tmp_path / "Modules").mkdir()
        given = {"support": str(SUPPORT), "shot": str(tmp_path / "shot.mkv"), "seen": str(tmp_path / "seen.json")}
        text = MODULE.format(answer=answer, **given)
        (tmp_path / "Modules" / "DaVinciResolveScript.py").write_text(text)
        monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))

    return write


def test_a_running_studio_answers(module_that):
    module_that("fake.resolve")
    with outside(sys.executable) as bridge:
        assert bridge.greeting.product == "DaVinci Resolve Studio"
        assert bridge.resolve.GetProjectManager().GetCurrentProject().GetName() == "A film"


def test_the_whole_job_runs_from_outside_and_stays(module_that, tmp_path, monkeypatch, capsys):
    module_that("fake.resolve")
    write_movie(tmp_path / "shot.mkv", (numbered_picture(n) for n in range(48)), Fraction(24), None)
    monkeypatch.setattr(ServerOptions, "connect", lambda *_: nullcontext(ScriptedClient()))
    monkeypatch.setattr("platformdirs.user_documents_path", lambda: tmp_path / "Documents")
    commands.foley(prompt="footsteps", json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["editor"] == "DaVinci Resolve Studio 20.3.1"
    assert (told["clips"][0]["start_frame"], told["clips"][0]["stop_frame"]) == (12, 36)
    [track] = [one for one in json.loads((tmp_path / "seen.json").read_text())["tracks"]["audio"] if one[0] == "Foley"]
    assert [clip[2:4] for clip in track[4]] == [[86_412, 24]]


def test_a_resolve_that_does_not_answer_is_said_with_the_preference_to_set(module_that):
    module_that("None")
    with pytest.raises(EditorGoneError, match="External scripting using to Local"), outside(sys.executable):
        pass


def test_without_resolve_the_module_is_said_to_be_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))
    with pytest.raises(EditorGoneError, match="scripting module was not found"), outside(sys.executable):
        pass


def test_a_library_that_kills_its_python_is_told_as_its_end(module_that):
    module_that("__import__('os').abort()")
    with pytest.raises(EditorGoneError, match="has ended"), outside(sys.executable):
        pass


def test_the_launcher_is_found():
    assert launcher_script().is_file()
